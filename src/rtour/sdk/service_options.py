"""What services and handlers are given by name, said once for all of them.

The manifest's own spelling is `options`' matter; here are the words that people write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict

from rtour.sdk.handlers import ContextManagers
from rtour.sdk.options import InvocationRetryPolicy, Options


class _Shared(TypedDict, total=False):
    """Options of everything; a handler's win over its service's, what is None is the server's."""

    metadata: Mapping[str, str] | None
    inactivity_timeout: timedelta | None
    abort_timeout: timedelta | None
    journal_retention: timedelta | None
    ingress_private: bool | None
    invocation_retry_policy: InvocationRetryPolicy | None
    invocation_context_managers: ContextManagers | None


class PlainOptions(_Shared, total=False):
    """Options of services, and of all handlers but a workflow's `main`."""

    idempotency_retention: timedelta | None


class _State(TypedDict, total=False):
    """Two ways to say which state is sent along at the start, of which one may be used.

    `state_preload`: all of it (True), none (False), or these keys.
    """

    enable_lazy_state: bool | None
    state_preload: bool | Sequence[str] | None


class KeyedOptions(PlainOptions, _State, total=False):
    """Options of what has state."""


class MainOptions(_Shared, _State, total=False):
    """Options of a workflow's `main`, whose result is kept for `workflow_retention`."""

    workflow_retention: timedelta | None


def read(
    given: Mapping[str, Any], kind: type, description: str | None = None
) -> tuple[Options, ContextManagers]:
    """The options of a `kind` (one of the above), and what its attempts are wrapped in.

    Raises TypeError for names that the kind does not have, ValueError for both ways of `_State`.
    """
    known = kind.__annotations__.keys()
    if unknown := sorted(given.keys() - known):
        raise TypeError(f"There is no option {unknown[0]!r} here, only {', '.join(sorted(known))}.")
    rest = dict(given)
    lazy, keys = _preload(rest.pop("enable_lazy_state", None), rest.pop("state_preload", None))
    options = Options(
        description=description,
        lazy_state=lazy,
        eager_state_keys=keys,
        retry_policy=rest.pop("invocation_retry_policy", None),
        **{name: value for name, value in rest.items() if name != "invocation_context_managers"},
    )
    return options, tuple(given.get("invocation_context_managers") or ())


def _preload(
    enable_lazy_state: bool | None, state_preload: bool | Sequence[str] | None
) -> tuple[bool | None, Sequence[str] | None]:
    """(lazy state, keys to send all the same) for the two ways of asking for it."""
    if state_preload is None:
        return enable_lazy_state, None
    if enable_lazy_state is not None:
        raise ValueError("Give either `state_preload` or the older `enable_lazy_state`, not both.")
    if isinstance(state_preload, bool):
        return not state_preload, None
    return True, tuple(state_preload) or None

"""`Service`, `VirtualObject`, `Workflow`: names for handlers, and what they are to the server.

A service's handlers run concurrently. A virtual object has a key; its exclusive handlers run one
at a time per key and may write state. A workflow runs its `main` once per key; its other handlers
run beside it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal, TypeVar

from rtour.sdk import handlers as h
from rtour.sdk.handlers import ContextManagers, Handler, HandlerKind, ServiceKind, ServiceTag
from rtour.sdk.options import InvocationRetryPolicy, Options, preload
from rtour.sdk.serde import Serde

F = TypeVar("F", bound=Callable[..., Any])

_EMPTY: ContextManagers = ()


class _ServiceBase:
    """What the three kinds share: a tag, options, and handlers by name."""

    def __init__(
        self,
        kind: ServiceKind,
        name: str,
        options: Options,
        context_managers: ContextManagers | None,
    ) -> None:
        metadata = dict(options.metadata) if options.metadata is not None else None
        self.service_tag = ServiceTag(kind, name, options.description, metadata)
        self.options = options
        self.context_managers: ContextManagers = tuple(context_managers or _EMPTY)
        self.handlers: dict[str, Handler] = {}

    @property
    def name(self) -> str:
        return self.service_tag.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def manifest(self) -> dict[str, Any]:
        """The service's part of the discovery manifest."""
        return {
            "name": self.name,
            "ty": self.service_tag.manifest_type,
            "handlers": [handler.manifest() for handler in self.handlers.values()],
            **self.options.manifest(),
        }

    def _register(
        self,
        name: str | None,
        kind: HandlerKind | None,
        options: Options,
        context_managers: ContextManagers | None,
        *,
        accept: str | None,
        content_type: str | None,
        input_serde: Serde[Any] | None,
        output_serde: Serde[Any] | None,
    ) -> Callable[[F], F]:
        """The decorator that makes a function a handler of this service."""
        if callable(name):
            raise TypeError(
                f"Write @{type(self).__name__.lower()}.handler() with parentheses: "
                "the decorator takes options."
            )

        def decorate(function: F) -> F:
            handler = Handler(
                self.service_tag,
                name or function.__name__,
                kind,
                function,
                h.make_io(function, accept, content_type, input_serde, output_serde),
                replace(options, description=_documentation(function)),
                (*self.context_managers, *(context_managers or _EMPTY)),
            )
            if handler.name in self.handlers:
                raise ValueError(f"{self.name} has two handlers named {handler.name!r}.")
            self.handlers[handler.name] = handler
            return h.attach(function, handler)

        return decorate


def _documentation(function: Callable[..., Any]) -> str | None:
    return inspect.getdoc(function) if function.__doc__ else None


class Service(_ServiceBase):
    """Handlers without a key, each call on its own."""

    def __init__(
        self,
        name: str,
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
        inactivity_timeout: timedelta | None = None,
        abort_timeout: timedelta | None = None,
        journal_retention: timedelta | None = None,
        idempotency_retention: timedelta | None = None,
        ingress_private: bool | None = None,
        invocation_retry_policy: InvocationRetryPolicy | None = None,
        invocation_context_managers: ContextManagers | None = None,
    ) -> None:
        options = Options(
            description=description,
            metadata=metadata,
            inactivity_timeout=inactivity_timeout,
            abort_timeout=abort_timeout,
            journal_retention=journal_retention,
            idempotency_retention=idempotency_retention,
            ingress_private=ingress_private,
            retry_policy=invocation_retry_policy,
        )
        super().__init__("service", name, options, invocation_context_managers)

    def handler(
        self,
        name: str | None = None,
        accept: str | None = None,
        content_type: str | None = None,
        input_serde: Serde[Any] | None = None,
        output_serde: Serde[Any] | None = None,
        metadata: Mapping[str, str] | None = None,
        inactivity_timeout: timedelta | None = None,
        abort_timeout: timedelta | None = None,
        journal_retention: timedelta | None = None,
        idempotency_retention: timedelta | None = None,
        ingress_private: bool | None = None,
        invocation_retry_policy: InvocationRetryPolicy | None = None,
        invocation_context_managers: ContextManagers | None = None,
    ) -> Callable[[F], F]:
        """Make a function `(ctx)` or `(ctx, input)` a handler, named as itself or as `name`."""
        options = Options(
            metadata=metadata,
            inactivity_timeout=inactivity_timeout,
            abort_timeout=abort_timeout,
            journal_retention=journal_retention,
            idempotency_retention=idempotency_retention,
            ingress_private=ingress_private,
            retry_policy=invocation_retry_policy,
        )
        return self._register(
            name,
            None,
            options,
            invocation_context_managers,
            accept=accept,
            content_type=content_type,
            input_serde=input_serde,
            output_serde=output_serde,
        )


class _Keyed(_ServiceBase):
    """A service with a key and state."""

    def __init__(
        self,
        kind: ServiceKind,
        name: str,
        options: Options,
        enable_lazy_state: bool | None,
        state_preload: bool | Sequence[str] | None,
        context_managers: ContextManagers | None,
    ) -> None:
        lazy, keys = preload(enable_lazy_state, state_preload)
        options = replace(options, lazy_state=lazy, eager_state_keys=keys)
        super().__init__(kind, name, options, context_managers)


class VirtualObject(_Keyed):
    """Handlers with a key; exclusive ones run one at a time per key and may write state."""

    def __init__(
        self,
        name: str,
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
        inactivity_timeout: timedelta | None = None,
        abort_timeout: timedelta | None = None,
        journal_retention: timedelta | None = None,
        idempotency_retention: timedelta | None = None,
        enable_lazy_state: bool | None = None,
        state_preload: bool | Sequence[str] | None = None,
        ingress_private: bool | None = None,
        invocation_retry_policy: InvocationRetryPolicy | None = None,
        invocation_context_managers: ContextManagers | None = None,
    ) -> None:
        options = Options(
            description=description,
            metadata=metadata,
            inactivity_timeout=inactivity_timeout,
            abort_timeout=abort_timeout,
            journal_retention=journal_retention,
            idempotency_retention=idempotency_retention,
            ingress_private=ingress_private,
            retry_policy=invocation_retry_policy,
        )
        super().__init__(
            "object", name, options, enable_lazy_state, state_preload, invocation_context_managers
        )

    def handler(
        self,
        name: str | None = None,
        kind: Literal["exclusive", "shared"] = "exclusive",
        accept: str | None = None,
        content_type: str | None = None,
        input_serde: Serde[Any] | None = None,
        output_serde: Serde[Any] | None = None,
        metadata: Mapping[str, str] | None = None,
        inactivity_timeout: timedelta | None = None,
        abort_timeout: timedelta | None = None,
        journal_retention: timedelta | None = None,
        idempotency_retention: timedelta | None = None,
        enable_lazy_state: bool | None = None,
        state_preload: bool | Sequence[str] | None = None,
        ingress_private: bool | None = None,
        invocation_retry_policy: InvocationRetryPolicy | None = None,
        invocation_context_managers: ContextManagers | None = None,
    ) -> Callable[[F], F]:
        """Make a function a handler; `shared` ones run beside others and only read state."""
        lazy, keys = preload(enable_lazy_state, state_preload)
        options = Options(
            metadata=metadata,
            inactivity_timeout=inactivity_timeout,
            abort_timeout=abort_timeout,
            journal_retention=journal_retention,
            idempotency_retention=idempotency_retention,
            lazy_state=lazy,
            eager_state_keys=keys,
            ingress_private=ingress_private,
            retry_policy=invocation_retry_policy,
        )
        return self._register(
            name,
            kind,
            options,
            invocation_context_managers,
            accept=accept,
            content_type=content_type,
            input_serde=input_serde,
            output_serde=output_serde,
        )


class Workflow(_Keyed):
    """A `main` handler that runs once per key, and shared handlers that talk to it."""

    def __init__(
        self,
        name: str,
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
        inactivity_timeout: timedelta | None = None,
        abort_timeout: timedelta | None = None,
        journal_retention: timedelta | None = None,
        idempotency_retention: timedelta | None = None,
        enable_lazy_state: bool | None = None,
        state_preload: bool | Sequence[str] | None = None,
        ingress_private: bool | None = None,
        invocation_retry_policy: InvocationRetryPolicy | None = None,
        invocation_context_managers: ContextManagers | None = None,
    ) -> None:
        options = Options(
            description=description,
            metadata=metadata,
            inactivity_timeout=inactivity_timeout,
            abort_timeout=abort_timeout,
            journal_retention=journal_retention,
            idempotency_retention=idempotency_retention,
            ingress_private=ingress_private,
            retry_policy=invocation_retry_policy,
        )
        super().__init__(
            "workflow", name, options, enable_lazy_state, state_preload, invocation_context_managers
        )

    def main(
        self,
        name: str | None = None,
        accept: str | None = None,
        content_type: str | None = None,
        input_serde: Serde[Any] | None = None,
        output_serde: Serde[Any] | None = None,
        metadata: Mapping[str, str] | None = None,
        inactivity_timeout: timedelta | None = None,
        abort_timeout: timedelta | None = None,
        journal_retention: timedelta | None = None,
        workflow_retention: timedelta | None = None,
        enable_lazy_state: bool | None = None,
        state_preload: bool | Sequence[str] | None = None,
        ingress_private: bool | None = None,
        invocation_retry_policy: InvocationRetryPolicy | None = None,
        invocation_context_managers: ContextManagers | None = None,
    ) -> Callable[[F], F]:
        """Make a function the workflow itself; `workflow_retention` keeps its result that long."""
        if any(handler.kind == "workflow" for handler in self.handlers.values()):
            raise ValueError(f"{self.name} has a main handler already.")
        lazy, keys = preload(enable_lazy_state, state_preload)
        options = Options(
            metadata=metadata,
            inactivity_timeout=inactivity_timeout,
            abort_timeout=abort_timeout,
            journal_retention=journal_retention,
            workflow_retention=workflow_retention,
            lazy_state=lazy,
            eager_state_keys=keys,
            ingress_private=ingress_private,
            retry_policy=invocation_retry_policy,
        )
        return self._register(
            name,
            "workflow",
            options,
            invocation_context_managers,
            accept=accept,
            content_type=content_type,
            input_serde=input_serde,
            output_serde=output_serde,
        )

    def handler(
        self,
        name: str | None = None,
        accept: str | None = None,
        content_type: str | None = None,
        input_serde: Serde[Any] | None = None,
        output_serde: Serde[Any] | None = None,
        metadata: Mapping[str, str] | None = None,
        inactivity_timeout: timedelta | None = None,
        abort_timeout: timedelta | None = None,
        journal_retention: timedelta | None = None,
        idempotency_retention: timedelta | None = None,
        enable_lazy_state: bool | None = None,
        state_preload: bool | Sequence[str] | None = None,
        ingress_private: bool | None = None,
        invocation_retry_policy: InvocationRetryPolicy | None = None,
        invocation_context_managers: ContextManagers | None = None,
    ) -> Callable[[F], F]:
        """Make a function a handler that runs beside the workflow."""
        lazy, keys = preload(enable_lazy_state, state_preload)
        options = Options(
            metadata=metadata,
            inactivity_timeout=inactivity_timeout,
            abort_timeout=abort_timeout,
            journal_retention=journal_retention,
            idempotency_retention=idempotency_retention,
            lazy_state=lazy,
            eager_state_keys=keys,
            ingress_private=ingress_private,
            retry_policy=invocation_retry_policy,
        )
        return self._register(
            name,
            "shared",
            options,
            invocation_context_managers,
            accept=accept,
            content_type=content_type,
            input_serde=input_serde,
            output_serde=output_serde,
        )


AnyService = Service | VirtualObject | Workflow

"""The handlers of a service as methods, for calls from within a handler.

counter_of_ada = ctx.client(counter, "ada")
total = await counter_of_ada.add(1)
counter_of_ada.add.send(1, delay=timedelta(minutes=5))
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rtour.protocol import messages as m
from rtour.sdk.decoding import decode_with
from rtour.sdk.futures import CallFuture, SendHandle
from rtour.sdk.handlers import Handler
from rtour.sdk.vm import CallOptions

if TYPE_CHECKING:
    from rtour.sdk.attempt import Attempt
    from rtour.sdk.services import AnyService


class HandlerClient:
    """One handler: call it, or `send` to it."""

    def __init__(self, attempt: Attempt, handler: Handler, key: str | None) -> None:
        self._attempt = attempt
        self._handler = handler
        self._key = key

    def __call__(
        self,
        arg: Any = None,
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> CallFuture[Any]:
        """Call it; await the result."""
        options = self._options(arg, idempotency_key, headers)
        return self._attempt.call(options, decode_with(self._handler.io.output_serde))

    def send(
        self,
        arg: Any = None,
        *,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """Call it without waiting, now or after `delay`."""
        return self._attempt.send(self._options(arg, idempotency_key, headers), delay)

    def _options(
        self, arg: Any, idempotency_key: str | None, headers: Mapping[str, str] | None
    ) -> CallOptions:
        return CallOptions(
            self._handler.service_tag.name,
            self._handler.name,
            self._handler.io.input_serde.serialize(arg),
            self._key or "",
            idempotency_key,
            tuple(m.Header(name, value) for name, value in (headers or {}).items()),
        )


class ServiceClient:
    """A service, or a virtual object or workflow of one key."""

    def __init__(self, attempt: Attempt, service: AnyService, key: str | None) -> None:
        keyed = service.service_tag.kind != "service"
        if keyed == (key is None):
            need = "needs a key" if keyed else "has no key"
            raise ValueError(f"{service!r} {need}.")
        self._attempt = attempt
        self._service = service
        self._key = key

    def __getattr__(self, name: str) -> HandlerClient:
        handler = self._service.handlers.get(name)
        if handler is None:
            known = ", ".join(self._service.handlers) or "none"
            raise AttributeError(f"{self._service!r} has no handler {name!r}; it has: {known}.")
        return HandlerClient(self._attempt, handler, self._key)

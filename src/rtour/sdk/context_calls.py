"""The part of a context that talks to other handlers: calls, sends, attaching, cancelling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from rtour.protocol import messages as m
from rtour.sdk.clients import ServiceClient
from rtour.sdk.decoding import Decode, decode_with
from rtour.sdk.futures import CallFuture, DurableFuture, LeafFuture, SendHandle
from rtour.sdk.handlers import handler_from_callable
from rtour.sdk.serde import BytesSerde, Serde, resolve
from rtour.sdk.vm import CallOptions

if TYPE_CHECKING:
    from rtour.sdk.attempt import Attempt
    from rtour.sdk.services import AnyService

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - input
O = TypeVar("O")  # noqa: E741 - output

WithInput = Callable[[Any, I], Awaitable[O]]
WithoutInput = Callable[[Any], Awaitable[O]]
AnyHandler = Callable[..., Awaitable[O]]
Headers = Mapping[str, str] | None

_BYTES = BytesSerde()


class Calls:
    """Calls and sends, typed by the decorated handler they are addressed to."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._vm = attempt.vm

    # --- typed calls -------------------------------------------------------------------------

    @overload
    def service_call(
        self,
        tpe: WithInput[I, O],
        arg: I,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> CallFuture[O]: ...
    @overload
    def service_call(
        self,
        tpe: WithoutInput[O],
        arg: None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> CallFuture[O]: ...
    def service_call(
        self,
        tpe: AnyHandler[O],
        arg: Any = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> CallFuture[O]:
        """Call a handler of a service and wait for its result."""
        return self._attempt.call(
            _target(tpe, "", arg, idempotency_key, headers), _decode_output(tpe)
        )

    @overload
    def object_call(
        self,
        tpe: WithInput[I, O],
        key: str,
        arg: I,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> CallFuture[O]: ...
    @overload
    def object_call(
        self,
        tpe: WithoutInput[O],
        key: str,
        arg: None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> CallFuture[O]: ...
    def object_call(
        self,
        tpe: AnyHandler[O],
        key: str,
        arg: Any = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> CallFuture[O]:
        """Call a handler of the virtual object with this key and wait for its result."""
        return self._attempt.call(
            _target(tpe, key, arg, idempotency_key, headers), _decode_output(tpe)
        )

    workflow_call = object_call

    # --- typed sends -------------------------------------------------------------------------

    @overload
    def service_send(
        self,
        tpe: WithInput[I, Any],
        arg: I,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendHandle: ...
    @overload
    def service_send(
        self,
        tpe: WithoutInput[Any],
        arg: None = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendHandle: ...
    def service_send(
        self,
        tpe: AnyHandler[Any],
        arg: Any = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendHandle:
        """Call a handler without waiting for it, now or after `send_delay`."""
        return self._attempt.send(_target(tpe, "", arg, idempotency_key, headers), send_delay)

    @overload
    def object_send(
        self,
        tpe: WithInput[I, Any],
        key: str,
        arg: I,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendHandle: ...
    @overload
    def object_send(
        self,
        tpe: WithoutInput[Any],
        key: str,
        arg: None = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendHandle: ...
    def object_send(
        self,
        tpe: AnyHandler[Any],
        key: str,
        arg: Any = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendHandle:
        """Call a handler of the virtual object with this key, without waiting for it."""
        return self._attempt.send(_target(tpe, key, arg, idempotency_key, headers), send_delay)

    workflow_send = object_send

    # --- by name -----------------------------------------------------------------------------

    def generic_call(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> CallFuture[bytes]:
        """Call any handler by name, with bytes in and out."""
        options = CallOptions(
            service, handler, arg, key or "", idempotency_key, _headers(headers), scope, limit_key
        )
        return self._attempt.call(options, cast("Decode[bytes]", decode_with(_BYTES)))

    def generic_send(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> SendHandle:
        """Call any handler by name, without waiting for it."""
        options = CallOptions(
            service, handler, arg, key or "", idempotency_key, _headers(headers), scope, limit_key
        )
        return self._attempt.send(options, send_delay)

    def client(self, service: AnyService, key: str | None = None) -> ServiceClient:
        """The handlers of a service as methods: `await ctx.client(counter, "k").add(1)`."""
        return ServiceClient(self._attempt, service, key)

    # --- other invocations -------------------------------------------------------------------

    def attach_invocation(
        self, invocation_id: str, serde: Serde[T] | None = None, type_hint: type[T] | None = None
    ) -> DurableFuture[T]:
        """The result of a running or finished invocation."""
        return self._attach(_by_id(invocation_id), resolve(serde, type_hint))

    def attach_workflow(self, tpe: AnyHandler[O], key: str) -> DurableFuture[O]:
        """The result of the workflow with this key; `tpe` is its main handler."""
        handler = handler_from_callable(tpe)
        target = m.WorkflowTarget(handler.service_tag.name, key)
        return self._attach(target, handler.io.output_serde)

    def attach_request(
        self, tpe: AnyHandler[O], idempotency_key: str, key: str | None = None
    ) -> DurableFuture[O]:
        """The result of the call to `tpe` that was made with this idempotency key."""
        return self._attach(
            _by_request(tpe, idempotency_key, key), handler_from_callable(tpe).io.output_serde
        )

    def invocation_output(
        self, invocation_id: str, serde: Serde[T] | None = None, type_hint: type[T] | None = None
    ) -> DurableFuture[T | None]:
        """The result of an invocation if it is finished, else None; does not wait for it."""
        return self._output_of(_by_id(invocation_id), resolve(serde, type_hint))

    def workflow_output(self, tpe: AnyHandler[O], key: str) -> DurableFuture[O | None]:
        """The result of the workflow with this key if it is finished, else None."""
        handler = handler_from_callable(tpe)
        target = m.WorkflowTarget(handler.service_tag.name, key)
        return self._output_of(target, handler.io.output_serde)

    def request_output(
        self, tpe: AnyHandler[O], idempotency_key: str, key: str | None = None
    ) -> DurableFuture[O | None]:
        """The result of the call with this idempotency key if it is finished, else None."""
        return self._output_of(
            _by_request(tpe, idempotency_key, key), handler_from_callable(tpe).io.output_serde
        )

    def cancel_invocation(self, invocation_id: str) -> None:
        """Ask another invocation to cancel itself."""
        self._attempt.cancel_invocation(_some_id(invocation_id))

    # --- underneath --------------------------------------------------------------------------

    def _attach(self, target: m.AttachTarget, serde: Serde[T]) -> DurableFuture[T]:
        self._attempt.pump.guard()
        decode = cast("Decode[T]", decode_with(serde))
        return LeafFuture(self._attempt, self._vm.sys_attach(target), decode)

    def _output_of(self, target: m.AttachTarget, serde: Serde[T]) -> DurableFuture[T | None]:
        self._attempt.pump.guard()
        decode = cast("Decode[T | None]", decode_with(serde))
        return LeafFuture(self._attempt, self._vm.sys_get_output(target), decode)


class ScopedContext:
    """Typed calls within a scope, with limit keys for concurrency limits (protocol v7)."""

    def __init__(self, attempt: Attempt, scope: str) -> None:
        self._attempt = attempt
        self._scope = scope

    def service_call(
        self,
        tpe: AnyHandler[O],
        arg: Any = None,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> CallFuture[O]:
        options = _target(tpe, "", arg, idempotency_key, headers, self._scope, limit_key)
        return self._attempt.call(options, _decode_output(tpe))

    def object_call(
        self,
        tpe: AnyHandler[O],
        key: str,
        arg: Any = None,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> CallFuture[O]:
        options = _target(tpe, key, arg, idempotency_key, headers, self._scope, limit_key)
        return self._attempt.call(options, _decode_output(tpe))

    workflow_call = object_call

    def service_send(
        self,
        tpe: AnyHandler[Any],
        arg: Any = None,
        send_delay: timedelta | None = None,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendHandle:
        options = _target(tpe, "", arg, idempotency_key, headers, self._scope, limit_key)
        return self._attempt.send(options, send_delay)

    def object_send(
        self,
        tpe: AnyHandler[Any],
        key: str,
        arg: Any = None,
        send_delay: timedelta | None = None,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendHandle:
        options = _target(tpe, key, arg, idempotency_key, headers, self._scope, limit_key)
        return self._attempt.send(options, send_delay)

    workflow_send = object_send


# --- targets -------------------------------------------------------------------------------------


def _target(
    tpe: AnyHandler[Any],
    key: str,
    arg: Any,
    idempotency_key: str | None,
    headers: Headers,
    scope: str | None = None,
    limit_key: str | None = None,
) -> CallOptions:
    handler = handler_from_callable(tpe)
    return CallOptions(
        handler.service_tag.name,
        handler.name,
        handler.io.input_serde.serialize(arg),
        key,
        idempotency_key,
        _headers(headers),
        scope,
        limit_key,
    )


def _decode_output(tpe: AnyHandler[O]) -> Decode[O]:
    return cast("Decode[O]", decode_with(handler_from_callable(tpe).io.output_serde))


def _headers(headers: Headers) -> tuple[m.Header, ...]:
    return tuple(m.Header(name, value) for name, value in headers.items()) if headers else ()


def _by_id(invocation_id: str) -> m.InvocationId:
    return m.InvocationId(_some_id(invocation_id))


def _some_id(invocation_id: str | None) -> str:
    if not invocation_id:
        raise ValueError("An invocation id is needed, such as `await handle.invocation_id()` gives")
    return invocation_id


def _by_request(
    tpe: AnyHandler[Any], idempotency_key: str, key: str | None
) -> m.IdempotentRequestTarget:
    handler = handler_from_callable(tpe)
    return m.IdempotentRequestTarget(
        handler.service_tag.name, handler.name, idempotency_key, service_key=key
    )

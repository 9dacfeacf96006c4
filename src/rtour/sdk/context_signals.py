"""The part of a context that waits for the outside world: awakeables, signals, promises."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from rtour.protocol import messages as m
from rtour.sdk.decoding import Decode, decode_nothing, decode_with
from rtour.sdk.futures import DurableFuture, LeafFuture
from rtour.sdk.serde import Serde, resolve

if TYPE_CHECKING:
    from rtour.sdk.attempt import Attempt

T = TypeVar("T")

_DEFAULT_FAILURE = 500


class Signals:
    """Awakeables and signals."""

    _attempt: Attempt

    def awakeable(
        self, serde: Serde[T] | None = None, type_hint: type[T] | None = None
    ) -> tuple[str, DurableFuture[T]]:
        """An id to give away, and the future that whoever has the id completes."""
        self._attempt.pump.guard()
        awakeable_id, leaf = self._attempt.vm.sys_awakeable()
        return awakeable_id, LeafFuture(self._attempt, leaf, _decode(serde, type_hint))

    def resolve_awakeable(self, name: str, value: T, serde: Serde[T] | None = None) -> None:
        """Complete an awakeable of another invocation; `name` is its id."""
        self._attempt.pump.guard()
        self._attempt.vm.sys_complete_awakeable(name, _value(self._attempt, value, serde))

    def reject_awakeable(
        self, name: str, failure_message: str, failure_code: int = _DEFAULT_FAILURE
    ) -> None:
        """Fail an awakeable of another invocation; `name` is its id."""
        self._attempt.pump.guard()
        self._attempt.vm.sys_complete_awakeable(name, m.Failure(failure_code, failure_message))

    def signal(
        self, name: str, serde: Serde[T] | None = None, type_hint: type[T] | None = None
    ) -> DurableFuture[T]:
        """The next signal of this name that is sent to this invocation."""
        leaf = self._attempt.vm.sys_signal(name)
        return LeafFuture(self._attempt, leaf, _decode(serde, type_hint))

    def resolve_signal(
        self, invocation_id: str, name: str, value: T, serde: Serde[T] | None = None
    ) -> None:
        """Send a signal with a value to another invocation."""
        self._attempt.pump.guard()
        self._attempt.vm.sys_send_signal(invocation_id, name, _value(self._attempt, value, serde))

    def reject_signal(
        self,
        invocation_id: str,
        name: str,
        failure_message: str,
        failure_code: int = _DEFAULT_FAILURE,
    ) -> None:
        """Send a signal that fails to another invocation."""
        self._attempt.pump.guard()
        failure = m.Failure(failure_code, failure_message)
        self._attempt.vm.sys_send_signal(invocation_id, name, failure)


class DurablePromise(Generic[T]):
    """A value that belongs to a workflow's key: set once, by any of its handlers, seen by all."""

    def __init__(
        self, attempt: Attempt, name: str, serde: Serde[T] | None, type_hint: Any = None
    ) -> None:
        self._attempt = attempt
        self._name = name
        self._serde = serde
        self._type_hint = type_hint

    def __await__(self) -> Generator[Any, None, T]:
        return self.value().__await__()

    def value(self) -> DurableFuture[T]:
        """The value; waits until somebody sets it."""
        self._attempt.pump.guard()
        leaf = self._attempt.vm.sys_get_promise(self._name)
        return LeafFuture(self._attempt, leaf, _decode(self._serde, self._type_hint))

    def peek(self) -> DurableFuture[T | None]:
        """The value if it is set, else None."""
        self._attempt.pump.guard()
        leaf = self._attempt.vm.sys_peek_promise(self._name)
        return LeafFuture(self._attempt, leaf, decode_with(resolve(self._serde, self._type_hint)))

    def resolve(self, value: T) -> DurableFuture[None]:
        """Set the value; await the future to learn whether somebody was faster."""
        return self._complete(_value(self._attempt, value, self._serde, self._type_hint))

    def reject(self, message: str, code: int = _DEFAULT_FAILURE) -> DurableFuture[None]:
        """Fail everyone who waits; await the future to learn whether somebody was faster."""
        return self._complete(m.Failure(code, message))

    def _complete(self, result: m.Value | m.Failure) -> DurableFuture[None]:
        self._attempt.pump.guard()
        leaf = self._attempt.vm.sys_complete_promise(self._name, result)
        return LeafFuture(self._attempt, leaf, decode_nothing)


def _decode(serde: Serde[T] | None, type_hint: Any) -> Decode[T]:
    return cast("Decode[T]", decode_with(resolve(serde, type_hint)))


def _value(attempt: Attempt, value: T, serde: Serde[T] | None, type_hint: Any = None) -> m.Value:
    hint = type(value) if type_hint is None else type_hint
    return m.Value(attempt.seal(resolve(serde, hint).serialize(value)))

"""Durable futures: results that the journal holds or will hold.

A future may be awaited many times, by several tasks, and combined with others. Combinations are
futures too, so they nest. Awaiting gives the value or raises its TerminalError; a combination waits
in the protocol's own terms, so that a suspended invocation is woken exactly when it can go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rtour.protocol import messages as m
from rtour.sdk.exceptions import DurableTimeoutError, TerminalError
from rtour.sdk.serde import Serde
from rtour.sdk.vm import Leaf, Node, Outcome, Tree, outcome_of

if TYPE_CHECKING:
    from rtour.sdk.attempt import Attempt
    from rtour.sdk.codec import JournalValueCodec

T = TypeVar("T")
U = TypeVar("U")
Decode = Callable[[m.Result], T]


class DurableFuture(Awaitable[T], Generic[T]):
    """A result to come. Base of what `ctx.run`, `ctx.sleep`, calls and combinators return."""

    __slots__ = ("_error", "_outcome", "_value", "attempt")

    def __init__(self, attempt: Attempt | None) -> None:
        # Only the empty combination has none, and it never asks.
        self.attempt: Attempt = attempt  # type: ignore[assignment]
        self._outcome = Outcome.PENDING
        self._value: T | None = None
        self._error: BaseException | None = None

    def __await__(self) -> Generator[Any, None, T]:
        if self._outcome is Outcome.PENDING:
            yield from self.attempt.pump.wait(self).__await__()
            if self.attempt.codec is not None:
                yield from self.attempt.unseal(self.leaves()).__await__()
        return self.result()

    def is_completed(self) -> bool:
        """Whether an await would return at once."""
        return self._outcome is not Outcome.PENDING or self.attempt.vm.is_done(self.tree())

    def map(self, function: Callable[[T], U]) -> DurableFuture[U]:
        """A future of `function(value)`; failures pass through."""
        return MappedFuture(self, function)

    def or_timeout(self, delta: timedelta) -> DurableFuture[T]:
        """Its value, or `DurableTimeoutError` when `delta` passes first, whatever restarts."""
        return TimeoutFuture(self, self.attempt.sleep(delta), delta)

    def tree(self) -> Tree:
        """What to wait for, or the outcome if it is known."""
        raise NotImplementedError

    def leaves(self) -> Sequence[LeafFuture[Any]]:
        """The results that it is made of."""
        return ()

    def _compute(self) -> T:
        """The value, once `tree()` is done."""
        raise NotImplementedError

    def _settle(self) -> None:
        """Take the result, once; a failure is kept and raised at each await."""
        if self._outcome is not Outcome.PENDING:
            return
        try:
            self._value = self._compute()
            self._outcome = Outcome.SUCCESS
        except Exception as error:  # noqa: BLE001 - raised by `result`, whatever it is
            self._error = error
            self._outcome = Outcome.FAILURE

    def result(self) -> T:
        """The value of a future that is completed, or its error; never waits."""
        self._settle()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # it is settled


class LeafFuture(DurableFuture[T]):
    """One completion or signal."""

    __slots__ = ("_decode", "_leaf", "_taken")

    def __init__(self, attempt: Attempt, leaf: Leaf, decode: Decode[T]) -> None:
        super().__init__(attempt)
        self._leaf = leaf
        self._decode = decode
        self._taken: m.Result | None = None

    def tree(self) -> Tree:
        if self._outcome is not Outcome.PENDING:
            return self._outcome
        return self._leaf if self._taken is None else outcome_of(self._taken)

    def leaves(self) -> Sequence[LeafFuture[Any]]:
        return (self,)

    @property
    def sealed(self) -> bool:
        """There is a result, still as the journal has it."""
        return self._taken is None and self._outcome is Outcome.PENDING and self.is_completed()

    async def unseal(self, codec: JournalValueCodec) -> None:
        """Take the result through the codec."""
        try:
            self._taken = await _unsealed(self.attempt.vm.take(self._leaf), codec)
        except Exception as error:  # noqa: BLE001 - raised by `result`
            self._error = error
            self._outcome = Outcome.FAILURE

    def _compute(self) -> T:
        result = self.attempt.vm.take(self._leaf) if self._taken is None else self._taken
        assert result is not None, f"nothing to take at {self._leaf}"
        if isinstance(result, m.Failure):
            raise TerminalError(result.message, result.code, dict(result.metadata))
        return self._decode(result)


class ReadyFuture(DurableFuture[T]):
    """A result that was there at once, such as state sent along with the invocation."""

    __slots__ = ()

    def __init__(self, attempt: Attempt | None, value: T) -> None:
        super().__init__(attempt)
        self._value = value
        self._outcome = Outcome.SUCCESS

    def tree(self) -> Tree:
        return Outcome.SUCCESS


class SealedFuture(LeafFuture[T]):
    """A result that was there at once, but as the journal has it."""

    __slots__ = ("_given",)

    def __init__(self, attempt: Attempt, given: m.Result, decode: Decode[T]) -> None:
        super().__init__(attempt, 0, decode)
        self._given = given

    def tree(self) -> Tree:
        return Outcome.SUCCESS

    async def unseal(self, codec: JournalValueCodec) -> None:
        self._taken = await _unsealed(self._given, codec)


class SleepFuture(LeafFuture[None]):
    """A timer."""

    __slots__ = ()


class CallFuture(LeafFuture[T]):
    """The result of a call; also knows the callee."""

    __slots__ = ("_invocation_id",)

    def __init__(
        self, attempt: Attempt, leaf: Leaf, decode: Decode[T], invocation_id: DurableFuture[str]
    ) -> None:
        super().__init__(attempt, leaf, decode)
        self._invocation_id = invocation_id

    async def invocation_id(self) -> str:
        """The callee's invocation id."""
        return await self._invocation_id

    async def cancel_invocation(self) -> None:
        """Cancel the callee."""
        self.attempt.cancel_invocation(await self._invocation_id)


class SendHandle:
    """A call that nobody waits for."""

    __slots__ = ("_attempt", "_invocation_id")

    def __init__(self, attempt: Attempt, invocation_id: DurableFuture[str]) -> None:
        self._attempt = attempt
        self._invocation_id = invocation_id

    async def invocation_id(self) -> str:
        """The callee's invocation id."""
        return await self._invocation_id

    async def cancel_invocation(self) -> None:
        """Cancel the callee."""
        self._attempt.cancel_invocation(await self._invocation_id)


class CombinedFuture(DurableFuture[T]):
    """Several futures under one of the protocol's combinators."""

    __slots__ = ("_children", "_combinator", "_finish")

    def __init__(
        self,
        attempt: Attempt,
        combinator: m.Combinator,
        children: Sequence[DurableFuture[Any]],
        finish: Callable[[], T],
    ) -> None:
        super().__init__(attempt)
        self._combinator = combinator
        self._children = tuple(children)
        self._finish = finish

    def tree(self) -> Tree:
        if self._outcome is not Outcome.PENDING:
            return self._outcome
        return Node(self._combinator, tuple(child.tree() for child in self._children))

    def leaves(self) -> Sequence[LeafFuture[Any]]:
        return [leaf for child in self._children for leaf in child.leaves()]

    def _compute(self) -> T:
        return self._finish()


class MappedFuture(DurableFuture[U]):
    """A future seen through a function."""

    __slots__ = ("_function", "_inner")

    def __init__(self, inner: DurableFuture[Any], function: Callable[[Any], U]) -> None:
        super().__init__(inner.attempt)
        self._inner = inner
        self._function = function

    def tree(self) -> Tree:
        return self._inner.tree() if self._outcome is Outcome.PENDING else self._outcome

    def leaves(self) -> Sequence[LeafFuture[Any]]:
        return self._inner.leaves()

    def _compute(self) -> U:
        return self._function(self._inner.result())


class TimeoutFuture(DurableFuture[T]):
    """The first of a future and a timer."""

    __slots__ = ("_delta", "_inner", "_timer")

    def __init__(self, inner: DurableFuture[T], timer: SleepFuture, delta: timedelta) -> None:
        super().__init__(inner.attempt)
        self._inner = inner
        self._timer = timer
        self._delta = delta

    def tree(self) -> Tree:
        if self._outcome is not Outcome.PENDING:
            return self._outcome
        children = (self._inner.tree(), self._timer.tree())
        return Node(m.Combinator.FIRST_COMPLETED, children)

    def leaves(self) -> Sequence[LeafFuture[Any]]:
        return self._inner.leaves()

    def _compute(self) -> T:
        if self._inner.is_completed():
            return self._inner.result()
        raise DurableTimeoutError(f"timed out after {self._delta}")


async def _unsealed(result: m.Result | None, codec: JournalValueCodec) -> m.Result | None:
    return m.Value(await codec.decode(result.content)) if isinstance(result, m.Value) else result


# --- decoding ------------------------------------------------------------------------------------


def decode_with(serde: Serde[T]) -> Decode[T | None]:
    """Values through a serde; no value is None."""

    def decode(result: m.Result) -> T | None:
        return serde.deserialize(result.content) if isinstance(result, m.Value) else None

    return decode


def decode_nothing(_result: m.Result) -> None:
    """For results that only say that something is done."""


def decode_invocation_id(result: m.Result) -> str:
    assert isinstance(result, m.InvocationId), f"{result} is no invocation id"
    return result.id


def decode_state_keys(result: m.Result) -> list[str]:
    assert isinstance(result, m.StateKeys), f"{result} are no state keys"
    return [key.decode() for key in result.keys]

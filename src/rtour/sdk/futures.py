"""Durable futures: results that the journal holds or will hold.

A future may be awaited many times, by several tasks, and combined with others. Combinations are
futures too, so they nest. Awaiting gives the value or raises its TerminalError; a combination waits
in the protocol's own terms, so that a suspended invocation is woken exactly when it can go on.

What is made of other futures may nest deeper than Python's stack has room for, so it is worked
through in loops, and gets its result in steps, each of which asks for the result of one part.
"""

# ruff: noqa: SLF001 - futures are made of futures, and know their insides

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rtour.protocol import messages as m
from rtour.protocol.trees import fold
from rtour.sdk.decoding import Decode
from rtour.sdk.exceptions import DurableTimeoutError, TerminalError
from rtour.sdk.vm import Leaf, Node, Outcome, Tree, evaluate, outcome_of

if TYPE_CHECKING:
    from rtour.sdk.attempt import Attempt
    from rtour.sdk.codec import JournalValueCodec

T = TypeVar("T")
U = TypeVar("U")
Steps = Generator["DurableFuture[Any]", Any, T]
"""Yields the futures whose results are needed, is sent those, and returns its own."""
Done = Callable[[], AbstractSet["DurableFuture[Any]"]]
"""Of the futures that something is made of, those that are done; found out when first asked."""


class DurableFuture(Awaitable[T], Generic[T]):
    """A result to come. Base of what `ctx.run`, `ctx.sleep`, calls and combinators return."""

    __slots__ = ("_error", "_outcome", "_value", "attempt")

    def __init__(self, attempt: Attempt | None) -> None:
        # Only the empty combination, and what is made of nothing else, has none: all is there.
        self.attempt: Attempt = attempt  # type: ignore[assignment]
        self._outcome = Outcome.PENDING
        self._value: T | None = None
        self._error: BaseException | None = None

    def __await__(self) -> Generator[Any, None, T]:
        if self._outcome is Outcome.PENDING and self.attempt is not None:
            yield from self.attempt.pump.wait(self).__await__()
            if self.attempt.codec is not None:
                yield from self.attempt.unseal(self.leaves()).__await__()
        return self.result()

    def is_completed(self) -> bool:
        """Whether an await would return at once."""
        if self._outcome is not Outcome.PENDING or self.attempt is None:
            return True
        return self.attempt.vm.is_done(self.tree())

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
        """The results that it is made of, each once."""
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


class CompositeFuture(DurableFuture[T]):
    """What is made of other futures."""

    __slots__ = ("_parts",)

    def __init__(self, attempt: Attempt | None, parts: Sequence[DurableFuture[Any]]) -> None:
        super().__init__(attempt)
        self._parts = tuple(parts)

    def tree(self) -> Tree:
        return fold(self, _unknown_composites, _tree_of)

    def leaves(self) -> Sequence[LeafFuture[Any]]:
        found: dict[LeafFuture[Any], None] = {}
        seen: set[DurableFuture[Any]] = set()
        todo: list[DurableFuture[Any]] = [self]
        while todo:
            future = todo.pop()
            if future in seen:
                continue
            seen.add(future)
            if isinstance(future, CompositeFuture):
                todo += reversed(future._parts)
            else:
                found.update(dict.fromkeys(future.leaves()))
        return list(found)

    def _combined(self, trees: list[Tree]) -> Tree:
        """Its own tree, from those of its parts."""
        raise NotImplementedError

    def _steps(self, done: Done) -> Steps[T]:
        """How its result comes from those of its parts, once `tree()` is done."""
        raise NotImplementedError

    def _settle(self) -> None:
        if self._outcome is not Outcome.PENDING:
            return
        done = cache(partial(_done_within, self))
        running: list[tuple[CompositeFuture[Any], Steps[Any]]] = [(self, self._steps(done))]
        value, error = None, None
        while running:
            future, steps = running[-1]
            try:
                part = steps.send(value) if error is None else steps.throw(error)
            except StopIteration as end:
                future._value, future._outcome = end.value, Outcome.SUCCESS
                running.pop()
            except Exception as failure:  # noqa: BLE001 - raised by `result`, whatever it is
                future._error, future._outcome = failure, Outcome.FAILURE
                running.pop()
            else:
                if isinstance(part, CompositeFuture) and part._outcome is Outcome.PENDING:
                    running.append((part, part._steps(done)))
                    value, error = None, None
                    continue
                part._settle()
                value, error = part._value, part._error
                continue
            value, error = future._value, future._error


def _unknown_composites(future: CompositeFuture[Any]) -> list[CompositeFuture[Any]]:
    if future._outcome is not Outcome.PENDING:
        return []
    return [part for part in future._parts if isinstance(part, CompositeFuture)]


def _trees_of_parts(future: CompositeFuture[Any], inner: Sequence[Tree]) -> list[Tree]:
    within = iter(inner)
    return [
        next(within) if isinstance(part, CompositeFuture) else part.tree() for part in future._parts
    ]


def _tree_of(future: CompositeFuture[Any], inner: list[Tree]) -> Tree:
    if future._outcome is not Outcome.PENDING:
        return future._outcome
    return future._combined(_trees_of_parts(future, inner))


def _done_within(root: CompositeFuture[Any]) -> AbstractSet[DurableFuture[Any]]:
    """All that is done of what a future is made of, to any depth; each is looked at once."""
    done: set[DurableFuture[Any]] = set()
    vm = None if root.attempt is None else root.attempt.vm
    outcome_of_tree = partial(evaluate, ready={}) if vm is None else vm.outcome

    def look(future: CompositeFuture[Any], inner: list[Outcome]) -> Outcome:
        if future._outcome is not Outcome.PENDING:
            return future._outcome
        outcomes = [outcome_of_tree(tree) for tree in _trees_of_parts(future, inner)]
        for part, outcome in zip(future._parts, outcomes, strict=True):
            if outcome is not Outcome.PENDING:
                done.add(part)
        return outcome_of_tree(future._combined([*outcomes]))

    fold(root, _unknown_composites, look)
    return done


class CombinedFuture(CompositeFuture[T]):
    """Several futures under one of the protocol's combinators."""

    __slots__ = ("_combinator", "_finish")

    def __init__(
        self,
        attempt: Attempt | None,
        combinator: m.Combinator,
        parts: Sequence[DurableFuture[Any]],
        finish: Callable[[Done], Steps[T]],
    ) -> None:
        super().__init__(attempt, parts)
        self._combinator = combinator
        self._finish = finish

    def _combined(self, trees: list[Tree]) -> Tree:
        return Node(self._combinator, tuple(trees))

    def _steps(self, done: Done) -> Steps[T]:
        return self._finish(done)


class MappedFuture(CompositeFuture[U]):
    """A future seen through a function."""

    __slots__ = ("_function",)

    def __init__(self, inner: DurableFuture[Any], function: Callable[[Any], U]) -> None:
        super().__init__(inner.attempt, (inner,))
        self._function = function

    def _combined(self, trees: list[Tree]) -> Tree:
        return trees[0]

    def _steps(self, _done: Done) -> Steps[U]:
        return self._function((yield self._parts[0]))


class TimeoutFuture(CompositeFuture[T]):
    """The first of a future and a timer."""

    __slots__ = ("_delta",)

    def __init__(self, inner: DurableFuture[T], timer: SleepFuture, delta: timedelta) -> None:
        super().__init__(inner.attempt, (inner, timer))
        self._delta = delta

    def _combined(self, trees: list[Tree]) -> Tree:
        return Node(m.Combinator.FIRST_COMPLETED, tuple(trees))

    def _steps(self, done: Done) -> Steps[T]:
        inner, _ = self._parts
        if inner in done():
            return (yield inner)  # type: ignore[no-any-return]
        raise DurableTimeoutError(f"timed out after {self._delta}")


async def _unsealed(result: m.Result | None, codec: JournalValueCodec) -> m.Result | None:
    return m.Value(await codec.decode(result.content)) if isinstance(result, m.Value) else result

"""Waiting for several futures. What gives a future nests; all wait in the protocol's own terms.

gather(a, b)            all are done            [a, b], the futures themselves
select(x=a, y=b)        the first is done       ["x", value of a], or its error
race(a, b)              the first is done       its value, or its error
all_succeeded(a, b)     all succeeded           their values, or the first error
any_succeeded(a, b)     the first succeeded     its value, or the last error
as_completed(a, b)      one after the other     an async iterator of futures
wait_completed(a, b)    at least one is done    (done, pending)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from rtour.protocol.messages import Combinator
from rtour.sdk.exceptions import TerminalError
from rtour.sdk.futures import CombinedFuture, Done, DurableFuture, ReadyFuture, Steps

T = TypeVar("T")


@runtime_checkable
class _HasFuture(Protocol):
    """A workflow promise: stands for the future of its value."""

    def value(self) -> DurableFuture[Any]: ...


Member = DurableFuture[Any] | _HasFuture


def gather(*futures: Member) -> DurableFuture[list[DurableFuture[Any]]]:
    """Wait until all are done, successful or not; never raises for one of them."""
    members = _members(futures)

    def finish(_done: Done) -> Steps[list[DurableFuture[Any]]]:
        yield from ()
        return members

    return _combine(Combinator.ALL_COMPLETED, members, finish) if members else _nothing()


def select(**futures: Member) -> DurableFuture[list[Any]]:
    """The name and value of the first that is done; made for `match`."""
    _require_some("select", futures.values())
    members = dict(zip(futures, _members(list(futures.values())), strict=True))

    def finish(done: Done) -> Steps[list[Any]]:
        name = next(name for name, future in members.items() if future in done())
        return [name, (yield members[name])]

    return _combine(Combinator.FIRST_COMPLETED, list(members.values()), finish)


def race(*futures: DurableFuture[T]) -> DurableFuture[T]:
    """The value, or the error, of the first that is done."""
    _require_some("race", futures)
    members = _members(futures)

    def finish(done: Done) -> Steps[T]:
        return (yield next(future for future in members if future in done()))  # type: ignore[no-any-return]

    return _combine(Combinator.FIRST_COMPLETED, members, finish)


def all_succeeded(*futures: DurableFuture[T]) -> DurableFuture[list[T]]:
    """All values in the order given, or the error of the first that fails."""
    members = _members(futures)

    def finish(done: Done) -> Steps[list[T]]:
        values = []
        for future in [future for future in members if future in done()]:
            values.append((yield future))  # noqa: PERF401 - comprehensions cannot; the failed one raises
        assert len(values) == len(members), "resolved by neither all values nor an error"
        return values

    if not members:
        return _nothing()
    return _combine(Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED, members, finish)


def any_succeeded(*futures: DurableFuture[T]) -> DurableFuture[T]:
    """The value of the first that succeeds; when all fail, the error of the last one given."""
    _require_some("any_succeeded", futures)
    members = _members(futures)

    def finish(done: Done) -> Steps[T]:
        failure: TerminalError | None = None
        for future in members:
            if future not in done():
                continue
            try:
                return (yield future)  # type: ignore[no-any-return]
            except TerminalError as error:
                failure = error
        assert failure is not None, "resolved by neither a value nor all errors"
        raise failure

    return _combine(Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED, members, finish)


async def wait_completed(
    *futures: Member,
) -> tuple[list[DurableFuture[Any]], list[DurableFuture[Any]]]:
    """(done, pending) as soon as at least one is done."""
    members = _members(futures)
    if members:
        await _combine(Combinator.FIRST_COMPLETED, members, _no_steps)
    completed = [future.is_completed() for future in members]
    return (
        [future for future, done in zip(members, completed, strict=True) if done],
        [future for future, done in zip(members, completed, strict=True) if not done],
    )


async def as_completed(*futures: Member) -> AsyncIterator[DurableFuture[Any]]:
    """The futures in the order in which they get done; one may stop at any of them."""
    pending: Sequence[DurableFuture[Any]] = _members(futures)
    while pending:
        completed, pending = await wait_completed(*pending)
        for future in completed:
            yield future


def _combine(
    combinator: Combinator,
    members: Sequence[DurableFuture[Any]],
    finish: Callable[[Done], Steps[T]],
) -> DurableFuture[T]:
    attempt = next((each.attempt for each in members if each.attempt is not None), None)
    return CombinedFuture(attempt, combinator, members, finish)


def _nothing() -> DurableFuture[list[Any]]:
    return ReadyFuture(None, [])


def _no_steps(_done: Done) -> Steps[None]:
    yield from ()


def _members(futures: Sequence[Member]) -> list[DurableFuture[Any]]:
    members = [
        future.value()
        if not isinstance(future, DurableFuture) and isinstance(future, _HasFuture)
        else future
        for future in futures
    ]
    if not all(isinstance(member, DurableFuture) for member in members):
        raise TerminalError(
            "All futures must be durable ones, such as ctx.run, ctx.sleep and calls return; "
            "coroutines and asyncio futures belong into ctx.run."
        )
    if len({id(member.attempt) for member in members if member.attempt is not None}) > 1:
        raise TerminalError("All futures must belong to the same invocation.")
    return members


def _require_some(name: str, futures: Sequence[Any] | Any) -> None:
    if not futures:
        raise ValueError(f"{name}() needs at least one future.")

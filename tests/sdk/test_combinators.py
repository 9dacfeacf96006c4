"""Combinators over durable futures: official ones, the missing ones, nesting and timeouts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import rtour
from rtour.protocol import messages as m
from tests.sdk.peer import Peer

pytestmark = pytest.mark.usefixtures("either_loop")

SECOND = timedelta(seconds=1)
service = rtour.Service("S")
workflow = rtour.Workflow("W")

seeds = pytest.mark.parametrize("seed", range(8))


async def value(number: int) -> int:
    return number


async def failing() -> int:
    raise rtour.TerminalError("no", 418)


def fail(ctx: rtour.Context, name: str) -> rtour.RestateDurableFuture[int]:
    return ctx.run_typed(name, failing)


def give(ctx: rtour.Context, number: int) -> rtour.RestateDurableFuture[int]:
    return ctx.run_typed(f"give {number}", value, number=number)


def never(ctx: rtour.Context) -> rtour.RestateDurableFuture[int]:
    return ctx.awakeable(type_hint=int)[1]


async def outcome(future: Any) -> Any:
    try:
        return await future
    except rtour.TerminalError as error:
        return f"{type(error).__name__} {error.status_code}"


@service.handler()
async def gathers(ctx: rtour.Context) -> list[Any]:
    members = [give(ctx, 1), fail(ctx, "f"), ctx.sleep(SECOND)]
    done = await rtour.gather(*members)
    return [done == members, [await outcome(member) for member in done]]


@service.handler()
async def selects(ctx: rtour.Context) -> list[Any]:
    first = await rtour.select(never=never(ctx), one=give(ctx, 1))
    match await rtour.select(x=never(ctx), timeout=ctx.sleep(SECOND)):
        case ["timeout", _]:
            second = "timed out"
        case _:
            second = "?"
    return [first, second, await outcome(rtour.select(f=fail(ctx, "f"), n=never(ctx)))]


@service.handler()
async def races(ctx: rtour.Context) -> list[Any]:
    return [
        await rtour.race(never(ctx), give(ctx, 1)),
        await outcome(rtour.race(fail(ctx, "f"), never(ctx))),
    ]


@service.handler()
async def all_or_fail(ctx: rtour.Context) -> list[Any]:
    return [
        await rtour.all_succeeded(give(ctx, 1), give(ctx, 2)),
        await outcome(rtour.all_succeeded(never(ctx), fail(ctx, "f"))),
        await rtour.all_succeeded(),
    ]


@service.handler()
async def first_success(ctx: rtour.Context) -> list[Any]:
    return [
        await rtour.any_succeeded(fail(ctx, "a"), never(ctx), give(ctx, 2)),
        await outcome(rtour.any_succeeded(fail(ctx, "b"), fail(ctx, "c"))),
    ]


@service.handler()
async def streams(ctx: rtour.Context) -> list[Any]:
    members = [give(ctx, 1), give(ctx, 2), fail(ctx, "f")]
    seen = [await outcome(future) async for future in rtour.as_completed(*members)]
    done, pending = await rtour.wait_completed(never(ctx), give(ctx, 3))
    return [sorted(map(str, seen)), len(done), len(pending), await done[0]]


@service.handler()
async def nests(ctx: rtour.Context) -> list[Any]:
    pair = rtour.all_succeeded(give(ctx, 1), give(ctx, 2))
    name, got = await rtour.select(pair=pair, late=never(ctx))
    either = rtour.gather(rtour.race(never(ctx), give(ctx, 3)), pair)
    inner = [await member for member in await either]
    return [name, got, inner]


@service.handler()
async def times_out(ctx: rtour.Context) -> list[Any]:
    slow = never(ctx).or_timeout(SECOND)
    quick = give(ctx, 1).map(lambda number: number + 1)
    return [await outcome(slow), await outcome(slow), await quick, await outcome(quick)]


EXPECTED: dict[str, Any] = {
    "gathers": [True, [1, "TerminalError 418", None]],
    "selects": [["one", 1], "timed out", "TerminalError 418"],
    "races": [1, "TerminalError 418"],
    "all_or_fail": [[1, 2], "TerminalError 418", []],
    "first_success": [2, "TerminalError 418"],
    "streams": [["1", "2", "TerminalError 418"], 1, 1, 3],
    "nests": ["pair", [1, 2], [3, [1, 2]]],
    "times_out": ["DurableTimeoutError 408", "DurableTimeoutError 408", 2, 2],
}


@seeds
@pytest.mark.parametrize("version", [6, 7])
@pytest.mark.parametrize("name", EXPECTED)
async def test_combinators(name: str, version: int, seed: int) -> None:
    """Whatever the order of results and the restarts, each combinator keeps its meaning."""
    peer = Peer(service, version=version, seed=seed, cuts=0.3)
    assert await peer.invoke(f"S/{name}") == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
async def test_combinators_without_a_stream(name: str) -> None:
    """In request and response, a combination suspends as a whole and resumes."""
    assert await Peer(service, streaming=False).invoke(f"S/{name}") == EXPECTED[name]


@workflow.main()
async def promised(ctx: rtour.WorkflowContext) -> Any:
    return await rtour.select(promise=ctx.promise("p", type_hint=int), timeout=ctx.sleep(SECOND))


async def test_a_promise_may_be_selected_as_it_is() -> None:
    """As the official documentation writes it: `.value()` is understood."""
    assert await Peer(workflow, key="k").invoke("W/promised") == ["timeout", None]


@service.handler()
async def foreign(ctx: rtour.Context) -> None:
    async def coroutine() -> None: ...

    pending = coroutine()
    try:
        await rtour.gather(ctx.sleep(SECOND), pending)  # type: ignore[arg-type]
    finally:
        pending.close()


async def test_foreign_members_are_refused() -> None:
    """Only durable futures combine; the error says where other work belongs."""
    result = await Peer(service).invoke("S/foreign")
    assert isinstance(result, m.Failure)
    assert "ctx.run" in result.message


DEEP = 1000
"""As often as futures may lie in one another with a server of protocol version 7."""

TOWERS: dict[str, Callable[[rtour.RestateDurableFuture[Any]], Any]] = {
    "race": rtour.race,
    "select": lambda future: rtour.select(it=future),
    "gather": rtour.gather,
    "all_succeeded": rtour.all_succeeded,
    "any_succeeded": rtour.any_succeeded,
    "map": lambda future: future.map(lambda value: value),
    "or_timeout": lambda future: future.or_timeout(SECOND),
}


@service.handler()
async def deep(ctx: rtour.Context, combinator: str) -> Any:
    tower = give(ctx, 1).map(lambda _: "found")
    for _ in range(DEEP):
        tower = TOWERS[combinator](tower)
    found = await tower
    for _ in range(DEEP):
        match found:
            case ["it", inner] | [str(inner)]:  # as deep as select and all_succeeded give it
                found = inner
            case [list() as inner]:
                found = inner
            case [rtour.RestateDurableFuture() as inner]:
                found = inner.result()
    return found


@pytest.mark.parametrize(("version", "streaming"), [(6, False), (7, True)])
@pytest.mark.parametrize("combinator", TOWERS)
async def test_futures_nest_as_deep_as_the_server_takes(
    combinator: str, version: int, streaming: bool
) -> None:
    """Each is waited for, told to the server, compared, resolved and taken apart in loops."""
    peer = Peer(service, version=version, streaming=streaming)
    peer.completes_timers = False
    assert await peer.invoke("S/deep", combinator) == "found"


@service.handler()
async def beside_nothing(ctx: rtour.Context) -> list[Any]:
    nothing = rtour.all_succeeded()
    return [
        await rtour.select(nothing=nothing, never=never(ctx)),
        await rtour.all_succeeded(nothing, give(ctx, 1)),
    ]


async def test_nothing_combines_with_something() -> None:
    """An empty combination is done, also within others, first or not."""
    assert await Peer(service).invoke("S/beside_nothing") == [["nothing", []], [[], 1]]


async def test_nothing_to_wait_for() -> None:
    """Without futures: gather gives none, select has nothing to choose from."""
    assert await rtour.gather() == []
    assert await rtour.all_succeeded(rtour.all_succeeded(), rtour.gather()) == [[], []]
    assert await rtour.wait_completed() == ([], [])
    with pytest.raises(ValueError, match="at least one"):
        rtour.select()


TWICE: dict[str, Callable[[Any], Any]] = {
    "race": lambda future: rtour.race(future, future),
    "race of maps": lambda future: rtour.race(future.map(int), future.map(int)),
    "any_succeeded": lambda future: rtour.any_succeeded(future, future),
    "gather": lambda future: rtour.gather(future, future).map(lambda both: 5 + len(both)),
    "all_succeeded": lambda future: rtour.all_succeeded(future, future).map(lambda both: both[1]),
}


@service.handler()
async def doubled(ctx: rtour.Context, combinator: str) -> int:
    future: Any = give(ctx, 7)
    for _ in range(DEEP // 2):
        future = TWICE[combinator](future)
    waiting = rtour.race(future, never(ctx))
    return int(await waiting)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("combinator", TWICE)
async def test_the_same_future_may_be_combined_with_itself(
    combinator: str, streaming: bool
) -> None:
    """Each is worked through once: by way of copies there would be two to the depth's power."""
    peer = Peer(service, version=7, streaming=streaming)
    assert await peer.invoke("S/doubled", combinator) == 7

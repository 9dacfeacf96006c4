"""Plain asyncio inside handlers: repeated alike by every replay, or refused with a reason."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import rtour
from rtour.protocol import messages as m
from rtour.sdk import attempt as attempt_module
from tests.sdk.peer import CANCEL, AttemptFailedError, Peer

pytestmark = pytest.mark.usefixtures("either_loop")

SECOND = timedelta(seconds=1)
service = rtour.Service("S")

seeds = pytest.mark.parametrize("seed", range(12))
versions = pytest.mark.parametrize("version", [6, 7])


async def double(ctx: rtour.Context, number: int) -> int:
    """A chain of two waits and a write in between."""
    doubled = await ctx.run_typed(f"double {number}", _twice, number=number)
    await ctx.sleep(SECOND, f"nap {number}")
    return await ctx.run_typed(f"again {number}", _twice, number=doubled)


async def _twice(number: int) -> int:
    return number * 2


@service.handler()
async def gathers(ctx: rtour.Context) -> list[int]:
    return list(await asyncio.gather(*(double(ctx, number) for number in range(4))))


@service.handler()
async def groups(ctx: rtour.Context) -> list[int]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(double(ctx, number)) for number in range(4)]
    return [task.result() for task in tasks]


@service.handler()
async def nests(ctx: rtour.Context) -> list[Any]:
    """A gather of gathers, with a task that outlives its first reader."""
    background = asyncio.get_running_loop().create_task(double(ctx, 9))

    async def pair(number: int) -> list[int]:
        return list(await asyncio.gather(double(ctx, number), double(ctx, number + 1)))

    pairs = await asyncio.gather(pair(0), pair(2))
    ctx.service_send(gathers)
    return [*pairs, await background]


@service.handler()
async def queues(ctx: rtour.Context) -> list[int]:
    """A producer and consumers around an asyncio.Queue."""
    queue: asyncio.Queue[int | None] = asyncio.Queue()
    seen: list[int] = []

    async def produce() -> None:
        for number in range(3):
            await ctx.sleep(SECOND)
            await queue.put(number)
        await queue.put(None)

    async def consume() -> None:
        while (number := await queue.get()) is not None:
            seen.append(await double(ctx, number))

    await asyncio.gather(produce(), consume())
    return seen


@service.handler()
async def direct(ctx: rtour.Context) -> list[Any]:
    """Context futures themselves in asyncio.gather, one of them twice."""
    call = ctx.service_call(gathers)
    return list(await asyncio.gather(call, ctx.sleep(SECOND), call))


@seeds
@versions
@pytest.mark.parametrize("name", ["gathers", "groups"])
async def test_tasks_finish_whatever_the_order_and_the_cuts(
    name: str, version: int, seed: int
) -> None:
    """Any order of results, any grouping, any restarts: no mismatch, and the same answer."""
    peer = Peer(service, version=version, seed=seed, cuts=0.3)
    assert await peer.invoke(f"S/{name}") == [0, 4, 8, 12]


@seeds
async def test_nested_tasks_finish(seed: int) -> None:
    """Gathers within gathers and tasks beside them interleave alike in each attempt."""
    peer = Peer(service, seed=seed, cuts=0.3)
    assert await peer.invoke("S/nests") == [[0, 4], [8, 12], 36]


@seeds
async def test_tasks_that_talk_finish(seed: int) -> None:
    """Tasks may wake one another through queues: the chain settles before the next result."""
    peer = Peer(service, seed=seed, cuts=0.3)
    assert await peer.invoke("S/queues") == [0, 4, 8]


@seeds
async def test_context_futures_in_asyncio_gather(seed: int) -> None:
    """What hangs in the official SDK: two completions in one chunk wake both tasks."""
    peer = Peer(service, seed=seed)
    peer.answers = lambda _call: m.Value(b"[1]")
    assert await peer.invoke("S/direct") == [[1], None, [1]]


@seeds
async def test_request_response_makes_progress(seed: int) -> None:
    """Without a stream, every attempt suspends on all its tasks at once."""
    peer = Peer(service, seed=seed, streaming=False)
    assert await peer.invoke("S/gathers") == [0, 4, 8, 12]


async def test_replay_writes_nothing() -> None:
    """The journal is the same after many restarts as after none."""
    smooth, cut = Peer(service, seed=1), Peer(service, seed=1, cuts=0.8)
    await smooth.invoke("S/gathers")
    await cut.invoke("S/gathers")
    assert cut.attempts > smooth.attempts == 1
    assert len(cut.commands()) == len(smooth.commands())


@service.handler()
async def late_starter(ctx: rtour.Context) -> str:
    """A task whose first context call comes some steps after its birth."""

    async def deep(levels: int) -> None:
        if levels:
            async with asyncio.TaskGroup() as group:
                group.create_task(deep(levels - 1))
        else:
            await ctx.run_typed("deep", _twice, number=1)

    task = asyncio.get_running_loop().create_task(deep(6))
    for number in range(3):
        await ctx.run_typed(f"main {number}", _twice, number=number)
    await task
    return "done"


@seeds
async def test_tasks_may_start_late(seed: int) -> None:
    """The handler's own waits do not overtake a task that is still on its way."""
    assert await Peer(service, seed=seed, cuts=0.4).invoke("S/late_starter") == "done"


@service.handler()
async def long_story(ctx: rtour.Context) -> int:
    for number in range(200):
        await ctx.run_typed("step", _twice, number=number)
    return others.count("turn")


others: list[str] = []


async def test_a_long_replay_lets_others_have_a_turn() -> None:
    """Hundreds of steps that are in the journal already do not block the loop."""
    others.clear()
    peer = Peer(service)
    journal: list[m.Message] = []
    for id_ in range(1, 201):
        result = m.Notification(m.MessageType.RUN_COMPLETION, id_, m.Value(b"1"))
        journal += [m.Run(id_, "step"), result]
    peer.journal_at_start = journal

    async def other() -> None:
        while True:
            others.append("turn")
            await asyncio.sleep(0)

    task = asyncio.get_running_loop().create_task(other())
    await asyncio.sleep(0)
    before = len(others)
    assert await peer.invoke("S/long_story") > before
    task.cancel()


# --- what has no order; clocks here are real, and longer than any turn ----------------------------


@service.handler()
async def wall_clock(ctx: rtour.Context) -> str:
    try:
        async with asyncio.timeout(0.05):
            await ctx.awakeable()[1]
    except TimeoutError:
        ctx.service_send(gathers)
    return "went on"


@service.handler()
async def waits_for(ctx: rtour.Context) -> str:
    await asyncio.wait_for(ctx.awakeable()[1], 0.05)
    return "went on"


@service.handler()
async def outside(ctx: rtour.Context) -> str:
    async def elsewhere() -> None:
        await asyncio.sleep(0.05)
        ctx.service_send(gathers)

    async with asyncio.TaskGroup() as group:
        group.create_task(elsewhere())
        await ctx.awakeable()[1]
    return "went on"


@pytest.mark.parametrize(
    ("name", "advice"),
    [("wall_clock", "or_timeout"), ("waits_for", "or_timeout"), ("outside", "ctx.run")],
)
async def test_what_no_replay_could_repeat_is_refused(name: str, advice: str) -> None:
    """Wall clocks and outside wake-ups fail the attempt and say what to use instead."""
    peer = Peer(service)
    task = asyncio.get_running_loop().create_task(peer.invoke(f"S/{name}"))
    await wake_up_by_timer(peer, task)
    with pytest.raises(AttemptFailedError, match=advice):
        await task


async def wake_up_by_timer(peer: Peer, task: asyncio.Task[Any]) -> None:
    """Keep the attempt open until a timer of the loop has had its turn."""
    peer._drive = _until_closed  # type: ignore[method-assign]
    await asyncio.wait([task], timeout=5)


async def _until_closed(attempt: Any) -> None:
    while not attempt.vm.closed:
        await asyncio.sleep(0)
    attempt.on_eof()


@service.handler()
async def alone(ctx: rtour.Context) -> str:
    await asyncio.sleep(0.001)
    await ctx.sleep(SECOND)
    return "fine"


async def test_outside_waits_of_a_lone_task_are_allowed() -> None:
    """With one task there is only one order, whatever wakes it."""
    peer = Peer(service)
    task = asyncio.get_running_loop().create_task(peer.invoke("S/alone"))
    peer._drive = lambda attempt: _answer_sleep(peer, attempt)  # type: ignore[method-assign]
    assert await task == "fine"


async def _answer_sleep(peer: Peer, attempt: Any) -> None:
    while not peer._pending:
        await asyncio.sleep(0)
    attempt.on_data(peer._encoded(peer._arrive()))
    await _until_closed(attempt)


@service.handler()
async def inside(ctx: rtour.ObjectContext) -> str:
    async def effect() -> None:
        ctx.set("k", 1)

    await ctx.run_typed("effect", effect, rtour.RunOptions(max_attempts=1))
    return "went on"


async def test_context_calls_inside_runs_are_refused() -> None:
    """A side effect cannot write the journal; its failure says so."""
    result = await Peer(service).invoke("S/inside")
    assert isinstance(result, m.Failure)
    assert "inside ctx.run" in result.message


# --- suspension and cancellation among tasks -----------------------------------------------------

cleaned_up: list[str] = []


@service.handler()
async def tidy(ctx: rtour.Context) -> str:
    async def worker() -> None:
        try:
            await ctx.sleep(SECOND)
        finally:
            cleaned_up.append("worker")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(worker())
            await ctx.sleep(SECOND)
    finally:
        cleaned_up.append("handler")
    return "done"


async def test_suspension_survives_task_groups_and_finally() -> None:
    """The Suspension frame goes out, however the handler is built; its cleanup runs."""
    cleaned_up.clear()
    peer = Peer(service, streaming=False)
    assert await peer.invoke("S/tidy") == "done"
    assert peer.attempts == 3
    assert cleaned_up == ["worker", "handler"] * 3


@service.handler()
async def hangs(ctx: rtour.Context) -> str:
    """The handler waits for a task which ends without telling."""
    event = asyncio.Event()

    async def worker() -> None:
        await ctx.sleep(SECOND)
        event.set()

    task = asyncio.get_running_loop().create_task(worker())
    try:
        await event.wait()
    finally:
        cleaned_up.append("hangs")
    await task
    return "done"


async def test_a_handler_that_hears_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a suspension no task stays behind, whatever it waits for."""
    monkeypatch.setattr(attempt_module, "_UNWIND_S", 0)
    cleaned_up.clear()
    peer = Peer(service, streaming=False)
    assert await peer.invoke("S/hangs") == "done"
    assert cleaned_up == ["hangs"] * peer.attempts
    assert peer.attempts == 2


@service.handler()
async def swallows(ctx: rtour.Context) -> str:
    try:
        await ctx.sleep(SECOND)
    except BaseException:  # noqa: BLE001 - what must not matter
        return "swallowed"
    return "slept"


async def test_a_swallowed_suspension_changes_nothing() -> None:
    """After its last frame an attempt writes nothing, whatever the handler does."""
    assert await Peer(service, streaming=False).invoke("S/swallows") == "slept"


@service.handler()
async def cancellable(ctx: rtour.Context) -> list[str]:
    heard: list[str] = []

    async def worker(name: str) -> None:
        try:
            await ctx.sleep(SECOND)
        except rtour.CancelledError as error:
            heard.append(f"{name} {error.status_code}")

    await asyncio.gather(worker("a"), worker("b"))
    await ctx.sleep(SECOND)
    return heard


@seeds
async def test_cancellation_interrupts_every_wait_once(seed: int) -> None:
    """Tasks that wait when the cancellation arrives hear of it; later waits do not."""
    peer = Peer(service, seed=seed, cuts=0.3)
    peer.signal(CANCEL)
    heard = await peer.invoke("S/cancellable")
    if isinstance(heard, m.Failure):  # it came late, to the last sleep
        assert heard.code == 409
    else:
        assert heard in (["a 409"], ["b 409"], ["a 409", "b 409"])


async def test_cancellation_first_interrupts_all() -> None:
    """When nothing else has arrived, all tasks hear of it."""
    peer = Peer(service)
    peer._complete = lambda *_: None  # type: ignore[method-assign] - no timer ever fires
    peer.signal(CANCEL)
    task = asyncio.get_running_loop().create_task(peer.invoke("S/cancellable"))
    while not any(entry == CANCEL for entry in peer.journal):
        await asyncio.sleep(0)
    peer._pending.append(m.Notification(m.MessageType.SLEEP_COMPLETION, 3, m.VOID))
    assert await task == ["a 409", "b 409"]

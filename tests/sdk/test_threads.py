"""Threads for closures that block: calls, failures, limits, and their end."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

import pytest

from rtour.sdk.threads import THREADS_MAX, threads_of

color = contextvars.ContextVar("color", default="none")


async def call(function: Callable[[], Any]) -> Any:
    """The function in a thread of this loop, in a copy of this context."""
    return await threads_of(asyncio.get_running_loop()).call(function, copy_context())


def _task(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(work)


def ours() -> set[threading.Thread]:
    """The threads that are there for closures."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("rtour-run")}


async def test_a_call_runs_elsewhere_in_its_context() -> None:
    """Another thread returns the value, and sees the caller's context variables."""
    color.set("red")
    here = threading.get_ident()
    there, seen = await call(lambda: (threading.get_ident(), color.get()))
    assert there != here
    assert seen == "red"


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
async def test_what_a_call_raises_comes_back(error: BaseException) -> None:
    """Also what is no Exception, and the thread goes on."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        await call(fail)
    assert raised.value is error
    assert await call(lambda: 1) == 1


async def test_an_iteration_that_stops_is_an_error() -> None:
    """StopIteration cannot leave a coroutine as it is: it must not hang instead."""
    with pytest.raises(RuntimeError, match="StopIteration"):
        await call(lambda: next(iter(())))


async def test_calls_run_side_by_side_up_to_the_limit() -> None:
    """All threads there may be meet at a barrier; one call more waits for a free one."""
    before = ours()
    barrier = threading.Barrier(THREADS_MAX + 1)
    calls = [_task(call(barrier.wait)) for _ in range(THREADS_MAX)]
    extra = _task(call(lambda: "extra"))
    await asyncio.sleep(0)
    assert len(ours() - before) == THREADS_MAX
    await call_elsewhere(barrier.wait)
    await asyncio.gather(*calls)
    assert await extra == "extra"


async def call_elsewhere(function: Callable[[], Any]) -> None:
    """In a thread that is not counted."""
    await asyncio.to_thread(function)


async def test_a_cancelled_call_keeps_its_thread_busy() -> None:
    """The outcome is dropped; until it is there, others get another thread."""
    go_on = threading.Event()
    stuck = _task(call(go_on.wait))
    await asyncio.sleep(0)
    stuck.cancel()
    assert await call(lambda: "free") == "free"
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await stuck


def test_threads_end_with_their_loop() -> None:
    """A loop that is gone leaves no threads behind, also when one was busy at its end."""
    before, go_on = ours(), threading.Event()

    async def main() -> None:
        busy = _task(call(go_on.wait))
        assert await call(lambda: 1) == 1
        busy.cancel()

    asyncio.run(main())
    made = ours() - before
    assert len(made) == 2
    go_on.set()
    gc.collect()
    for thread in made:
        thread.join(10)
        assert not thread.is_alive()

"""A server as a process: its event loop, its signals, its garbage collector."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable

from rtour.server import allocator
from rtour.server.descriptors import raise_limit
from rtour.server.main import Server
from rtour.server.requests import StorageFailed
from rtour.server.settings import Settings
from rtour.server.tasks import TaskSet

SWITCH_INTERVAL_S = 0.0005
SAME_SIGNAL_S = 0.5


async def serve(settings: Settings, started: Callable[[Server], None]) -> None:
    """Run a server until SIGINT or SIGTERM, or until its disk or data fails: StorageFailed."""
    give_back = allocator.set_up()
    raise_limit()
    tasks = TaskSet()
    async with Server(settings) as server:
        _stop_on_signals(server)
        # A commit in its thread gets the interpreter back soon when its disk has answered.
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        # What is there now stays: the collector need not look at it again and again.
        gc.freeze()
        gc.set_threshold(50_000, 50, 50)
        if give_back is not None:
            tasks.spawn(allocator.keep_small(give_back, allocator.resident_bytes), "allocator")
        started(server)
        await server.stop_requested.wait()
        await tasks.cancel_all()
    if server.failure is not None:
        raise StorageFailed(str(server.failure)) from server.failure


def _stop_on_signals(server: Server) -> None:
    """The first signal stops the server, a later one ends the process: nothing durable is lost.

    Wrappers pass a signal on that the process got already: what comes at once is the same one.
    """
    loop = asyncio.get_running_loop()
    asked_at: float | None = None

    def stop(number: signal.Signals) -> None:
        nonlocal asked_at
        if asked_at is None:
            asked_at = loop.time()
            server.stop_requested.set()
        elif loop.time() - asked_at > SAME_SIGNAL_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)


def run(settings: Settings, started: Callable[[Server], None]) -> None:
    """`serve` on a loop of its own, the fast one where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - not on Windows
    except ImportError:
        asyncio.run(serve(settings, started))
    else:
        uvloop.run(serve(settings, started))

"""Threads for what blocks: the closures of `ctx.run` that are no coroutine functions.

asyncio's own way there goes through `concurrent.futures`, whose futures have locks of their own:
several times the work of a short closure. Here a loop's own thread counts what is under way, a
thread hands its result straight back to the loop, and only the queue between them is locked.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from queue import SimpleQueue
from typing import Any, Final
from weakref import WeakKeyDictionary, finalize

THREADS_MAX: Final = min(32, (os.cpu_count() or 1) + 4)
"""As many as asyncio's own."""

Outcome = tuple[Any, BaseException | None]


class Threads:
    """The threads of one event loop: a new one is made when all others are busy.

    It does not know its loop, and goes with it; then its threads end.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = 0
        self._under_way = 0

    async def call(self, function: Callable[[], Any], context: Context) -> Any:
        """What `function` returns or raises, called in a thread and within `context`.

        Cancelled, it goes on, and its outcome is dropped.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._under_way += 1
        if self._threads < min(self._under_way, THREADS_MAX):
            self._start_thread()
        self._jobs.put(_Job(self, loop, future, function, context))
        value, error = await future
        if error is not None:
            raise error
        return value

    def ended(self, future: asyncio.Future[Outcome], outcome: Outcome) -> None:
        """A thread has done its job."""
        self._under_way -= 1
        if not future.done():
            future.set_result(outcome)

    def _start_thread(self) -> None:
        self._threads += 1
        finalize(self, self._jobs.put, None).atexit = False
        threading.Thread(
            target=_work, args=(self._jobs,), name=f"rtour-run-{self._threads}", daemon=True
        ).start()


class _Job:
    """A call to be made, and where its outcome goes."""

    __slots__ = ("_context", "_function", "_future", "_loop", "_threads")

    def __init__(
        self,
        threads: Threads,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Outcome],
        function: Callable[[], Any],
        context: Context,
    ) -> None:
        self._threads = threads
        self._loop = loop
        self._future = future
        self._function = function
        self._context = context

    def do(self) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            self._loop.call_soon_threadsafe(self._threads.ended, self._future, self._outcome())

    def _outcome(self) -> Outcome:
        try:
            return self._context.run(self._function), None
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            return None, error


def _work(jobs: SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job.do()
        del job  # while it waits a thread holds nothing


_threads: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Threads]] = WeakKeyDictionary()


def threads_of(loop: asyncio.AbstractEventLoop) -> Threads:
    """The threads that belong to a loop."""
    found = _threads.get(loop)
    if found is None:
        found = _threads[loop] = Threads()
    return found

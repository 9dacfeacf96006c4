"""Where a commit waits for the disk, and the threads that wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

from rtour.storage.settings import CommitIn

Failure = BaseException | None
Job = Callable[[], Failure]
Then = Callable[[Failure], None]

# A commit's share in the running mean of commit times.
_SHARE = 0.05
# The disk may have recovered: one commit in so many is tried in the loop again.
_RETRY_LOOP = 500


class Runner(Protocol):
    """Does one job after another, and goes on in the event loop with how each ended."""

    def run(self, job: Job, then: Then) -> None: ...

    def stop(self) -> None:
        """Finish what was asked for."""


class Worker:
    """A runner with a thread of its own."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def run(self, job: Job, then: Then) -> None:
        loop = asyncio.get_running_loop()
        self._jobs.put(lambda: loop.call_soon_threadsafe(then, job()))

    def stop(self) -> None:
        self._jobs.put(None)
        self._thread.join()


class Here:
    """A runner that does it at once; whoever asked is called back when he has returned."""

    def __init__(self, name: str = "") -> None:
        self._name = name

    def run(self, job: Job, then: Then) -> None:
        asyncio.get_running_loop().call_soon(then, job())

    def stop(self) -> None:
        """Nothing is left to do."""


class CommitPlace:
    """Whether the next commit had better wait in the event loop or in a thread."""

    def __init__(self, where: CommitIn, slow_ms: float) -> None:
        self._where = where
        self._slow_ms = slow_ms
        self._mean_ms = 0.0
        self._until_retry = _RETRY_LOOP

    def is_loop(self) -> bool:
        if self._where is not CommitIn.FASTER:
            return self._where is CommitIn.LOOP
        if self._mean_ms <= self._slow_ms:
            return True
        self._until_retry -= 1
        if self._until_retry > 0:
            return False
        self._until_retry = _RETRY_LOOP
        self._mean_ms = self._slow_ms
        return True

    def took(self, ms: float) -> None:
        """A commit waited so long for the disk."""
        self._mean_ms += (ms - self._mean_ms) * _SHARE

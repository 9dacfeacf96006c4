"""The simulated disk: commits take time, fail, and are caught by crashes at every seam.

What is durable belongs to the disk and outlives the server. A commit that a crash finds under way
may have reached the disk or not: nobody was told either way.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from random import Random
from typing import Protocol

from rtour.engine import changes as c
from rtour.storage.memory import MemoryStorage, Tables
from tests.simulation.faults import Faults
from tests.simulation.invariants import Watch

Done = Callable[[BaseException | None], None]
Batch = list[tuple[int, int, list[c.Change]]]


class Host(Protocol):
    """What the disk knows of the world."""

    @property
    def faults(self) -> Faults: ...

    def chance(self, probability: float) -> bool: ...

    def fail(self, what: str) -> None: ...

    def crash(self, how: str) -> None: ...


class Disk:
    """Holds what is durable; `storage()` is the view of one life of the server."""

    def __init__(self, host: Host, random: Random, watch: Watch) -> None:
        self.host = host
        self.random = random
        self.watch = watch
        self.durable = Tables()

    def in_place(self) -> AbstractContextManager[None]:
        """While the world lasts."""
        return nullcontext()

    def storage(self) -> SimulatedStorage:
        return SimulatedStorage(self)

    def latency_s(self) -> float:
        if self.host.chance(self.host.faults.slow_commit):
            return self.random.uniform(0.1, 3.0)
        return self.random.choice((0.0, 0.0005, 0.002))

    def failure(self) -> OSError | None:
        """How the next commit fails, if it does."""
        if not self.host.chance(self.host.faults.commit_fails):
            return None
        code = self.random.choice((errno.ENOSPC, errno.EIO))
        return OSError(code, os.strerror(code))


class SimulatedStorage(MemoryStorage):
    """A `Storage` for one life."""

    path = Path("/nowhere")  # for SQL, which reads files and is no part of the simulation

    def __init__(self, disk: Disk) -> None:
        super().__init__(disk.durable)
        self._disk = disk
        self._flight: Batch = []
        self._dead = False

    def write(self, changes: Iterable[c.Change], *, sequence: int, at: int) -> None:
        if self._dead:
            return
        batch = list(changes)
        self._disk.watch.record(self.working, sequence, at)
        for change in batch:
            self._disk.watch.before(self.working, change)
            self.working.apply(change)
        self._disk.watch.after(self.working, batch)
        self._open.append((sequence, at, batch))

    def commit(self, done: Done) -> None:
        assert not self._committing, "one commit at a time"
        if self._dead:
            return
        self._committing = True
        self._flight, self._open = self._open, []
        loop = asyncio.get_running_loop()
        loop.call_later(self._disk.latency_s(), self._land, done)

    def _land(self, done: Done) -> None:
        host, faults = self._disk.host, self._disk.host.faults
        if self._dead:
            return
        if host.chance(faults.crash_before_commit):
            self._flight = []
            host.crash("before a commit")
            return
        failure = self._disk.failure()
        # A failed fsync says nothing about what is on the disk.
        if failure is None or (failure.errno == errno.EIO and host.chance(0.5)):
            self._store()
        self._flight = []
        if host.chance(faults.crash_after_commit):
            host.crash("after a commit")
            return
        self._committing = False
        done(failure)

    def _store(self) -> None:
        try:
            for sequence, at, changes in self._flight:
                for change in changes:
                    self.durable.apply(change)
                self.durable.sequence, self.durable.at = sequence, at
        except AssertionError as error:
            self._disk.host.fail(f"what is committed makes sense: {error}")

    def die(self) -> None:
        """The process is gone. What it was writing is there as a whole or not at all."""
        if self._dead:
            return
        self._dead = True
        if self._flight and self._disk.host.chance(0.5):
            self._store()
        self._flight = []

    def close(self) -> None:
        self.die()

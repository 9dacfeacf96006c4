"""The real SQLite storage under the simulated faults.

A crash leaves the files as a power cut may: all that was synced, and of the commit under way some
beginning, perhaps with a page missing in its middle; the same of the write-ahead log, which is
synced seldom; and any pages of what was folded into the database since that was synced. Some lives
end in order, and then the power fails. The next life opens those files. What it finds must be what
the shadow in memory holds: every commit that was acknowledged, none in halves. And in a copy that
is damaged on top it must find the damage. Others read the files all the while.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import errno
import functools
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from unittest import mock

from msgspec.structs import replace

from rtour.engine import changes as c
from rtour.engine.model import Entry, Invocation, Timer
from rtour.engine.view import View
from rtour.storage import Recovered
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import SqliteStorage
from rtour.storage.threads import Failure, Here, Job, Then
from tests.simulation import rot
from tests.simulation.disk import Disk, Done, Host, SimulatedStorage
from tests.simulation.invariants import Watch
from tests.simulation.power import Synced, Syncs
from tests.simulation.sqlite_files import (
    DATABASE,
    LEDGER,
    LOG,
    NAMES,
    Files,
    cut_off,
    differences,
    first_commit_end,
    folded_in_part,
)
from tests.simulation.sqlite_readers import Moment, Readers, wrong_copy

SETTINGS = SqliteSettings(
    commit_in=CommitIn.LOOP,  # threads would not repeat
    readers_wait_s=0,  # it would be real time
    cache_items=40,  # so few that rows are read again
    volume_bytes=24 * 1024,  # four commits
    step_bytes=16 * 1024,
    checkpoint_rows=1 << 60,  # at the simulation's own times
)
UNSYNCED = replace(SETTINGS, sync=False)  # of copies, which no power cut meets
LARGE_BYTES = (0, 500, 1 << 20, 1 << 20)  # of a life: all commits go past the ledger, few, none
CHECKPOINT_CHANCE = 0.1
COPY_CHANCE = 0.05
COPY_COMMITS = 8  # come while a copy is made, at most
END_CHANCE = 0.3


class Fate(enum.Enum):
    """What becomes of a commit."""

    LANDS = enum.auto()
    FAILS = enum.auto()
    FAILS_LATE = enum.auto()
    """It is on the disk, but its sync failed: nobody may count on it."""
    IS_NOT_CARRIED = enum.auto()
    """It is in the ledger, but the database takes nothing any more."""
    CRASH_BEFORE = enum.auto()
    CRASH_AFTER = enum.auto()


class SqliteDisk(Disk):
    """A folder per life, begun with what the last crash left."""

    def __init__(self, host: Host, random: Random, watch: Watch, root: Path) -> None:
        super().__init__(host, random, watch)
        self._root = root
        self._lives = 0
        self.left: Files = {}
        self.left_in_fold = False
        self.syncs = Syncs()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        with (
            mock.patch("rtour.storage.writer.datasync", self.syncs),
            mock.patch("rtour.storage.ledger.writing.datasync", self.syncs),
        ):
            yield

    def storage(self) -> SqliteSimulatedStorage:
        self._lives += 1
        folder = self._root / str(self._lives)
        self._rot()
        folder.mkdir()
        for name, content in self.left.items():
            (folder / name).write_bytes(content)
        return SqliteSimulatedStorage(self, folder)

    def _rot(self) -> None:
        """A copy of what the last life left is damaged; that must not go unsaid."""
        if not self.left:
            return
        # Dice of its own: the world is the same with damage and without.
        random = Random(f"{zlib.crc32(self.left['rtour.db'])} {self._lives}")
        folder = self._root / f"{self._lives}-rotten"
        compared = functools.partial(differences, tables=self.durable)
        places = dict.fromkeys(NAMES, 0)
        if self.left_in_fold:  # without the first commit, the log is none: docs/durability.md
            places[LOG] = first_commit_end(self.left[LOG])
        wrong = rot.served(self.left, folder, UNSYNCED, compared, random, places)
        if wrong:
            self.host.fail(f"no damage goes unsaid: {wrong[:3]}")


class SqliteSimulatedStorage(SimulatedStorage):
    """Reads come from SQLite, the shadow in memory says what they should be."""

    def __init__(self, disk: SqliteDisk, folder: Path) -> None:
        super().__init__(disk)
        self._sqlite_disk = disk
        settings = replace(SETTINGS, large_bytes=disk.random.choice(LARGE_BYTES))
        self.path = folder / DATABASE
        self._dice = Random(disk.random.getrandbits(64))
        self._readers = Readers(self.path, self._dice)
        if disk.left:
            self._readers.come_before()
        self._before = self._files()  # of the commit under way, or the start
        self._real = SqliteStorage(folder, settings, workers=partial(SimulatedRunner, self))
        different = differences(self._real, disk.durable)
        if different:
            disk.host.fail(f"the file holds what was committed: {different[:3]}")
        self.is_asked = False  # for a commit, whose job comes next
        self._written: Files = {}  # by the commit
        self._is_direct = False
        self._is_harmed = False
        self._fate = Fate.LANDS
        self._torn_files: Files = {}
        self._synced = Synced(self.path, self._before, disk.syncs)
        self._synced.checkpoint(self._before, self._files())
        self._moments: deque[Moment] = deque(maxlen=COPY_COMMITS)
        self._end: Callable[[], None] = self._real.close

    # --- reads -----------------------------------------------------------------------------------

    @property
    def view(self) -> View:
        return self._real.view

    def recover(self) -> Recovered:
        return self._real.recover()

    def running_after(self, number: int, limit: int) -> list[Invocation]:
        return self._real.running_after(number, limit)

    def stored(self, number: int) -> Invocation | None:
        return self._real.stored(number)

    def journal(self, invocation: Invocation) -> list[Entry]:
        return self._real.journal(invocation)

    def object_state(
        self, service: str, key: str, *, committed: bool, bytes_max: int | None = None
    ) -> dict[bytes, bytes]:
        return self._real.object_state(service, key, committed=committed, bytes_max=bytes_max)

    def timers_after(self, after: Timer | None, limit: int) -> list[Timer]:
        return self._real.timers_after(after, limit)

    def expired(self, at: int, limit: int) -> list[tuple[str, bool]]:
        return self._real.expired(at, limit)

    async def carried(self) -> None:
        await self._real.carried()

    # --- commits ---------------------------------------------------------------------------------

    def write(self, changes: Iterable[c.Change], *, sequence: int, at: int) -> None:
        if self._dead:
            return
        batch = list(changes)
        super().write(batch, sequence=sequence, at=at)
        self._real.write(batch, sequence=sequence, at=at)

    def commit(self, done: Done) -> None:
        if self._dead:
            return
        assert not self._committing, "one commit at a time"
        self._committing = True
        self._flight, self._open = self._open, []
        self._before = self._files()
        self._fate = self._draw()
        self._is_harmed |= self._fate in (Fate.FAILS, Fate.FAILS_LATE, Fate.IS_NOT_CARRIED)
        self.is_asked = True
        self._real.commit(partial(self._told, done))
        self.is_asked = False

    def carry_out(self, job: Job, then: Then, *, direct: bool) -> None:
        """A commit: as in a thread, the files have it before anybody is told.

        A direct one goes past the ledger.
        """
        if self._fate in (Fate.FAILS, Fate.IS_NOT_CARRIED):
            self._real._writer._connection.execute("PRAGMA query_only = ON").fetchall()
        ledger = self._real._ledger
        assert ledger is not None
        if self._fate is Fate.FAILS:
            os.close(ledger._volume.file)
            ledger._volume.file = os.open(self.path, os.O_RDONLY)
        failure = job()
        self._written, self._is_direct = self._files(), direct
        self._moments.append(Moment(self._written, self.durable.sequence))
        if self._fate is Fate.FAILS_LATE:
            failure = OSError(errno.EIO, os.strerror(errno.EIO))
        delay_s = 0.0 if failure is not None else self._disk.latency_s()
        asyncio.get_running_loop().call_later(delay_s, self._finish, then, failure)

    def tidy(self, job: Job, then: Then) -> None:
        """The write-ahead log is synced, so that the ledger may use a volume again.

        Perhaps it is folded in, too, and perhaps the power fails meanwhile.
        """
        if self._dead:
            return
        host, before = self._disk.host, self._files()
        failure = job()
        after = self._files()
        folded_in = before[DATABASE] != after[DATABASE]
        if folded_in and host.chance(host.faults.crash_in_checkpoint):
            self._torn_files = after | folded_in_part(before, after, self._disk.random)
            host.crash("while the log is folded in")
            return
        self._synced.checkpoint(before, after)
        asyncio.get_running_loop().call_later(self._disk.latency_s(), then, failure)

    def _draw(self) -> Fate:
        faults, chance = self._disk.host.faults, self._disk.host.chance
        failure = self._disk.failure()
        if failure is not None:
            if failure.errno == errno.EIO:
                return Fate.FAILS_LATE if chance(0.5) else Fate.FAILS
            return Fate.IS_NOT_CARRIED if chance(0.5) else Fate.FAILS
        if chance(faults.crash_before_commit):
            return Fate.CRASH_BEFORE
        return Fate.CRASH_AFTER if chance(faults.crash_after_commit) else Fate.LANDS

    def _finish(self, then: Then, failure: Failure) -> None:
        if self._dead:
            return
        if self._fate is Fate.CRASH_BEFORE:
            self._disk.host.crash("before a commit")
            return
        if failure is None or self._fate is Fate.FAILS_LATE:
            self._reach_the_disk()
        self._flight = []
        if self._fate is Fate.CRASH_AFTER:
            self._disk.host.crash("after a commit")
            return
        if failure is None and self._disk.random.random() < CHECKPOINT_CHANCE:
            self._real._writer._rows = SETTINGS.checkpoint_rows
        then(failure)

    def _reach_the_disk(self) -> None:
        self._store()
        if self._is_direct:
            self._synced.log(self._written[LOG])

    def _told(self, done: Done, failure: Failure) -> None:
        if self._dead:
            return
        if failure is not None and not self._is_harmed:
            self._disk.host.fail(f"commits fail only with the disk: {failure!r}")
        if self._flight and failure is None:  # what cancels itself out was never on its way
            self._store()
        self._flight = []
        self._committing = False
        if failure is None:
            self._read_beside()
        done(failure)

    def _read_beside(self) -> None:
        """What others do meanwhile."""
        self._readers.come_and_go()
        if self._moments and self._dice.random() < COPY_CHANCE:
            wrong = wrong_copy(self.path, self._moments, self.durable, UNSYNCED, self._dice)
            if wrong:
                self._disk.host.fail(f"a copy has all that there was: {wrong[:3]}")

    # --- the end ---------------------------------------------------------------------------------

    def die(self) -> None:
        if self._dead:
            return
        self._dead = True
        is_open = bool(self._flight) and self._fate is not Fate.FAILS
        has_landed = is_open and self._fate is not Fate.CRASH_BEFORE and self._disk.host.chance(0.5)
        if has_landed:
            self._reach_the_disk()
        if not (self._committing or self._is_harmed or self._torn_files):
            self._end_in_order()
        now = self._files()
        files = self._torn_files or self._with_power_cut(now)
        if is_open and not has_landed:
            files |= self._torn_commit()
        self._flight = []
        self._sqlite_disk.left = files
        self._sqlite_disk.left_in_fold = files[DATABASE] != now[DATABASE]

    def _torn_commit(self) -> Files:
        """What has not arrived whole of the commit under way, and nothing that came behind it."""
        old, new = self._before, self._written
        if self._is_direct:
            log = cut_off(old.get(LOG, b""), new[LOG], self._disk.random)
            return {name: old[name] for name in LEDGER} | {LOG: log}
        changed = [name for name in LEDGER if old[name] != new[name]]
        return {name: cut_off(old[name], new[name], self._disk.random) for name in changed}

    def _end_in_order(self) -> None:
        """A clean end, now and then. What still reads in this life does so until it is buried."""
        if self._dice.random() >= END_CHANCE:
            return
        reader = self._real._reader
        self._end = reader.close
        with mock.patch.object(reader, "close", self._fold_in_at_the_end):
            self._real.close()

    def _fold_in_at_the_end(self) -> None:
        """SQLite does when its last connection is closed, and the power may fail meanwhile."""
        self._before = before = self._files()
        if self._readers:
            return
        self._real._writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        after = self._files()
        self._synced.checkpoint(before, after)
        host = self._disk.host
        folded_in = before[DATABASE] != after[DATABASE]
        if folded_in and host.chance(host.faults.crash_in_checkpoint):
            self._torn_files = before | folded_in_part(before, after, self._disk.random)

    def _with_power_cut(self, files: Files) -> Files:
        """What was never synced is lost in part; of a kill the system keeps all."""
        random = self._disk.random
        if random.random() < 0.5:
            return files
        files = self._synced.cut(files, random)
        if self._end != self._real.close:  # the ledger was retired
            files |= {name: cut_off(self._before[name], files[name], random) for name in LEDGER}
        return files

    def close(self) -> None:
        self.die()
        self._readers.close()
        self._end()

    def _files(self) -> Files:
        folder = self.path.parent
        return {name: (folder / name).read_bytes() for name in NAMES if (folder / name).exists()}


class SimulatedRunner(Here):
    """A thread of the real storage, whose jobs take simulated time."""

    def __init__(self, storage: SqliteSimulatedStorage, name: str) -> None:
        super().__init__(name)
        self._storage = storage

    def run(self, job: Job, then: Then) -> None:
        if self._storage.is_asked:
            self._storage.carry_out(job, then, direct=self._name == "rtour-store")
        else:
            self._storage.tidy(job, then)

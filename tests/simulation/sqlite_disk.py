"""The real SQLite storage under the simulated faults.

A crash leaves the files as a power cut may: all that was synced, and of the commit under way some
beginning, perhaps with a page missing in its middle. The next life opens those files. What it finds
must be what the shadow in memory holds: every commit that was acknowledged, none in halves. And in
a copy that is damaged on top it must find the damage.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import errno
import functools
import os
import sqlite3
import zlib
from collections.abc import Iterable
from pathlib import Path
from random import Random

from rtour.engine import changes as c
from rtour.engine.model import Entry, Invocation, Timer
from rtour.engine.view import View
from rtour.storage import Recovered
from rtour.storage.memory import Tables
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import SqliteStorage
from tests.simulation import rot
from tests.simulation.disk import Disk, Done, Host, SimulatedStorage
from tests.simulation.invariants import Watch

SETTINGS = SqliteSettings(
    commit_in=CommitIn.LOOP,  # threads would not repeat
    sync=False,  # the files are on a memory disk, and power cuts are made here
    cache_items=40,  # so few that rows are read again
    log_step_bytes=16 * 1024,
    checkpoint_rows=1 << 60,  # at the simulation's own times
)
PAGE_BYTES = 4096
CHECKPOINT_CHANCE = 0.1
ALL = 1 << 30

Files = dict[str, bytes]


class Fate(enum.Enum):
    """What becomes of a commit."""

    LANDS = enum.auto()
    FAILS = enum.auto()
    FAILS_LATE = enum.auto()
    """It is on the disk, but its sync failed: nobody may count on it."""
    CRASH_BEFORE = enum.auto()
    CRASH_AFTER = enum.auto()


class SqliteDisk(Disk):
    """A folder per life, begun with what the last crash left."""

    def __init__(self, host: Host, random: Random, watch: Watch, root: Path) -> None:
        super().__init__(host, random, watch)
        self._root = root
        self._lives = 0
        self.left: Files = {}

    def storage(self) -> SqliteSimulatedStorage:
        self._lives += 1
        folder = self._root / str(self._lives)
        self._rot()
        folder.mkdir()
        for name, content in self.left.items():
            (folder / name).write_bytes(content)
        real = SqliteStorage(folder, SETTINGS)
        different = differences(real, self.durable)
        if different:
            self.host.fail(f"the file holds what was committed: {different[:3]}")
        return SqliteSimulatedStorage(self, real)

    def _rot(self) -> None:
        """A copy of what the last life left is damaged; that must not go unsaid."""
        if not self.left:
            return
        # Dice of its own: the world is the same with damage and without.
        random = Random(f"{zlib.crc32(self.left['rtour.db'])} {self._lives}")
        folder = self._root / f"{self._lives}-rotten"
        compared = functools.partial(differences, tables=self.durable)
        wrong = rot.served(self.left, folder, SETTINGS, compared, random)
        if wrong:
            self.host.fail(f"no damage goes unsaid: {wrong[:3]}")


class SqliteSimulatedStorage(SimulatedStorage):
    """Reads come from SQLite, the shadow in memory says what they should be."""

    def __init__(self, disk: SqliteDisk, real: SqliteStorage) -> None:
        super().__init__(disk)
        self.path = real.path
        self._sqlite_disk = disk
        self._real = real
        self._before: Files = {}
        self._fate = Fate.LANDS
        self._torn_files: Files = {}

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
        if self._fate is Fate.FAILS:
            self._real._writer._connection.execute("PRAGMA query_only = ON").fetchall()
        batch = self._real._working.seal()
        error = None if batch.is_empty else self._real._writer.commit(batch)
        if self._fate is Fate.FAILS_LATE:
            error = OSError(errno.EIO, os.strerror(errno.EIO))
        # As in a thread: the file has the batch before anybody is told.
        delay_s = 0.0 if error is not None else self._disk.latency_s()
        asyncio.get_running_loop().call_later(delay_s, self._finish, done, error)

    def _draw(self) -> Fate:
        faults, chance = self._disk.host.faults, self._disk.host.chance
        failure = self._disk.failure()
        if failure is not None:
            late = failure.errno == errno.EIO and chance(0.5)
            return Fate.FAILS_LATE if late else Fate.FAILS
        if chance(faults.crash_before_commit):
            return Fate.CRASH_BEFORE
        return Fate.CRASH_AFTER if chance(faults.crash_after_commit) else Fate.LANDS

    def _finish(self, done: Done, error: BaseException | None) -> None:
        if self._dead:
            return
        if self._fate is Fate.CRASH_BEFORE:
            self._disk.host.crash("before a commit")
            return
        if self._fate is not Fate.FAILS:
            self._store()
        self._flight = []
        if self._fate is Fate.CRASH_AFTER:
            self._disk.host.crash("after a commit")
            return
        if self._disk.random.random() < CHECKPOINT_CHANCE and not self._folds_in():
            return
        self._committing = False
        self._real._settle(done, error)

    def _folds_in(self) -> bool:
        """Write the log's pages into the database. False if the power fails meanwhile."""
        host, before = self._disk.host, self._files()
        self._real._writer._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        if not host.chance(host.faults.crash_in_checkpoint):
            return True
        self._torn_files = folded_in_part(before, self._files(), self._disk.random)
        host.crash("while the log is folded in")
        return False

    # --- the end ---------------------------------------------------------------------------------

    def die(self) -> None:
        if self._dead:
            return
        self._dead = True
        files = self._torn_files or self._files()
        if self._flight and self._fate is not Fate.FAILS:
            if self._fate is not Fate.CRASH_BEFORE and self._disk.host.chance(0.5):
                self._store()
            else:
                files = torn(self._before, files, self._disk.random)
        self._flight = []
        self._sqlite_disk.left = files

    def close(self) -> None:
        self.die()
        self._real.close()

    def _files(self) -> Files:
        folder = self.path.parent
        names = ("rtour.db", "rtour.db-wal")
        return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}


def torn(before: Files, after: Files, random: Random) -> Files:
    """The files when power fails during a commit: not all of its pages have arrived."""
    wal = "rtour.db-wal"
    new = after.get(wal, b"")
    old = before.get(wal, b"").ljust(len(new), b"\0")  # as its room is made longer
    if old == new:  # changes that cancel each other out
        return before
    first, last = _difference(old, new)
    kept = random.randint(first, last)
    content = bytearray(new[:kept] + old[kept:])
    if kept - first > 2 * PAGE_BYTES and random.random() < 0.5:
        hole = random.randrange(first, kept - PAGE_BYTES)
        content[hole : hole + PAGE_BYTES] = bytes(PAGE_BYTES)
    return before | {wal: bytes(content)}


def folded_in_part(before: Files, after: Files, random: Random) -> Files:
    """The files when power fails in a checkpoint: some pages of the database are still the old.

    The log is whole: it is begun anew only once the database is synced.
    """
    database = "rtour.db"
    old, new = before[database], after[database]
    pages = [
        (new if random.random() < 0.5 else old)[at : at + PAGE_BYTES]
        for at in range(0, len(new), PAGE_BYTES)
    ]
    while pages and not pages[-1]:  # the end has not arrived
        pages.pop()
    return before | {database: b"".join(page.ljust(PAGE_BYTES, b"\0") for page in pages)}


def _difference(old: bytes, new: bytes) -> tuple[int, int]:
    """The first and the last byte in which they differ; they are equally long."""
    first = next(at for at in range(len(new)) if old[at] != new[at])
    last = next(at for at in range(len(new) - 1, -1, -1) if old[at] != new[at])
    return first, last


def differences(real: SqliteStorage, tables: Tables) -> list[str]:
    """What the file says otherwise than the shadow."""
    view, found = real.view, []
    for invocation in tables.invocations.values():
        if view.invocation(invocation.id) != invocation:
            found.append(f"{invocation} is stored as {view.invocation(invocation.id)}")
        elif view.entries(invocation) != tables.journals.get(invocation.number, []):
            found.append(f"the journal of {invocation.id}")
    for (service, key), state in tables.states.items():
        if view.all_state(service, key) != state:
            found.append(f"the state of {service}/{key}")
    for (service, key), holder in tables.locks.items():
        if view.lock(service, key) != holder:
            found.append(f"the lock of {service}/{key}")
    for (service, key), inbox in tables.inboxes.items():
        if {item.sequence: item for item in view.inbox(service, key)} != inbox:
            found.append(f"the inbox of {service}/{key}")
    if real.timers_after(None, ALL) != sorted(tables.timers):
        found.append("the timers")
    return found + _too_much(real.path, tables)


def _too_much(path: Path, tables: Tables) -> list[str]:
    """Rows that nobody wrote, or that should be gone."""
    expected = {
        "invocation": len(tables.invocations),
        "journal": sum(map(len, tables.journals.values())),
        "event": sum(map(len, tables.events.values())),
        "lock": len(tables.locks),
        "inbox": sum(map(len, tables.inboxes.values())),
        "state": sum(map(len, tables.states.values())),
        "promise": sum(map(len, tables.promises.values())),
        "timer": len(tables.timers),
        "document": len(tables.documents),
    }
    with contextlib.closing(sqlite3.connect(path)) as connection:
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in expected
        }
    return [
        f"{counts[table]} rows of {table} instead of {expected[table]}"
        for table in expected
        if counts[table] != expected[table]
    ]

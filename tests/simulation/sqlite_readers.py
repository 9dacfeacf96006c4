"""Who else reads the files of a running server: SQL, `rtour doctor`, backups.

A transaction that reads keeps SQLite from folding its log in, or from beginning it anew, for as
long as it lasts. A backup takes its time, and commits come in between.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import deque
from pathlib import Path
from random import Random
from unittest import mock

import msgspec

from rtour.storage.checking import read_only
from rtour.storage.copies import backup
from rtour.storage.failures import StorageError
from rtour.storage.ledger import reading
from rtour.storage.memory import Tables
from rtour.storage.settings import SqliteSettings
from rtour.storage.sqlite import SqliteStorage
from tests.simulation.sqlite_files import PAGE_BYTES, Files, differences

READERS_MAX = 2
BEGINS = 0.05  # each after a commit
ENDS = 0.1
AT_START = 0.3
FOLDED_AT_START = 0.5
PACES = (0.0, 0.0, 0.5)  # of a read: how likely a commit comes before its next page


class Readers:
    """Those of one life. They may be there before it, and stay to its end."""

    def __init__(self, database: Path, random: Random) -> None:
        self._database = database
        self._random = random
        self._open: list[sqlite3.Connection] = []

    def __bool__(self) -> bool:
        return bool(self._open)

    def come_before(self) -> None:
        """Read what the last life left, perhaps since it lived: then its log may be folded in."""
        if self._random.random() < AT_START:
            self._begin()
            if self._random.random() < FOLDED_AT_START:
                with contextlib.closing(sqlite3.connect(self._database)) as connection:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def come_and_go(self) -> None:
        if self._open and self._random.random() < ENDS:
            self._open.pop(self._random.randrange(len(self._open))).close()
        if len(self._open) < READERS_MAX and self._random.random() < BEGINS:
            self._begin()

    def _begin(self) -> None:
        reader = read_only(self._database)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        self._open.append(reader)

    def close(self) -> None:
        for reader in self._open:
            reader.close()
        self._open = []


class Moment(msgspec.Struct, frozen=True):
    """The ledger's files as they once were, and the last sequence that was acknowledged then."""

    files: Files
    sequence: int


class SlowRead:
    """Takes the place of `reading._read`: from page to page, what is read may be a later one."""

    def __init__(self, moments: list[Moment], random: Random) -> None:
        self._moments = moments
        self._random = random
        self._at = 0

    def __call__(self, path: Path, length: int = -1) -> bytes:
        content, pace = b"", self._random.choice(PACES)
        while length < 0 or len(content) < length:
            while self._at < len(self._moments) - 1 and self._random.random() < pace:
                self._at += 1
            file = self._moments[self._at].files.get(path.name, b"")
            page = file[len(content) : len(content) + PAGE_BYTES]
            if not page:
                break
            content += page
        return content


def wrong_copy(
    database: Path,
    moments: deque[Moment],
    tables: Tables,
    settings: SqliteSettings,
    random: Random,
) -> list[str]:
    """Make a backup that began at the first of the `moments`; what it does not have, or in part.

    It must have all that was acknowledged when it began, and no half of what came since.
    """
    folder = database.parent.with_name(f"{database.parent.name}-copy")
    with contextlib.ExitStack() as stack:
        folder.mkdir()
        stack.callback(_remove, folder)
        slow = SlowRead(list(moments), random)
        try:
            with mock.patch.object(reading, "_read", slow):
                backup(database.parent, folder / database.name)
            copied = SqliteStorage(folder, settings)
        except StorageError as error:
            return [str(error)]
        stack.callback(copied.close)
        place = copied.recover().last_sequence
        if place < moments[0].sequence:
            return [f"record {moments[0].sequence} was acknowledged before, its last is {place}"]
        return differences(copied, tables) if place == tables.sequence else []


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()

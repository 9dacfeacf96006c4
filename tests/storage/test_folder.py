"""The data folder: one owner, plain refusals, nothing lost by a crash."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlite_utils

from rtour.engine import changes as c
from rtour.engine.model import Invocation, Status
from rtour.storage import Recovered
from rtour.storage.failures import (
    DamagedError,
    FolderError,
    FolderInUseError,
    ForeignFileError,
    NewerSchemaError,
)
from rtour.storage.schema import MIGRATIONS
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import SqliteStorage

from . import values as v


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def storage(folder: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(folder)
    yield storage
    storage.close()


def recovered(folder: Path) -> tuple[Recovered, list[Invocation]]:
    """The place in the log, and what ran."""
    storage = SqliteStorage(folder)
    try:
        return storage.recover(), storage.running_after(0, 1000)
    finally:
        storage.close()


# --- the folder ----------------------------------------------------------------------------------


async def test_a_second_server_is_refused_and_told_who_has_the_folder(
    storage: SqliteStorage, folder: Path
) -> None:
    """The message names the process that must stop first."""
    with pytest.raises(FolderInUseError, match=f"process id {os.getpid()}"):
        SqliteStorage(folder)


def test_a_folder_is_free_again_after_its_server(folder: Path) -> None:
    """Closing lets go of the folder; the lock file staying behind does not matter."""
    SqliteStorage(folder).close()
    assert (folder / "lock").exists()
    SqliteStorage(folder).close()


def test_only_the_owner_can_read_what_is_stored(folder: Path) -> None:
    """The folder is 0700 and each file in it 0600, the log beside the database included."""
    storage = SqliteStorage(folder)
    asyncio.run(v.fill(storage, 1, 1))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {path.name for path in folder.iterdir()}
    assert {"rtour.db", "rtour.db-wal", "lock"} <= names
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    storage.close()


async def test_other_tools_read_the_file(storage: SqliteStorage) -> None:
    """sqlite-utils sees tables and rows while the server runs."""
    await v.fill(storage, 1, 3)
    database = sqlite_utils.Database(storage.path)
    assert {"invocation", "journal", "state", "timer"} <= set(database.table_names())
    assert [row["id"] for row in database["invocation"].rows] == ["inv_1", "inv_2", "inv_3"]
    database.close()


# --- files that cannot be used -------------------------------------------------------------------


def test_a_later_schema_is_refused(folder: Path) -> None:
    """An older rtour does not touch what a newer one wrote."""
    SqliteStorage(folder).close()
    later = len(MIGRATIONS) + 1
    connection = sqlite3.connect(folder / "rtour.db")
    connection.execute(f"PRAGMA user_version = {later}")
    connection.close()
    with pytest.raises(NewerSchemaError, match=f"schema version {later}"):
        SqliteStorage(folder)


def test_a_foreign_database_is_refused(folder: Path) -> None:
    """A database of something else is left alone."""
    folder.mkdir()
    connection = sqlite3.connect(folder / "rtour.db")
    connection.execute("CREATE TABLE songs (name)")
    connection.close()
    with pytest.raises(ForeignFileError):
        SqliteStorage(folder)
    assert v.rows(folder / "rtour.db", "SELECT name FROM sqlite_schema") == [("songs",)]


def test_what_is_no_database_is_called_damaged(folder: Path) -> None:
    """The refusal says what to do, and the folder is not kept locked."""
    folder.mkdir()
    (folder / "rtour.db").write_bytes(b"these bytes are not a database, not at all" * 100)
    for _ in range(2):
        with pytest.raises(DamagedError, match="restore a backup"):
            SqliteStorage(folder)


async def test_a_file_that_lost_its_end_is_called_damaged(folder: Path) -> None:
    """Pages that should be there and are not: a refusal at start, no guesswork."""
    storage = SqliteStorage(folder)
    await v.fill(storage, 1, 300)
    storage.close()
    path = folder / "rtour.db"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DamagedError):
        SqliteStorage(folder)


async def test_a_page_of_garbage_is_called_damaged_by_whoever_reads_it(folder: Path) -> None:
    """Damage behind a sound header shows as itself, not as missing rows."""
    storage = SqliteStorage(folder)
    await v.fill(storage, 1, 300)
    storage.close()
    path = folder / "rtour.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(DamagedError):
        recovered(folder)


async def test_a_torn_last_commit_is_as_if_it_had_not_been(folder: Path) -> None:
    """Half a commit at the end of the ledger is dropped; those before it are whole."""
    storage = SqliteStorage(folder, SqliteSettings(carry_after_s=60))
    ledger = folder / "rtour.db-ledger-0"
    await v.fill(storage, 1, 10)
    whole = len(ledger.read_bytes().rstrip(b"\0"))
    for number in range(11, 61):
        storage.write([c.PutInvocation(v.invocation(number))], sequence=number, at=number)
    await v.durable(storage)
    torn = folder.parent / "torn"
    shutil.copytree(folder, torn)
    storage.close()
    content = ledger.read_bytes().rstrip(b"\0")
    (torn / ledger.name).write_bytes(content[: (whole + len(content)) // 2])
    restored, running = recovered(torn)
    assert restored.last_sequence == 10
    assert [invocation.number for invocation in running] == list(range(1, 11))


# --- restarts ------------------------------------------------------------------------------------


async def test_recovery_yields_what_ran_and_nothing_else(folder: Path) -> None:
    """Invoked ones come back in order with the place in the log; the others stay on disk."""
    storage = SqliteStorage(folder)
    for number, status in enumerate(Status, 1):
        invocation = v.invocation(number, status=status)
        storage.write([c.PutInvocation(invocation)], sequence=number, at=number * 10)
    await v.committed(storage)
    storage.close()
    found, running = recovered(folder)
    assert [invocation.status for invocation in running] == [Status.INVOKED]
    assert (found.last_sequence, found.last_at) == (len(Status), len(Status) * 10)


WRITER = """
import asyncio, sys
from pathlib import Path
from rtour.engine import changes as c
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import SqliteStorage
from tests.storage import values as v

async def main(folder, where):
    settings = SqliteSettings(commit_in=CommitIn(where), checkpoint_rows=50)
    storage = SqliteStorage(Path(folder), settings)
    number = 0
    while True:
        for _ in range(5):
            number += 1
            made = v.invocation(number, journal_length=1)
            changes = [
                c.PutInvocation(made),
                *v.journal(made, v.entry(0)),
                c.PutState("Count", "", b"n", str(number).encode()),
            ]
            storage.write(changes, sequence=number, at=number)
        await v.committed(storage)
        print(number, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("where", [CommitIn.LOOP, CommitIn.THREAD])
def test_a_killed_writer_keeps_all_it_acknowledged_and_no_part_of_a_record(
    folder: Path, where: CommitIn
) -> None:
    """After kill -9 between commits, rows of all tables end with the same whole batch."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), where.value],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as writer:
        assert writer.stdout is not None
        for _ in range(40):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        acknowledged = [int(line) for line in writer.stdout.read().splitlines()]
    last_acknowledged = acknowledged[-1] if acknowledged else 40 * 5
    storage = SqliteStorage(folder)
    found = storage.recover()
    running = storage.running_after(0, found.last_sequence)
    numbers = [invocation.number for invocation in running]
    assert found.last_sequence >= last_acknowledged
    assert found.last_sequence % 5 == 0
    assert numbers == list(range(1, found.last_sequence + 1))
    assert all(len(storage.journal(invocation)) == 1 for invocation in running)
    assert storage.view.state("Count", "", b"n") == str(numbers[-1]).encode()
    storage.close()


def test_an_empty_file_is_a_new_one_and_is_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have been killed while it was made, or lost all it had: nobody can tell which."""
    SqliteStorage(folder).close()
    assert caplog.text == ""
    (folder / "rtour.db").write_bytes(b"")
    SqliteStorage(folder).close()
    assert "is empty: the server begins with nothing" in caplog.text
    assert "rtour restore" in caplog.text


def test_a_start_that_is_cut_off_leaves_no_half_database(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has its name once it is whole and synced; what was left of it is in nobody's way.

    SQLite's first transaction is not in its log: cut off there, no server could start again.
    """
    steps: list[str] = []

    def cut(fresh: Path, target: Path) -> None:
        steps.append(fresh.name)
        raise OSError(5, "the power went")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", cut)
        with pytest.raises(FolderError, match="the power went"):
            SqliteStorage(folder)
    (fresh,) = steps
    assert not (folder / "rtour.db").exists()
    os.truncate(folder / fresh, 5000)
    (folder / f"{fresh}-journal").write_bytes(b"\xd9\xd5\x05\xf9 half a journal")
    SqliteStorage(folder).close()
    assert {path.name for path in folder.iterdir() if fresh in path.name} == set()
    assert recovered(folder)[0].last_sequence == 0


def test_a_new_folder_is_durable_with_its_first_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are the folders that had to be made for it, each in the one above."""
    synced: list[Path] = []
    monkeypatch.setattr("rtour.storage.folder.sync_folder", synced.append)
    deep = folder / "a" / "b"
    SqliteStorage(deep).close()
    assert set(synced) == {deep, folder / "a", folder, folder.parent}
    synced.clear()
    SqliteStorage(deep).close()
    assert synced == [deep]

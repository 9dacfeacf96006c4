"""The SQLite file: one owner, nothing lost, nothing half done, bounded memory."""

from __future__ import annotations

import asyncio
import os
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
from rtour.engine.model import Invocation, Status, Timer
from rtour.protocol.messages import Value
from rtour.storage import Recovered
from rtour.storage.failures import (
    DamagedError,
    FolderInUseError,
    ForeignFileError,
    NewerSchemaError,
    WriteFailedError,
)
from rtour.storage.schema import MIGRATIONS
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import EphemeralStorage, SqliteStorage

from . import values as v

FILLING = Path(__file__).with_name("filling.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def storage(folder: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(folder)
    yield storage
    storage.close()


async def fill(storage: SqliteStorage, first: int, last: int) -> None:
    for number in range(first, last + 1):
        storage.write([c.PutInvocation(v.invocation(number))], sequence=number, at=number)
    await v.committed(storage)


def recovered(folder: Path) -> Recovered:
    storage = SqliteStorage(folder)
    try:
        return storage.recover()
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
    asyncio.run(fill(storage, 1, 1))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {path.name for path in folder.iterdir()}
    assert {"rtour.db", "rtour.db-wal", "lock"} <= names
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    storage.close()


async def test_other_tools_read_the_file(storage: SqliteStorage) -> None:
    """sqlite-utils sees tables and rows while the server runs."""
    await fill(storage, 1, 3)
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
        with pytest.raises(DamagedError, match="Restore it from a backup"):
            SqliteStorage(folder)


async def test_a_file_that_lost_its_end_is_called_damaged(folder: Path) -> None:
    """Pages that should be there and are not: a refusal at start, no guesswork."""
    storage = SqliteStorage(folder)
    await fill(storage, 1, 300)
    storage.close()
    path = folder / "rtour.db"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DamagedError):
        SqliteStorage(folder)


async def test_a_page_of_garbage_is_called_damaged_by_whoever_reads_it(folder: Path) -> None:
    """Damage behind a sound header shows as itself, not as missing rows."""
    storage = SqliteStorage(folder)
    await fill(storage, 1, 300)
    storage.close()
    path = folder / "rtour.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(DamagedError):
        recovered(folder)


async def test_a_torn_last_commit_is_as_if_it_had_not_been(folder: Path) -> None:
    """Half a transaction at the end of the log is dropped; those before it are whole."""
    settings = SqliteSettings(checkpoint_rows=10**9)
    storage = SqliteStorage(folder, settings)
    await fill(storage, 1, 10)
    log = folder / "rtour.db-wal"
    whole = log.stat().st_size
    await fill(storage, 11, 20)
    torn = folder.parent / "torn"
    torn.mkdir()
    (torn / "rtour.db").write_bytes(storage.path.read_bytes())
    cut = (whole + log.stat().st_size) // 2
    (torn / "rtour.db-wal").write_bytes(log.read_bytes()[:cut])
    storage.close()
    restored = recovered(torn)
    assert restored.last_sequence == 10
    assert [invocation.number for invocation in restored.running] == list(range(1, 11))


# --- restarts ------------------------------------------------------------------------------------


async def test_recovery_yields_what_ran_and_nothing_else(folder: Path) -> None:
    """Invoked ones come back in order with the place in the log; the others stay on disk."""
    storage = SqliteStorage(folder)
    for number, status in enumerate(Status, 1):
        invocation = v.invocation(number, status=status)
        storage.write([c.PutInvocation(invocation)], sequence=number, at=number * 10)
    await v.committed(storage)
    storage.close()
    found = recovered(folder)
    assert [invocation.status for invocation in found.running] == [Status.INVOKED]
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
    numbers = [invocation.number for invocation in found.running]
    assert found.last_sequence >= last_acknowledged
    assert found.last_sequence % 5 == 0
    assert numbers == list(range(1, found.last_sequence + 1))
    assert all(len(storage.journal(invocation)) == 1 for invocation in found.running)
    assert storage.view.state("Count", "", b"n") == str(numbers[-1]).encode()
    storage.close()


# --- commits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [CommitIn.LOOP, CommitIn.THREAD])
async def test_done_is_called_after_commit_returned_and_in_order(
    folder: Path, where: CommitIn
) -> None:
    """Whoever commits is never called back before `commit` returns, and writes go on meanwhile."""
    storage = SqliteStorage(folder, SqliteSettings(commit_in=where))
    log: list[str] = []
    finished = asyncio.Event()

    def first(error: BaseException | None) -> None:
        assert error is None
        log.append("first")
        storage.commit(second)

    def second(error: BaseException | None) -> None:
        assert error is None
        log.append("second")
        finished.set()

    storage.write([c.PutInvocation(v.invocation(1))], sequence=1, at=1)
    storage.commit(first)
    log.append("returned")
    storage.write([c.PutInvocation(v.invocation(2))], sequence=2, at=2)
    assert storage.view.invocation("inv_2") is not None
    await finished.wait()
    assert log == ["returned", "first", "second"]
    assert v.rows(storage.path, "SELECT number FROM invocation") == [(1,), (2,)]
    storage.close()


async def test_committed_state_leaves_out_what_is_only_written(storage: SqliteStorage) -> None:
    """An object's committed state changes with the commit, its working state at once."""
    storage.write([c.PutState("Cart", "ada", b"n", b"1")], sequence=1, at=1)
    assert storage.object_state("Cart", "ada", committed=True) == {}
    assert storage.object_state("Cart", "ada", committed=False) == {b"n": b"1"}
    await v.committed(storage)
    assert storage.object_state("Cart", "ada", committed=True) == {b"n": b"1"}


@pytest.mark.parametrize("where", [CommitIn.LOOP, CommitIn.THREAD])
async def test_after_a_failed_commit_nothing_is_taken(folder: Path, where: CommitIn) -> None:
    """The failure is told to the committer and then to everyone; nothing is half stored."""
    storage = SqliteStorage(folder, SqliteSettings(commit_in=where))
    await fill(storage, 1, 1)
    twin = v.invocation(2, id="inv_1")  # the id is taken, which only the file notices
    storage.write([c.PutState("A", "b", b"c", b"d")], sequence=2, at=2)
    storage.write([c.PutInvocation(v.replace(twin, number=3))], sequence=3, at=3)
    with pytest.raises(sqlite3.IntegrityError):
        await v.committed(storage)
    with pytest.raises(WriteFailedError, match="restart the server"):
        storage.write([], sequence=4, at=4)
    with pytest.raises(WriteFailedError):
        storage.commit(lambda _: None)
    storage.close()
    assert v.rows(folder / "rtour.db", "SELECT number FROM invocation") == [(1,)]
    assert v.rows(folder / "rtour.db", "SELECT count(*) FROM state") == [(0,)]


async def test_an_update_of_a_row_that_is_not_there_fails(storage: SqliteStorage) -> None:
    """A lost row is noticed by the commit that would change it."""
    await fill(storage, 1, 1)
    storage.write([c.PutInvocation(v.invocation(0, id="inv_9"))], sequence=2, at=2)
    with pytest.raises(AssertionError, match="row"):
        await v.committed(storage)


async def test_moves_within_a_batch_are_one_row_and_births_and_deaths_none(
    storage: SqliteStorage,
) -> None:
    """Only the last version of an invocation is written; what came and went is not at all."""
    born, passing = v.invocation(1), v.invocation(2)
    storage.write([c.PutInvocation(born), *v.journal(born, v.entry(0))], sequence=1, at=1)
    moved = v.replace(born, status=Status.SUSPENDED, modified_at=7)
    storage.write([c.PutInvocation(passing), *v.journal(passing, v.entry(0))], sequence=2, at=2)
    storage.write([c.PutInvocation(moved)], sequence=3, at=3)
    storage.write([c.DeleteInvocation(passing.id, passing.number)], sequence=4, at=4)
    statements: list[str] = []
    storage._writer._connection.set_trace_callback(statements.append)
    await v.committed(storage)
    verbs = [" ".join(statement.split()[:3]) for statement in statements]
    assert verbs == [
        "BEGIN IMMEDIATE",
        "INSERT INTO invocation",
        "INSERT INTO journal",
        "UPDATE meta SET",
        "COMMIT",
    ]


async def test_timers_on_their_way_out_are_not_given(storage: SqliteStorage) -> None:
    """A page of timers is full of timers that stay, however many are being deleted."""
    storage.write([c.PutInvocation(v.invocation(1))], sequence=1, at=1)
    storage.write([c.PutTimer(v.timer(at)) for at in range(10)], sequence=2, at=2)
    await v.committed(storage)
    storage.write([c.DeleteTimer(v.timer(at)) for at in range(5)], sequence=3, at=3)
    assert [timer.at for timer in storage.timers_after(None, 3)] == [5, 6, 7]
    last: Timer | None = v.timer(7)
    assert [timer.at for timer in storage.timers_after(last, 9)] == [8, 9]


async def test_the_log_is_folded_into_the_database(folder: Path) -> None:
    """However much is written, the write-ahead log stays near the size of a few checkpoints."""
    settings = SqliteSettings(sync=False, checkpoint_rows=100)
    storage = SqliteStorage(folder, settings)
    for first in range(1, 10_000, 20):
        await fill(storage, first, first + 19)
    size = (folder / "rtour.db-wal").stat().st_size
    assert size < storage.path.stat().st_size
    storage.close()


# --- memory --------------------------------------------------------------------------------------


async def test_what_was_forgotten_by_the_cache_is_read_again(folder: Path) -> None:
    """A thousand suspended invocations need no memory, and come back whole."""
    storage = SqliteStorage(folder, SqliteSettings(cache_items=10))
    made: list[Invocation] = []
    for number in range(1, 1001):
        made.append(v.invocation(number, status=Status.SUSPENDED, journal_length=1))
        changes = [c.PutInvocation(made[-1]), *v.journal(made[-1], v.entry(0))]
        storage.write(changes, sequence=number, at=number)
    await v.committed(storage)
    assert len(storage._working._cache) == 10
    assert [storage.view.invocation(one.id) for one in made] == made
    assert all(storage.view.entries(one) == [v.entry(0)] for one in made)
    storage.close()


async def test_large_values_do_not_fill_the_cache(folder: Path) -> None:
    """The cache keeps within its bytes, and one giant does not drive the others out."""
    storage = SqliteStorage(folder, SqliteSettings(cache_bytes=100_000))
    small = v.invocation(1)
    storage.write([c.PutInvocation(small)], sequence=1, at=1)
    giant = v.invocation(2, status=Status.PAUSED, result=Value(b"x" * 90_000))
    storage.write([c.PutInvocation(giant)], sequence=2, at=2)
    await v.committed(storage)
    assert storage._working._cache.bytes < 100_000
    assert storage._working._cache.get("inv_1") == small
    assert storage.view.invocation("inv_2") == giant
    storage.close()


@pytest.mark.parametrize("invocations", [10_000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_what_is_stored(folder: Path, invocations: int) -> None:
    """The peak after all invocations is within the cache's size of the peak after a tenth."""
    output = subprocess.run(
        [sys.executable, str(FILLING), str(folder), str(invocations)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    early, late = map(int, output.split())
    assert late < 150 * 1024
    assert late - early < 32 * 1024


async def test_ephemeral_storage_leaves_nothing_behind() -> None:
    """It works like the other, in a folder that goes with it."""
    storage = EphemeralStorage()
    folder = storage.path.parent
    await fill(storage, 1, 3)
    assert storage.view.invocation("inv_3") is not None
    storage.close()
    assert not folder.exists()

"""Commits: in order, all or nothing, and in bounded memory."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from unittest import mock

import pytest

from rtour.engine import changes as c
from rtour.engine.model import InboxItem, Invocation, Status, Timer
from rtour.protocol.messages import Value
from rtour.storage.failures import (
    WriteFailedError,
)
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
    await storage.carried()
    assert v.rows(storage.path, "SELECT number FROM invocation") == [(1,), (2,)]
    storage.close()


async def test_committed_state_leaves_out_what_is_only_written(storage: SqliteStorage) -> None:
    """An object's committed state changes with the commit, its working state at once."""
    storage.write([c.PutState("Cart", "ada", b"n", b"1")], sequence=1, at=1)
    assert storage.object_state("Cart", "ada", committed=True) == {}
    assert storage.object_state("Cart", "ada", committed=False) == {b"n": b"1"}
    await v.committed(storage)
    assert storage.object_state("Cart", "ada", committed=True) == {b"n": b"1"}


@pytest.mark.parametrize("committed", [False, True])
async def test_no_more_state_is_read_than_is_asked_for(folder: Path, committed: bool) -> None:
    """Of a large object the first keys come, and one too many, so that it shows.

    Whether the cache has it or not; what is only written comes whole.
    """
    storage = SqliteStorage(folder)
    puts = [c.PutState("Cart", "ada", b"%d" % n, b"x" * 99) for n in range(10)]
    storage.write(puts, sequence=1, at=1)
    await v.committed(storage)
    storage.close()
    storage = SqliteStorage(folder)

    def read(bytes_max: int | None) -> list[bytes]:
        return [*storage.object_state("Cart", "ada", committed=committed, bytes_max=bytes_max)]

    assert read(250) == [b"0", b"1", b"2"]
    assert read(None) == read(1000) == [b"%d" % n for n in range(10)]
    assert len(read(250)) >= 3
    storage.write([c.PutState("Cart", "ada", b"new", b"")], sequence=2, at=2)
    assert storage.object_state("Cart", "ada", committed=False, bytes_max=250)[b"new"] == b""
    storage.close()


@pytest.mark.parametrize("where", [CommitIn.LOOP, CommitIn.THREAD])
async def test_after_a_failed_commit_nothing_is_taken(
    folder: Path, where: CommitIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is told to the committer and then to everyone; nothing is half stored."""
    storage = SqliteStorage(folder, SqliteSettings(commit_in=where))
    await v.fill(storage, 1, 1)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    storage.write([c.PutState("A", "b", b"c", b"d")], sequence=2, at=2)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(WriteFailedError, match="No space left on device"):
            await v.committed(storage)
    with pytest.raises(WriteFailedError, match="restart the server"):
        storage.write([], sequence=4, at=4)
    with pytest.raises(WriteFailedError):
        storage.commit(lambda _: None)
    storage.close()
    assert v.rows(folder / "rtour.db", "SELECT number FROM invocation") == [(1,)]
    assert v.rows(folder / "rtour.db", "SELECT count(*) FROM state") == [(0,)]


async def test_what_the_database_does_not_take_ends_the_next_commit(folder: Path) -> None:
    """It is safe in the ledger, and told with the first commit after it."""
    storage = SqliteStorage(folder)
    await v.fill(storage, 1, 1)
    twin = v.invocation(2, id="inv_1")  # the id is taken, which only the file notices
    storage.write([c.PutInvocation(v.replace(twin, number=3))], sequence=3, at=3)
    await v.committed(storage)
    storage.write([c.PutState("A", "b", b"c", b"d")], sequence=4, at=4)
    with pytest.raises(sqlite3.IntegrityError):
        await v.committed(storage)
    storage.close()
    assert v.rows(folder / "rtour.db", "SELECT number FROM invocation") == [(1,)]


async def test_an_update_of_a_row_that_is_not_there_fails(storage: SqliteStorage) -> None:
    """A lost row is noticed when it would be changed, and the next commit tells."""
    await v.fill(storage, 1, 1)
    storage.write([c.PutInvocation(v.invocation(0, id="inv_9"))], sequence=2, at=2)
    await v.committed(storage)
    storage.write([c.PutState("A", "b", b"c", b"d")], sequence=3, at=3)
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


@pytest.mark.parametrize("where", [CommitIn.LOOP, CommitIn.THREAD])
@pytest.mark.parametrize("large_bytes", [1, 1 << 20])
async def test_timers_are_given_once_they_are_told(
    folder: Path, where: CommitIn, large_bytes: int
) -> None:
    """Not before, or they would be known twice; and from then on, wherever they are stored."""
    storage = SqliteStorage(folder, SqliteSettings(commit_in=where, large_bytes=large_bytes))
    storage.write([c.PutInvocation(v.invocation(1))], sequence=1, at=1)
    storage.write([c.PutTimer(v.timer(5)), c.PutTimer(v.timer(7))], sequence=2, at=2)
    told = asyncio.Event()
    storage.commit(lambda _: told.set())
    assert storage.timers_after(None, 3) == []
    await told.wait()
    assert storage.timers_after(None, 3) == [v.timer(5), v.timer(7)]
    assert storage.timers_after(v.timer(5), 3) == [v.timer(7)]
    await storage.carried()
    assert storage.timers_after(None, 3) == [v.timer(5), v.timer(7)]
    storage.write([c.PutTimer(v.timer(6))], sequence=3, at=3)
    await v.committed(storage)
    assert [timer.at for timer in storage.timers_after(None, 2)] == [5, 6]
    storage.close()


async def test_the_log_starts_over_while_writing_goes_on(folder: Path) -> None:
    """Checkpoints keep up with a writer that never pauses: the log's file stops growing."""
    storage = SqliteStorage(folder, SqliteSettings(sync=False, checkpoint_rows=100))
    log = Path(f"{storage.path}-wal")
    number, size = 0, -1
    async with asyncio.timeout(30):
        while size != (size := v.size(log)):
            await v.fill(storage, number + 1, number := number + 20)
    assert v.rows(storage.path, "SELECT count(*) FROM invocation") == [(number,)]
    storage.close()


async def test_a_file_that_was_large_once_becomes_small_again(folder: Path) -> None:
    """What is forgotten gives its pages back to the disk, some with each checkpoint."""
    storage = SqliteStorage(folder, SqliteSettings(sync=False, checkpoint_rows=50, spare_pages=8))
    large = Value(b"x" * 2_000)
    for number in range(1, 1_001):
        made = v.invocation(number, status=Status.COMPLETED, result=large)
        storage.write([c.PutInvocation(made)], sequence=number, at=number)
    await v.committed(storage)
    full = v.rows(storage.path, "PRAGMA page_count")
    for number in range(1, 1_001):
        gone = c.DeleteInvocation(v.invocation(number).id, number)
        storage.write([gone], sequence=1_000 + number, at=number)
        await v.committed(storage)
    (pages,) = v.rows(storage.path, "PRAGMA page_count")
    storage.close()
    assert full > [(500,)]
    assert pages < (100,)


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


async def test_a_long_queue_is_read_a_page_at_a_time(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who leaves a queue costs no read of the file, and the queue stays in its order."""
    read = mock.Mock(side_effect=storage._working._reader.inbox)
    monkeypatch.setattr(storage._working._reader, "inbox", read)
    queue: list[InboxItem] = []
    for sequence in range(1, 401):
        leaves = sequence > 100 and sequence % 5  # 100 wait, then more leave than come
        if leaves and queue:
            left = queue.pop(0 if sequence % 3 else len(queue) // 2)
            change: c.Change = c.DeleteInboxItem("Cart", "k", left.sequence)
        else:
            queue.append(v.inbox_item(sequence))
            change = c.PutInboxItem("Cart", "k", queue[-1])
        storage.write([change], sequence=sequence, at=sequence)
        if sequence % 7 == 0:
            await v.durable(storage)
        if sequence % 14 == 0:
            await storage.carried()
        assert next(storage.view.inbox("Cart", "k"), None) == (queue[0] if queue else None)
        if sequence % 50 == 0:
            assert list(storage.view.inbox("Cart", "k")) == queue
    assert read.call_count < 60


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
    await v.fill(storage, 1, 3)
    assert storage.view.invocation("inv_3") is not None
    storage.close()
    assert not folder.exists()

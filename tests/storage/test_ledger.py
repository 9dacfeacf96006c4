"""The ledger: each commit synced, found again in order, and never mistaken for another."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from rtour.engine import changes as c
from rtour.engine.model import Status
from rtour.protocol.messages import Future
from rtour.storage import writer
from rtour.storage.failures import DamagedError
from rtour.storage.ledger import pages, reading, writing
from rtour.storage.ledger.pages import PAGE, TITLE_BYTES, Written
from rtour.storage.ledger.reading import MissingError
from rtour.storage.ledger.writing import Ledger
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import SqliteStorage

from . import values as v

VOLUME = TITLE_BYTES + 4 * PAGE
STEP = 4 * PAGE
SETTINGS = SqliteSettings(carry_after_s=60)  # when told to


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "rtour.db"


def ledger(database: Path) -> Ledger:
    volumes = pages.volumes(database)
    return Ledger(volumes, sync=True, volume_bytes=VOLUME, step_bytes=STEP)


def written(sequence: int, value: bytes = b"") -> list[Written]:
    """A commit of one record."""
    return [(sequence, sequence, [c.PutState("Cart", "ada", b"n", value)])]


def append(ledger: Ledger, first: int, last: int) -> None:
    for sequence in range(first, last + 1):
        ledger.append(pages.encode(written(sequence)), sequence - 1, sequence)


def found(database: Path, place: int) -> list[int]:
    """The records that a database at that place lacks."""
    with reading.opened(database) as contents:
        return [sequence for commit in contents.behind(place) for sequence, _, _ in commit]


# --- writing and reading -------------------------------------------------------------------------


def test_each_commit_is_synced_once_before_it_is_told(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on the disk at the sync is the commit, whole."""
    seen: list[list[int]] = []
    monkeypatch.setattr(writing, "datasync", lambda _: seen.append(found(database, 0)))
    append(ledger(database), 1, 3)
    assert seen == [[1], [1, 2], [1, 2, 3]]


def test_commits_come_back_as_they_were(database: Path) -> None:
    """All kinds of values, and no more than the database lacks."""
    one = ledger(database)
    commits = [written(1, b"x" * 9000), [*written(2), *written(3, b"\0")], written(4)]
    for base, commit in zip((0, 1, 3), commits, strict=True):
        one.append(pages.encode(commit), base, commit[-1][0])
    with reading.opened(database) as contents:
        assert list(contents.behind(0)) == commits
        assert list(contents.behind(3)) == commits[2:]
        assert list(contents.behind(4)) == []
        assert contents.last == 4
        assert not contents.is_unfinished


def test_volumes_are_used_in_turn_and_none_before_its_time(database: Path) -> None:
    """What the database lacks is always there, however much there was before."""
    one, released = ledger(database), 0
    for sequence in range(1, 60):
        append(one, sequence, sequence)
        assert found(database, released) == list(range(released + 1, sequence + 1))
        if one.is_half_full and sequence % 3 == 0:
            one.release(released := sequence - 1)
    assert max(v.size(volume) for volume in pages.volumes(database)) <= 2 * VOLUME + STEP


def test_a_volume_that_may_not_be_left_grows(database: Path) -> None:
    """Nothing is lost when the database cannot follow."""
    append(ledger(database), 1, 100)
    assert found(database, 0) == list(range(1, 101))


def test_files_grow_in_steps(database: Path) -> None:
    """Few commits make a file longer, which would cost each of them a second wait."""
    one, sizes = ledger(database), []
    for sequence in range(1, 5):
        append(one, sequence, sequence)
        sizes.append(v.size(pages.volumes(database)[0]))
    assert sizes[0] > TITLE_BYTES + 2 * PAGE
    assert sum(before != after for before, after in itertools.pairwise(sizes)) <= 1


def test_a_new_life_is_not_confused_by_the_one_before(database: Path) -> None:
    """What lies there still is of another pass, with other salts."""
    append(ledger(database), 1, 12)
    append(ledger(database), 13, 14)
    assert found(database, 12) == [13, 14]


def test_what_looks_like_a_commit_is_none(database: Path) -> None:
    """A value with a copy of a page in it, at the place of a page, changes nothing."""
    one = ledger(database)
    append(one, 1, 1)
    forged = pages.encode(written(2, b"forged"))
    pages.finish(forged, b"12345678", 1, 2)
    one.append(pages.encode(written(2, bytes(PAGE - 1) + bytes(forged) * 2)), 1, 2)
    append(one, 3, 3)
    assert found(database, 0) == [1, 2, 3]


# --- what crashes and damage leave ---------------------------------------------------------------


def spoiled(database: Path, at: int, content: bytes) -> None:
    volume = pages.volumes(database)[0]
    whole = bytearray(volume.read_bytes())
    whole[at : at + len(content)] = content
    volume.write_bytes(whole)


@pytest.mark.parametrize("cut", [50, PAGE - 100, PAGE + 10])
def test_a_last_commit_that_is_cut_off_is_left_out(database: Path, cut: int) -> None:
    """And known to have been begun, unless nothing of it arrived."""
    one = ledger(database)
    append(one, 1, 2)
    one.append(pages.encode(written(3, b"x" * 2 * PAGE)), 2, 3)
    spoiled(database, TITLE_BYTES + 2 * PAGE + cut, bytes(3 * PAGE))
    assert found(database, 0) == [1, 2]
    with reading.opened(database) as contents:
        assert contents.is_unfinished


def test_a_damaged_commit_before_another_is_missed(database: Path) -> None:
    """It was acknowledged, for the next one was written; the database may have it."""
    append(ledger(database), 1, 3)
    spoiled(database, TITLE_BYTES + PAGE + 60, b"!")
    with pytest.raises(MissingError, match="after record 1 is missing, although record 3"):
        found(database, 0)
    assert found(database, 2) == [3]


def test_a_database_that_falls_behind_a_note_is_damaged(database: Path) -> None:
    """The ledger knows that it had more, also where it has all of it still."""
    one = ledger(database)
    append(one, 1, 3)
    one.release(2)
    assert found(database, 2) == [3]
    with pytest.raises(MissingError):
        found(database, 1)


def test_one_of_two_titles_is_enough(database: Path) -> None:
    """A bit that turns in a title does not take the volume away."""
    append(ledger(database), 1, 2)
    spoiled(database, 10, b"!")
    assert found(database, 0) == [1, 2]
    spoiled(database, PAGE + 10, b"!")
    assert found(database, 0) == []


def test_a_copy_of_a_live_ledger_has_no_gap(database: Path) -> None:
    """Also when the server goes on in the other volume while it is read."""
    one = ledger(database)
    append(one, 1, 4)
    for sequence in range(5, 40):
        one.release(sequence - 1)
        append(one, sequence, sequence)
        commits = reading.copied(database).behind(sequence - 1)
        assert [record[0] for commit in commits for record in commit] == [sequence]


# --- with the database ---------------------------------------------------------------------------


async def killed(storage: SqliteStorage, left: Path) -> SqliteStorage:
    """The next life after a kill, in a copy."""
    shutil.copytree(storage.path.parent, left)
    storage.close()
    return SqliteStorage(left, SETTINGS)


@pytest.mark.parametrize("where", CommitIn)
async def test_a_commit_is_durable_before_the_database_has_it(
    tmp_path: Path, where: CommitIn
) -> None:
    """A kill in between loses nothing."""
    storage = SqliteStorage(tmp_path / "data", v.replace(SETTINGS, commit_in=where))
    made = v.invocation(1, journal_length=1)
    storage.write([c.PutInvocation(made), *v.journal(made, v.entry(0))], sequence=1, at=7)
    await v.durable(storage)
    assert v.rows(storage.path, "SELECT count(*) FROM invocation") == [(0,)]
    assert storage.stored(1) == made
    storage = await killed(storage, tmp_path / "left")
    assert storage.view.invocation("inv_1") == made
    assert storage.view.entries(made) == [v.entry(0)]
    found = storage.recover()
    assert (found.last_sequence, found.last_at) == (1, 7)
    storage.close()


async def test_a_little_later_the_database_has_it(tmp_path: Path) -> None:
    """Whether somebody asks or not."""
    storage = SqliteStorage(tmp_path / "data", SqliteSettings(carry_after_s=0.001))
    storage.write([c.PutInvocation(v.invocation(1))], sequence=1, at=1)
    await v.durable(storage)
    while v.rows(storage.path, "SELECT count(*) FROM invocation") != [(1,)]:
        await asyncio.sleep(0)
    storage.close()


@pytest.mark.parametrize(
    "settings",
    [v.replace(SETTINGS, large_bytes=50_000), v.replace(SETTINGS, late_bytes=10_000)],
    ids=["large", "late"],
)
async def test_a_large_commit_takes_all_before_it_along(
    tmp_path: Path, settings: SqliteSettings
) -> None:
    """It goes straight to the database; so does any when that is far behind."""
    storage = SqliteStorage(tmp_path / "data", settings)
    storage.write([c.PutState("Cart", "ada", b"small", b"1" * 20_000)], sequence=1, at=1)
    await v.durable(storage)
    storage.write([c.PutState("Cart", "ada", b"large", b"2" * 60_000)], sequence=2, at=2)
    await v.durable(storage)
    sizes = v.rows(storage.path, "SELECT name, length(value) FROM state ORDER BY name")
    assert sizes == [(b"large", 60_000), (b"small", 20_000)]
    storage = await killed(storage, tmp_path / "left")
    assert len(storage.view.all_state("Cart", "ada")) == 2
    storage.close()


@pytest.mark.parametrize("where", CommitIn)
async def test_whoever_hears_of_a_large_commit_may_commit_again(
    tmp_path: Path, where: CommitIn
) -> None:
    """What the database got with the first one it is not given again with the second."""
    settings = v.replace(SETTINGS, large_bytes=0, commit_in=where)
    storage = SqliteStorage(tmp_path / "data", settings)
    told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(error: BaseException | None) -> None:
        assert error is None, error
        if sequences:
            write(sequences.pop())
        else:
            told.set_result(None)

    def write(sequence: int) -> None:
        storage.write([c.PutInvocation(v.invocation(sequence))], sequence=sequence, at=sequence)
        storage.commit(done)

    sequences = [3, 2, 1]
    write(sequences.pop())
    await told
    assert v.rows(storage.path, "SELECT number FROM invocation") == [(1,), (2,), (3,)]
    storage.close()


async def test_a_future_too_deep_for_the_ledger_is_stored(tmp_path: Path) -> None:
    """Rows hold any tree that the protocol does."""
    deep = Future((1,))
    for _ in range(1000):
        deep = Future(nested=(deep,))
    storage = SqliteStorage(tmp_path / "data", SETTINGS)
    made = v.invocation(1, status=Status.SUSPENDED, awaiting=deep)
    storage.write([c.PutInvocation(made)], sequence=1, at=1)
    await v.durable(storage)
    storage = await killed(storage, tmp_path / "left")
    again = storage.view.invocation("inv_1")
    depth, node = 0, again.awaiting if again else None
    while node is not None and node.nested:
        depth, node = depth + 1, node.nested[0]
    assert depth == 1000
    storage.close()


async def test_what_was_taken_from_the_ledger_is_synced_before_it_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while somebody reads, and the log cannot be folded in."""
    storage = SqliteStorage(tmp_path / "data", SETTINGS)
    storage.write([c.PutInvocation(v.invocation(1))], sequence=1, at=1)
    await v.durable(storage)
    left = tmp_path / "left"
    shutil.copytree(storage.path.parent, left)
    storage.close()
    synced: list[int] = []
    monkeypatch.setattr(writer, "datasync", lambda file: synced.append(os.fstat(file).st_size))
    with contextlib.closing(sqlite3.connect(left / "rtour.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM invocation").fetchone()
        storage = SqliteStorage(left, SETTINGS)
        assert len(synced) == 1
        assert synced[0] > 0, "the log was not folded in, and holds what is synced"
        storage.close()
        assert len(synced) == 2, "before the ledger says that nobody needs it"


async def test_a_ledger_begun_beside_a_reader_keeps_the_last_commits(tmp_path: Path) -> None:
    """Seed 272: a cut in its first write took them, and damage to the log went unsaid."""
    storage = SqliteStorage(tmp_path / "data", SETTINGS)
    storage.write([c.PutInvocation(v.invocation(1))], sequence=1, at=1)
    await v.durable(storage)
    left = tmp_path / "left"
    shutil.copytree(storage.path.parent, left)  # as SIGKILL leaves it
    storage.close()
    with contextlib.closing(sqlite3.connect(left / "rtour.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM invocation").fetchone()
        storage = SqliteStorage(left, v.replace(SETTINGS, readers_wait_s=0))
        storage.write([c.PutInvocation(v.invocation(2))], sequence=2, at=2)
        await v.durable(storage)
        first, second = (path.read_bytes() for path in pages.volumes(storage.path))
        assert reading.Contents(first).last == 1
        assert reading.Contents(second).last == 2
        storage.close()


async def test_damage_to_a_log_that_a_reader_kept_is_told(tmp_path: Path) -> None:
    """The end cannot fold it in then, so the ledger goes on saying what the database has."""
    storage = SqliteStorage(tmp_path / "data", SETTINGS)
    database, left = storage.path, tmp_path / "left"
    with contextlib.closing(sqlite3.connect(database)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM invocation").fetchone()
        storage.write([c.PutInvocation(v.invocation(1))], sequence=1, at=1)
        await v.durable(storage)
        storage.close()
        shutil.copytree(database.parent, left)
    with (left / "rtour.db-wal").open("r+b") as log:
        log.seek(100)
        log.write(b"damaged")
    with pytest.raises(DamagedError, match="after record 0 is missing, although record 1"):
        SqliteStorage(left, SETTINGS)


async def test_a_database_that_lost_what_it_had_is_not_used(tmp_path: Path) -> None:
    """As when its log is damaged after parts of it were folded in."""
    storage = SqliteStorage(tmp_path / "data", v.replace(SETTINGS, checkpoint_rows=1))
    await v.fill(storage, 1, 5)
    await storage.carried()  # the log is folded in
    left = tmp_path / "left"
    shutil.copytree(storage.path.parent, left)
    storage.close()
    SqliteStorage(tmp_path / "new").close()
    shutil.copyfile(tmp_path / "new" / "rtour.db", left / "rtour.db")
    (left / "rtour.db-wal").unlink()
    with pytest.raises(DamagedError, match="after record 0 is missing, although record 5"):
        SqliteStorage(left)

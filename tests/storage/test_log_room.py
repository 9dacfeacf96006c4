"""Room ahead in the log: commits do not lengthen it, and SQLite minds no zeros."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from rtour.storage.log_room import LogRoom
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import SqliteStorage

from . import values as v

STEP = 64 * 1024
SETTINGS = SqliteSettings(commit_in=CommitIn.LOOP, checkpoint_rows=1 << 60, log_step_bytes=STEP)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def has_room(storage: SqliteStorage) -> bool:
    return Path(f"{storage.path}-wal").read_bytes().endswith(bytes(STEP // 4))


async def sizes(storage: SqliteStorage, first: int, last: int) -> list[int]:
    """The log's length after each of so many commits."""
    found = []
    for number in range(first, last + 1):
        await v.fill(storage, number, number)
        found.append(v.size(Path(f"{storage.path}-wal")))
    return found


async def test_a_log_grows_in_steps(folder: Path) -> None:
    """Few commits find it longer than the one before, and it is never full of frames."""
    storage = SqliteStorage(folder, SETTINGS)
    found = await sizes(storage, 1, 100)
    assert found[0] == STEP
    assert found == sorted(found)
    assert len(set(found)) < 20
    steps = {after - before for before, after in itertools.pairwise(found)} - {0}
    assert min(steps) >= STEP
    assert has_room(storage)
    storage.close()


async def test_a_log_that_starts_over_keeps_its_room(folder: Path) -> None:
    """What lies there of its former life calls for nothing."""
    storage = SqliteStorage(folder, SETTINGS)
    found = await sizes(storage, 1, 60)
    storage._writer._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    again = await sizes(storage, 61, 100)
    assert set(again) == {found[-1]}
    storage._writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert (await sizes(storage, 101, 110))[-1] >= STEP
    storage.close()


async def test_a_commit_larger_than_the_room_finds_more_behind_it(folder: Path) -> None:
    """SQLite lengthens the log by itself, and the next commit has room again."""
    storage = SqliteStorage(folder, SETTINGS)
    await v.fill(storage, 1, 1)
    await v.fill(storage, 2, 600)
    assert not has_room(storage)
    await v.fill(storage, 601, 601)
    assert has_room(storage)
    storage.close()


async def test_a_log_that_is_long_enough_is_folded_in(folder: Path) -> None:
    """It stays about so long, whatever is written, and grows only while it cannot start over."""
    enough = 8 * STEP
    storage = SqliteStorage(folder, v.replace(SETTINGS, log_enough_bytes=enough))
    found = await sizes(storage, 1, 300)
    assert max(found) <= 2 * enough
    number = 300
    with contextlib.closing(sqlite3.connect(storage.path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM invocation").fetchone()
        held = max(found)
        while held <= 2 * enough:  # as long as somebody reads what was
            number += 1
            (held,) = await sizes(storage, number, number)
    longest = held + 4 * STEP
    assert max(await sizes(storage, number + 1, number + 300)) <= longest
    storage.close()


@pytest.mark.parametrize("commits", [0, 1, 30])
async def test_what_was_committed_is_found_before_the_zeros(folder: Path, commits: int) -> None:
    """A killed server leaves its room; the next one reads what is before it, and no more."""
    storage = SqliteStorage(folder, SETTINGS)
    await sizes(storage, 1, commits)
    LogRoom(Path(f"{storage.path}-wal"), STEP, 1 << 30).ensure()
    left = folder.with_name("left")
    shutil.copytree(folder, left, ignore=shutil.ignore_patterns("*-shm", "lock"))
    storage.close()
    restored = SqliteStorage(left, SETTINGS)
    assert [made.number for made in restored.running_after(0, 99)] == list(range(1, commits + 1))
    assert restored.recover().last_sequence == commits
    await v.fill(restored, commits + 1, commits + 1)
    restored.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
def test_a_full_disk_is_the_commits_to_tell() -> None:
    """Zeros that find no place are no failure."""
    room = LogRoom(Path("/dev/full"), STEP, 1 << 30)
    assert not room.ensure()
    room.close()

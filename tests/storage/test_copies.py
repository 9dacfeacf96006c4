"""Backups are whole, of one moment and sound, or not there; restoring destroys nothing."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from rtour.engine import changes as c
from rtour.storage import copies
from rtour.storage.checking import check
from rtour.storage.failures import (
    CopyRoomError,
    DamagedError,
    FolderInUseError,
    ForeignFileError,
    StorageError,
)
from rtour.storage.settings import SqliteSettings
from rtour.storage.sqlite import SqliteStorage

from . import mauling
from . import values as v


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Data that a kill left, half of it in the ledger."""
    path = tmp_path / "data"
    asyncio.run(mauling.fill(path, mauling.Left.LEDGER))
    return path


def known(folder: Path) -> dict[str, object]:
    return mauling.everything(folder)


def test_a_backup_restored_elsewhere_is_the_same_data(folder: Path, tmp_path: Path) -> None:
    """What is only in the ledger comes along; every answer is as before."""
    target = tmp_path / "backup.db"
    copies.backup(folder, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert copies.restore(target, tmp_path / "new") is None
    assert known(tmp_path / "new") == known(folder)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "backup.db", "new"}


async def test_what_is_acknowledged_before_a_backup_is_in_it(tmp_path: Path) -> None:
    """Backups beside a writer that never pauses hold all that was committed when they began."""
    settings = SqliteSettings(sync=False, checkpoint_rows=200, volume_bytes=128 * 1024)
    storage = SqliteStorage(tmp_path / "data", settings)
    number, begun, stop = 0, asyncio.Event(), asyncio.Event()

    async def write() -> None:
        nonlocal number
        while not stop.is_set():
            made = v.invocation(number + 1)
            storage.write([c.PutInvocation(made)], sequence=made.number, at=made.number)
            await v.durable(storage)
            number = made.number
            begun.set()
            await asyncio.sleep(0)

    writing = asyncio.get_running_loop().create_task(write())
    await begun.wait()
    for turn in range(5):
        acknowledged, target = number, tmp_path / f"{turn}.db"
        await asyncio.to_thread(copies.backup, tmp_path / "data", target)
        assert check(target, still=True) == []
        ((count, last),) = v.rows(target, "SELECT count(*), max(number) FROM invocation")
        ((place,),) = v.rows(target, "SELECT last_sequence FROM meta")
        assert isinstance(last, int)
        assert count == last == place
        assert last >= acknowledged
    stop.set()
    await writing
    assert number > 5
    storage.close()


def test_data_that_is_there_is_kept(folder: Path, tmp_path: Path) -> None:
    """Without leave nothing is touched; with it the old data lies beside the new, log and all."""
    backup = tmp_path / "backup.db"
    copies.backup(folder, backup)
    other = tmp_path / "other"
    storage = SqliteStorage(other)
    asyncio.run(v.fill(storage, 1, 5))
    storage.close()
    with pytest.raises(StorageError, match="has data already"):
        copies.restore(backup, other)
    assert v.rows(other / "rtour.db", "SELECT count(*) FROM invocation") == [(5,)]
    for end in ("", "1"):
        aside = copies.restore(backup, other, replace=True)
        assert aside == other / f"rtour.db.replaced{end}"
    assert known(other) == known(folder)
    kept = other / "rtour.db.replaced"
    assert v.rows(kept, "SELECT count(*) FROM invocation") == [(5,)]


@pytest.mark.parametrize("left", [mauling.Left.LOG, mauling.Left.LEDGER])
def test_a_log_is_put_aside_with_its_database(
    left: mauling.Left, folder: Path, tmp_path: Path
) -> None:
    """The log or ledger of other data would be taken for the backup's."""
    backup = tmp_path / "backup.db"
    copies.backup(folder, backup)
    killed = tmp_path / "killed"
    asyncio.run(mauling.fill(killed, left))
    (killed / "rtour.db").unlink()  # what a half-done clean-up leaves
    with pytest.raises(StorageError, match="has data already"):
        copies.restore(backup, killed)
    copies.restore(backup, killed, replace=True)
    assert known(killed) == known(folder)
    kept = left.value.replace("rtour.db", "rtour.db.replaced")
    assert (killed / kept).stat().st_size > 0


def test_a_folder_in_use_is_not_restored_to(folder: Path, tmp_path: Path) -> None:
    """Whoever runs on it is named."""
    backup = tmp_path / "backup.db"
    copies.backup(folder, backup)
    storage = SqliteStorage(tmp_path / "busy")
    with pytest.raises(FolderInUseError, match=f"process id {os.getpid()}"):
        copies.restore(backup, tmp_path / "busy", replace=True)
    storage.close()


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"no database, whatever its name is" * 99, DamagedError), (None, ForeignFileError)],
)
def test_what_is_no_backup_is_refused(
    tmp_path: Path, content: bytes | None, error: type[Exception]
) -> None:
    """The folder is as it was: there is nothing in it but the lock."""
    source = tmp_path / "songs.db"
    if content is None:
        connection = sqlite3.connect(source)
        connection.execute("CREATE TABLE songs (name)")
        connection.close()
    else:
        source.write_bytes(content)
    with pytest.raises(error):
        copies.restore(source, tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["lock"]


def test_a_damaged_backup_is_refused(folder: Path, tmp_path: Path) -> None:
    """A value that changed in the backup is found before anything else changes."""
    backup = tmp_path / "backup.db"
    copies.backup(folder, backup)
    connection = sqlite3.connect(backup)
    connection.execute("UPDATE state SET value = x'00' WHERE key = 'k3' AND name = x'6e31'")
    connection.commit()
    connection.close()
    with pytest.raises(DamagedError, match=r"the table state .*Cart, k3, n1"):
        copies.restore(backup, tmp_path / "new")
    assert not (tmp_path / "new" / "rtour.db").exists()


def test_damaged_data_makes_no_backup(folder: Path, tmp_path: Path) -> None:
    """A copy that is not sound does not get the name that was asked for."""
    connection = sqlite3.connect(folder / "rtour.db")
    connection.execute("UPDATE invocation SET modified_at = 99 WHERE number = 3")
    connection.commit()
    connection.close()
    with pytest.raises(DamagedError, match="the table invocation"):
        copies.backup(folder, tmp_path / "backup.db")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_no_data_makes_no_backup(tmp_path: Path) -> None:
    """An empty folder is said to be one."""
    with pytest.raises(StorageError, match="no data"):
        copies.backup(tmp_path, tmp_path / "backup.db")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_backup_that_cannot_be_written_leaves_nothing(folder: Path) -> None:
    """Where nothing may be made, the message says which file and why."""
    with pytest.raises(CopyRoomError, match="Writing /proc/backup"):
        copies.backup(folder, Path("/proc/backup.db"))


def test_a_backup_of_an_earlier_schema_is_restored_as_it_is(tmp_path: Path) -> None:
    """The server that starts on it upgrades it."""
    from .test_upgrade import unpacked, user_version

    source = unpacked(1, tmp_path / "old")
    copies.restore(source, tmp_path / "new")
    database = tmp_path / "new" / "rtour.db"
    assert user_version(database) == 1
    SqliteStorage(database.parent).close()
    assert check(database) == []

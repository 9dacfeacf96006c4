"""Copies of a whole data file: backups, what is restored from them, and those before an upgrade.

A copy is a snapshot: all that was committed when it began, whatever the server does meanwhile. It
appears under its name when it is whole, synced and checked, or not at all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from rtour.storage.checking import check, ledger_problems, read_only
from rtour.storage.failures import (
    CopyRoomError,
    DamagedError,
    StorageError,
    UpgradeRoomError,
    explained,
)
from rtour.storage.folder import DATABASE, Folder, sync_file, sync_folder
from rtour.storage.ledger import pages, reading
from rtour.storage.replaying import replay

_LOG_ENDS = ("-wal", "-shm")
# For an upgrade: the copy, the log that holds every page once, and growth.
_UPGRADE_SIZES = 3
_UPGRADE_SPARE = 4 << 20


def backup(folder: Path, target: Path) -> None:
    """Copy the data of a folder, in use by a server or not, to a file that is not there yet.

    Raises StorageError if there is no sound data, or the copy cannot be written.
    """
    database = folder / DATABASE
    if not database.is_file() or not database.stat().st_size:
        raise StorageError(f"There is no data in {folder}: it has no {DATABASE} that holds any.")
    # The ledger first: what it has no more by the time of the copy is in the database then.
    ledger = reading.copied(database)
    with contextlib.closing(read_only(database)) as connection:
        damage = "; ".join(ledger_problems(connection, database))
        if damage:
            raise DamagedError(database, damage)
        copy(connection, database, target, ledger)


def restore(source: Path, folder: Path, *, replace: bool = False) -> Path | None:
    """Make a backup the data of a folder that no server uses.

    Data that is there already is refused, or with `replace` put aside: that is what is returned.
    Raises StorageError, and then nothing has changed.
    """
    locked = Folder(folder)
    try:
        if present(folder) and not replace:
            raise StorageError(f"{folder} has data already; nothing was changed.")
        fresh = folder / f"{DATABASE}.restored"
        damage = check(source, still=True) if source.is_file() else None
        if damage:
            raise DamagedError(source, "; ".join(damage))
        if damage is None:
            raise StorageError(f"There is no backup {source}.")
        with contextlib.closing(read_only(source, still=True)) as connection:
            copy(connection, source, fresh)
        aside = _put_aside(locked.database) if present(folder) else None
        for beside in _kept_beside(locked.database):  # other data's, and taken for the backup's
            beside.unlink(missing_ok=True)
        fresh.replace(locked.database)
        sync_folder(folder)
        return aside
    finally:
        locked.release()


def present(folder: Path) -> bool:
    """Whether a folder has data, be it only in a log."""
    database = folder / DATABASE
    parts = (database, _beside(database, "-wal"), *pages.volumes(database))
    return any(part.is_file() and part.stat().st_size for part in parts)


def _parts(database: Path) -> list[Path]:
    return [*_kept_beside(database), database]


def _kept_beside(database: Path) -> list[Path]:
    """What belongs to a database, in the order in which it may be renamed or removed."""
    return [*(_beside(database, end) for end in _LOG_ENDS), *pages.volumes(database)]


def copy_before_upgrade(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Keep the file as it is beside itself, for whoever wants to go back. Raises UpgradeRoomError.

    Its own check comes with the upgrade, which reads every row.
    """
    needed = path.stat().st_size * _UPGRADE_SIZES + _UPGRADE_SPARE
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise UpgradeRoomError(path, needed, free)
    kept = path.with_name(f"{DATABASE}.v{version}")
    with _written_whole(kept) as partial:
        _copy_pages(connection, path, partial)
        for volume, copied in zip(pages.volumes(path), pages.volumes(kept), strict=True):
            if volume.exists():
                shutil.copyfile(volume, copied)
    return kept


def copy(
    connection: sqlite3.Connection,
    path: Path,
    target: Path,
    ledger: reading.Contents | None = None,
) -> None:
    """A checked copy of what a connection sees, and of what is only in the ledger so far."""
    with _written_whole(target) as partial:
        _copy_pages(connection, path, partial)
        if ledger is not None:
            with contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as copied:
                replay(copied, path, ledger)
        damage = check(partial, still=True)
        if damage:
            raise DamagedError(path, "; ".join(damage))


def _copy_pages(connection: sqlite3.Connection, path: Path, partial: Path) -> None:
    with contextlib.closing(sqlite3.connect(partial)) as target:
        try:
            connection.backup(target)  # in one step: one snapshot, and commits go on beside it
        except sqlite3.DatabaseError as error:
            raise _cause(path, partial, error) from error


def _cause(path: Path, partial: Path, error: sqlite3.DatabaseError) -> Exception:
    """Whether it was the source or the disk of the copy."""
    cause = explained(path, error)
    return cause if isinstance(cause, DamagedError) else CopyRoomError(partial, error)


@contextlib.contextmanager
def _written_whole(target: Path) -> Iterator[Path]:
    """A file to write, which takes its name when it is done and synced, or goes."""
    partial = target.with_name(f"{target.name}.partial")
    try:
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        yield partial
        sync_file(partial)
        partial.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise CopyRoomError(target, error) from error
    finally:
        for end in ("", "-journal", *_LOG_ENDS):
            _beside(partial, end).unlink(missing_ok=True)


def _put_aside(database: Path) -> Path:
    """Give a database and its log another name, under which they still belong together."""
    names = (database.with_name(f"{DATABASE}.replaced{n or ''}") for n in range(1 << 20))
    aside = next(name for name in names if not name.exists())
    for part, renamed in zip(_parts(database), _parts(aside), strict=True):
        if part.exists():
            part.replace(renamed)
    return aside


def _beside(database: Path, end: str) -> Path:
    return database.with_name(database.name + end)

"""Opening the data file for a server: look before touching, check, upgrade, bring it up to date.

Whatever is wrong is refused before anything is changed, and says what to do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from pathlib import Path

from rtour.storage import checking, schema
from rtour.storage.copies import copy_before_upgrade
from rtour.storage.failures import READ_ERRORS, DamagedError, FolderError, explained
from rtour.storage.folder import sync_file
from rtour.storage.ledger import reading
from rtour.storage.replaying import replay
from rtour.storage.settings import SqliteSettings
from rtour.storage.writer import fold_in

log = logging.getLogger("rtour.storage")

# After a burst the log file shrinks to this when it starts over.
_LOG_BYTES = 64 * 1024 * 1024
_BESIDE = ("-journal", "-wal", "-shm")


def open_database(path: Path, settings: SqliteSettings) -> tuple[sqlite3.Connection, bool]:
    """The writer's connection to a file, made if there is none, and whether it was all checked.

    Raises StorageError for a file that is damaged, foreign or of a later version.
    """
    version = _look(path)
    if not _size(path):
        try:
            _make(path, settings)
        except OSError as error:
            raise FolderError(path.parent, error) from error
        return connect(path, settings, settings.page_cache_kib), True
    connection = connect(path, settings, settings.page_cache_kib)
    try:
        checked = _check(connection, path, version, settings)
        if 0 < version < schema.NEWEST:
            _upgrade(connection, path, version)
        elif version == 0:
            schema.migrate(connection, version)
        _bring_up_to_date(connection, path)
        fold_in(connection)
    except READ_ERRORS as error:
        connection.close()
        raise explained(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection, checked


def _make(path: Path, settings: SqliteSettings) -> None:
    """Make a database under another name, which it loses when it is whole.

    SQLite makes one in several transactions, of which the first is not written ahead: cut off
    there, it could be neither read nor told from somebody else's.
    """
    fresh = path.with_name(f"{path.name}.new")
    for end in ("", *_BESIDE):
        _beside(fresh, end).unlink(missing_ok=True)  # what was cut off
        if end:
            _beside(path, end).unlink(missing_ok=True)  # nothing, and would be taken for its own
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(connect(fresh, settings, settings.page_cache_kib)) as connection:
        schema.migrate(connection, 0)
    if settings.sync:
        sync_file(fresh)
    fresh.replace(path)


def connect(path: Path, settings: SqliteSettings, cache_kib: int) -> sqlite3.Connection:
    """A connection that our threads may hand to each other; transactions are begun by hand."""
    connection = sqlite3.connect(
        path,
        timeout=settings.readers_wait_s,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
    )
    if not path.stat().st_size:
        # Of a new file: lets the writer make it shorter again. Later it would be a write.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL").fetchall()
    for pragma in (
        "journal_mode = WAL",
        # Of what is not synced the ledger has a synced copy.
        f"synchronous = {'NORMAL' if settings.sync else 'OFF'}",
        f"cache_size = -{cache_kib}",
        f"journal_size_limit = {_LOG_BYTES}",
        "wal_autocheckpoint = 0",  # the writer's business
        "secure_delete = OFF",  # some builds overwrite what is deleted, at the hot path's cost
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def _look(path: Path) -> int:
    """The schema version, 0 for an empty file; changes nothing, whatever the file is."""
    if not _size(path):
        _refuse_log_alone(path)
        return 0
    with contextlib.closing(checking.read_only(path)) as connection:
        try:
            return schema.found_version(connection, path)
        except READ_ERRORS as error:
            raise explained(path, error) from error


def _refuse_log_alone(path: Path) -> None:
    """SQLite would delete a log without a database, and with it all that was stored."""
    beside = _beside(path, "-wal")
    if _size(beside):
        raise DamagedError(path, f"it is empty, and its log {beside.name} is not")
    with reading.opened(path) as ledger:
        if ledger.last:
            raise DamagedError(path, "it is empty, and its ledger is not")


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Store what the last life had only in its ledger."""
    with reading.opened(path) as ledger:
        replay(connection, path, ledger)
        if ledger.is_unfinished:
            log.warning(
                "The last commit in the ledger of %s is not whole and is left out, as is right "
                "after a kill or a power cut: nobody was told of it. If there was neither, the "
                "disk has damaged it",
                path,
            )


def _check(
    connection: sqlite3.Connection, path: Path, version: int, settings: SqliteSettings
) -> bool:
    if version == 0:
        return True
    size = _size(path) + _size(_beside(path, "-wal"))
    whole = version < schema.NEWEST or size <= settings.check_bytes_max
    if whole:
        found = checking.problems(connection, path, version)
    else:
        found = list(checking.frame_problems(connection))
    if found:
        raise DamagedError(path, "; ".join(found))
    return whole


def _upgrade(connection: sqlite3.Connection, path: Path, version: int) -> None:
    fold_in(connection)
    kept = copy_before_upgrade(connection, path, version)
    schema.migrate(connection, version)
    log.info(
        "%s was upgraded from schema version %d to %d; as it was before it is kept in %s",
        path,
        version,
        schema.NEWEST,
        kept,
    )


def _beside(path: Path, end: str) -> Path:
    return path.with_name(f"{path.name}{end}")


def _size(path: Path) -> int:
    """0 also if it is not there."""
    return path.stat().st_size if path.exists() else 0

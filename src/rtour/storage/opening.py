"""Opening the data file for a server: look before touching, check, upgrade, bring it up to date.

Whatever is wrong is refused before anything is changed, and says what to do.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from pathlib import Path

from rtour.storage import checking, schema
from rtour.storage.copies import copy_before_upgrade
from rtour.storage.failures import READ_ERRORS, DamagedError, explained
from rtour.storage.ledger import reading
from rtour.storage.replaying import replay
from rtour.storage.settings import SqliteSettings
from rtour.storage.writer import fold_in

log = logging.getLogger("rtour.storage")

# After a burst the log file shrinks to this when it starts over.
_LOG_BYTES = 64 * 1024 * 1024


def open_database(path: Path, settings: SqliteSettings) -> tuple[sqlite3.Connection, bool]:
    """The writer's connection to an existing file, and whether all of the file was checked.

    Raises StorageError for a file that is damaged, foreign or of a later version.
    """
    version = _look(path)
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
    if path.stat().st_size == 0:
        _refuse_log_alone(path)
        return 0
    with contextlib.closing(checking.read_only(path)) as connection:
        try:
            return schema.found_version(connection, path)
        except READ_ERRORS as error:
            raise explained(path, error) from error


def _refuse_log_alone(path: Path) -> None:
    """SQLite would delete a log without a database, and with it all that was stored."""
    beside = path.with_name(f"{path.name}-wal")
    if beside.exists() and beside.stat().st_size:
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
    parts = (path, path.with_name(f"{path.name}-wal"))
    size = sum(part.stat().st_size for part in parts if part.exists())
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

"""Changes go into the database: one transaction for many commits, which the ledger has already.

Nobody waits for it, so it is not synced; a commit that is too large for the ledger comes here at
once, and is. The write-ahead log is folded back into the database when it is long, and starts over.

Pages that were freed are used again. When they are many the writer cuts some off the file's end
before it copies, so that a file that was large once does not stay so.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from rtour.storage.ledger.writing import datasync
from rtour.storage.plan import UPDATE_INVOCATION, Step
from rtour.storage.settings import SqliteSettings

# What is cut off with one checkpoint: more than its rows can have freed, and soon done.
_PAGES_AT_A_TIME = 512


class Writer:
    """Has the connection that writes, and the log that it fills.

    Used by one thread at a time. Each method returns its failure, if it has one.
    """

    def __init__(self, connection: sqlite3.Connection, log: Path, settings: SqliteSettings) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._log = os.open(log, os.O_RDWR)
        self._settings = settings
        self._rows = 0
        self._bytes = 0

    def store(self, steps: list[Step], size: int, *, sync: bool = False) -> BaseException | None:
        """Carry out all steps or none. `size` is about how many bytes they write."""
        sync = sync and self._settings.sync
        try:
            if sync:
                self._cursor.execute("PRAGMA synchronous = FULL").fetchall()
            transact(self._cursor, steps)
            if sync:
                self._cursor.execute("PRAGMA synchronous = NORMAL").fetchall()
        except BaseException as error:  # noqa: BLE001 - whatever it is, nothing was stored
            return error
        self._rows += sum(len(rows) for _, rows in steps)
        self._bytes += size
        return None

    def is_log_long(self) -> bool:
        """Whether the log had better be folded in."""
        settings = self._settings
        return self._rows >= settings.checkpoint_rows or self._bytes >= settings.checkpoint_bytes

    def fold_in(self) -> BaseException | None:
        """Copy the log into the database, after giving free pages back.

        What a reader still needs stays in the log, which grows until it may start over.
        """
        self._rows = self._bytes = 0
        failure = _give_back(self._connection, self._settings.spare_pages)
        return failure or _checkpoint(self._connection)

    def sync(self) -> BaseException | None:
        """Make durable what was stored so far."""
        if self._settings.sync:
            try:
                datasync(self._log)
            except OSError as error:
                return error
        return None

    def close(self) -> None:
        os.close(self._log)
        self._connection.close()


def transact(cursor: sqlite3.Cursor, steps: list[Step]) -> None:
    """Carry out all steps, or none and raise why."""
    cursor.execute("BEGIN IMMEDIATE")
    try:
        for sql, rows in steps:
            cursor.executemany(sql, rows)
            assert sql is not UPDATE_INVOCATION or cursor.rowcount == len(rows), "a row is gone"
        cursor.execute("COMMIT")
    except BaseException:
        if cursor.connection.in_transaction:
            cursor.execute("ROLLBACK")
        raise


# Somebody reads what would be overwritten, or the disk is full: the log is sound and grows.
_LATER = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})


def _checkpoint(connection: sqlite3.Connection, mode: str = "PASSIVE") -> BaseException | None:
    """Copy the log into the database as far as nobody is in the way.

    A failed sync is not tried again, as the system may have dropped what it could not write: the
    log still has it, for the next life.
    """
    try:
        connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
    except sqlite3.Error as error:
        return _lasting(error)
    return None


def _lasting(error: sqlite3.Error) -> BaseException | None:
    """The error, unless the next try may do better."""
    return None if error.sqlite_errorcode & 0xFF in _LATER else error


def _give_back(connection: sqlite3.Connection, spare_pages: int) -> BaseException | None:
    """Return free pages to the disk, if they are more than `spare_pages` and a quarter of all.

    A file made before this was so has no map of its pages: it keeps its size.
    """
    try:
        ((free,),) = connection.execute("PRAGMA freelist_count").fetchall()
        ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
        if free > max(spare_pages, pages // 4):
            # A script, since this is done a page per step, and `execute` takes one step.
            connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_A_TIME})")
    except sqlite3.Error as error:
        return _lasting(error)
    return None


def fold_in(connection: sqlite3.Connection) -> None:
    """Empty the log that the server's last life left, into the database.

    A life that is killed before its log is full leaves it to the next one: without this, a server
    that is killed again and again would have a log without end.
    """
    error = _checkpoint(connection, "TRUNCATE")
    if error is not None:
        raise error

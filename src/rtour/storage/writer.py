"""Commits: one transaction per batch, in the event loop or in a thread of its own.

The write-ahead log is folded back into the database beside the commits, not by one of them: a
second thread with its own connection copies what it can while the writer goes on. Then the writer
itself copies the little that came meanwhile, for only a log that is copied to its end starts over.

Pages that were freed are used again. When they are many the writer cuts some off the file's end
before it copies, so that a file that was large once does not stay so.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from rtour.storage.batch import Batch
from rtour.storage.log_room import LogRoom
from rtour.storage.plan import UPDATE_INVOCATION, Step, plan
from rtour.storage.settings import CommitIn, SqliteSettings

Job = Callable[[], None]

# A commit's share in the running mean of commit times.
_SHARE = 0.05
# The disk may have recovered: one commit in so many is tried in the loop again.
_RETRY_LOOP = 500
# What is cut off with one checkpoint: more than its rows can have freed, and soon done.
_PAGES_AT_A_TIME = 512


class Worker:
    """A thread that does one job after another."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def do(self, job: Job) -> None:
        self._jobs.put(job)

    def stop(self) -> None:
        """Finish what was asked for."""
        self._jobs.put(None)
        self._thread.join()


class Writer:
    """Makes batches durable, one at a time."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        checkpoints: sqlite3.Connection,
        settings: SqliteSettings,
        room: LogRoom | None = None,
    ) -> None:
        self._connection = connection
        self._room = room
        self._cursor = connection.cursor()
        self._checkpoints = checkpoints
        self._settings = settings
        self._committer = Worker("rtour-commit")
        self._checkpointer = Worker("rtour-checkpoint")
        self._rows = 0
        self._checkpointing = False
        self._finish_checkpoint = False
        self._failure: BaseException | None = None  # of a checkpoint; the next commit tells
        self._busy = False
        self._mean_ms = 0.0
        self._until_retry = _RETRY_LOOP

    def commits_in_loop(self) -> bool:
        """Is the next batch better committed right here?"""
        where = self._settings.commit_in
        if where is CommitIn.THREAD or self._busy or self._finish_checkpoint:
            return False
        if where is CommitIn.LOOP or self._mean_ms <= self._settings.slow_commit_ms:
            return True
        self._until_retry -= 1
        if self._until_retry > 0:
            return False
        self._until_retry = _RETRY_LOOP
        self._mean_ms = self._settings.slow_commit_ms
        return True

    def commit(self, batch: Batch) -> BaseException | None:
        """Make the batch durable before returning."""
        return self._transact(plan(batch))

    def commit_in_thread(self, batch: Batch, done: Callable[[BaseException | None], None]) -> None:
        """Make the batch durable and call `done` in the thread."""
        self._busy = True
        steps = plan(batch)
        self._committer.do(lambda: self._in_thread(steps, done))

    def _in_thread(self, steps: list[Step], done: Callable[[BaseException | None], None]) -> None:
        finish, self._finish_checkpoint = self._finish_checkpoint, False
        error = self._transact(steps)
        if finish and error is None:
            done(None)
            self._note(_give_back(self._connection, self._settings.spare_pages))
            self._note(_checkpoint(self._connection))
            self._busy = False
        else:
            self._busy = False
            done(error)

    def _transact(self, steps: list[Step]) -> BaseException | None:
        if self._failure is not None:
            return self._failure
        cursor = self._cursor
        try:
            is_long = self._room is not None and self._room.ensure()
            cursor.execute("BEGIN IMMEDIATE")
            for sql, rows in steps:
                cursor.executemany(sql, rows)
                assert sql is not UPDATE_INVOCATION or cursor.rowcount == len(rows), "a row is gone"
            started = time.perf_counter()
            cursor.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - whatever it is, nothing was stored
            if self._connection.in_transaction:
                cursor.execute("ROLLBACK")
            return error
        # The wait for the disk alone: the rest needs the interpreter wherever it runs.
        took_ms = (time.perf_counter() - started) * 1000
        self._mean_ms += (took_ms - self._mean_ms) * _SHARE
        self._rows += sum(len(rows) for _, rows in steps)
        is_long = is_long or self._rows >= self._settings.checkpoint_rows
        if is_long and not self._checkpointing:
            self._rows = 0
            self._checkpointing = True
            self._checkpointer.do(self._checkpoint_beside)
        return None

    def _note(self, failure: BaseException | None) -> None:
        """Keep a failure for the next commit. Two threads come here: a success must not undo it."""
        if failure is not None:
            self._failure = failure

    def _checkpoint_beside(self) -> None:
        self._note(_checkpoint(self._checkpoints))
        self._finish_checkpoint = True
        self._checkpointing = False

    def close(self) -> None:
        """Finish the commit under way, then let go of the file."""
        self._committer.stop()
        self._checkpointer.stop()
        if self._room is not None:
            self._room.close()
        self._checkpoints.close()
        self._connection.close()


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

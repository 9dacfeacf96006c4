"""The storage in a folder: synchronous reads, durable batches, bounded memory.

`WorkingSet` answers reads, `Ledger` makes batches durable, `Carrier` brings them into the database
behind it, and this module opens the files and ties the three together.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import msgspec

from rtour.engine.changes import Change
from rtour.engine.model import Entry, Invocation, Timer
from rtour.engine.view import View
from rtour.storage import Recovered
from rtour.storage.cache import Cache
from rtour.storage.carrying import Carrier
from rtour.storage.failures import (
    READ_ERRORS,
    DiskError,
    FolderError,
    WriteFailedError,
    explained,
)
from rtour.storage.folder import Folder
from rtour.storage.ledger import pages, reading
from rtour.storage.ledger.pages import Written
from rtour.storage.ledger.writing import Ledger
from rtour.storage.opening import connect, open_database
from rtour.storage.reader import Reader
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.threads import CommitPlace, Here, Runner, Worker
from rtour.storage.working import WorkingSet
from rtour.storage.writer import Writer

# About what a record costs that goes into no ledger, which would have measured it.
_RECORD_BYTES = 1000

Done = Callable[[BaseException | None], None]


class SqliteStorage:
    """`Storage` over the file `rtour.db` in a folder that no other server uses.

    `checked` says whether all of the file was checked on the way, or only what holds it together.
    """

    def __init__(
        self,
        folder: Path,
        settings: SqliteSettings | None = None,
        *,
        ledger: bool = True,
        workers: Callable[[str], Runner] | None = None,
    ) -> None:
        settings = settings or SqliteSettings()
        self._settings = settings
        self._folder = Folder(folder)
        self.path = self._folder.database
        self._failure: BaseException | None = None
        try:
            self._folder.own_database()
            connection, self.checked = open_database(self.path, settings)
            reader = connect(self.path, settings, settings.page_cache_kib // 4)
            self._reader = Reader(reader, self.path)
            sequence, self._last_at = self._reader.place()
            self._ledger = _new_ledger(self._folder, settings) if ledger else None
            if settings.sync:
                self._folder.sync()
        except READ_ERRORS as error:
            self._folder.release()
            raise explained(self.path, error) from error
        except BaseException:
            self._folder.release()
            raise
        cache = Cache(settings.cache_items, settings.cache_bytes)
        self._working = WorkingSet(self._reader, cache, sequence)
        self._writer = Writer(connection, self._folder.log, settings)
        # A reader may have kept the log from being folded in, and the ledger begins anew.
        failure = self._writer.sync()
        if failure is not None:
            self._folder.release()
            raise DiskError(self.path, failure) from failure
        if workers is None:
            workers = Here if settings.commit_in is CommitIn.LOOP else Worker
        self._carrier = Carrier(self._working, self._writer, self._ledger, settings, workers)
        self._place = CommitPlace(settings.commit_in, settings.slow_commit_ms)
        self._worker = workers("rtour-commit")
        self._here = self._worker if settings.commit_in is CommitIn.LOOP else Here()

    @property
    def view(self) -> View:
        return self._working

    def recover(self) -> Recovered:
        self._reader.check_running()  # before anything is begun
        return Recovered(
            last_sequence=self._working.open.base,
            last_at=self._last_at,
            documents=self._reader.documents(),
            tellings=self._reader.tellings(),
        )

    def running_after(self, number: int, limit: int) -> list[Invocation]:
        return self._reader.running_after(number, limit)

    def stored(self, number: int) -> Invocation | None:
        return self._working.numbered(number)

    def write(self, changes: Iterable[Change], *, sequence: int, at: int) -> None:
        self._refuse_after_failure()
        self._working.write(changes, sequence, at)

    def commit(self, done: Done) -> None:
        self._refuse_after_failure()
        written, bulk = self._working.seal()
        settle = partial(self._settle, done)
        if self._carrier.failure is not None or not written:
            asyncio.get_running_loop().call_soon(settle, 0, self._carrier.failure)
        elif self._ledger is None:
            size = bulk + len(written) * _RECORD_BYTES
            asyncio.get_running_loop().call_soon(settle, size, None)
        elif bulk >= self._settings.large_bytes or self._carrier.is_late:
            self._carrier.store_now(bulk, partial(settle, 0))
        else:
            self._commit(self._ledger, written, settle)

    def _commit(
        self,
        ledger: Ledger,
        written: list[Written],
        settle: Callable[[int, BaseException | None], None],
    ) -> None:
        try:
            commit = pages.encode(written)
        except RecursionError:  # a future that nests too deep for its encoding, not for a row's
            self._carrier.store_now(len(written) * _RECORD_BYTES, partial(settle, 0))
            return
        runner = self._here if self._place.is_loop() else self._worker
        runner.run(partial(self._append, ledger, commit), partial(settle, len(commit)))

    def _append(self, ledger: Ledger, commit: bytearray) -> BaseException | None:
        flight = self._working.flight
        assert flight is not None
        started = time.perf_counter()
        try:
            ledger.append(commit, flight.base, flight.sequence)
        except OSError as error:
            return error
        self._place.took((time.perf_counter() - started) * 1000)
        return None

    def _settle(self, done: Done, size: int, error: BaseException | None) -> None:
        if error is None:
            self._working.settle()
        elif isinstance(error, OSError):
            error = WriteFailedError(self.path, error.strerror)
        elif isinstance(error, sqlite3.OperationalError):
            error = WriteFailedError(self.path, error)
        self._failure = error
        done(error)
        if size and error is None:
            self._carrier.grew(size)

    async def carried(self) -> None:
        await self._carrier.carried()

    def _refuse_after_failure(self) -> None:
        if isinstance(self._failure, WriteFailedError):
            raise self._failure
        if self._failure is not None:
            raise WriteFailedError(self.path, self._failure) from self._failure

    def journal(self, invocation: Invocation) -> list[Entry]:
        return self._working.entries(invocation)[: invocation.journal_length]

    def object_state(
        self, service: str, key: str, *, committed: bool, bytes_max: int | None = None
    ) -> dict[bytes, bytes]:
        if committed:
            return self._working.durable_state(service, key, bytes_max)
        return self._working.all_state(service, key, bytes_max)

    def timers_after(self, after: Timer | None, limit: int) -> list[Timer]:
        return self._working.timers_after(after, limit)

    def expired(self, at: int, limit: int) -> list[tuple[str, bool]]:
        self._carrier.carry()
        return self._reader.expired(at, limit)

    def close(self) -> None:
        self._worker.stop()
        self._carrier.close()
        self._reader.close()
        self._writer.close()
        if self._ledger is not None:
            self._close(self._ledger)
        self._folder.release()

    def _close(self, ledger: Ledger) -> None:
        """After SQLite has folded its log in; beside a reader it has not.

        Then the ledger keeps what it knows of the database: it tells when that log is damaged.
        """
        is_sound = self._carrier.failure is None and self._failure is None
        if is_sound and not self._folder.has_log():
            with contextlib.suppress(OSError):
                ledger.retire()
        ledger.close()


def _new_ledger(folder: Folder, settings: SqliteSettings) -> Ledger:
    """A ledger of what the database does not have yet: nothing, since it was just opened.

    Where a reader has kept the log from being folded in, the last commits in the ledger stay until
    there is another one, whose base tells of them: should the log be damaged, they are missed.
    """
    database = folder.database
    volumes = reading.older_first if folder.has_log() else pages.volumes
    try:
        return Ledger(
            volumes(database),
            sync=settings.sync,
            volume_bytes=settings.volume_bytes,
            step_bytes=settings.step_bytes,
        )
    except OSError as error:
        raise FolderError(database.parent, error) from error


class EphemeralStorage(SqliteStorage):
    """The same in a temporary folder, without waiting for the disk; gone when closed."""

    def __init__(self, settings: SqliteSettings | None = None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="rtour-")
        settings = settings or SqliteSettings()
        settings = msgspec.structs.replace(settings, sync=False)
        super().__init__(Path(self._temporary.name), settings, ledger=False)

    def close(self) -> None:
        super().close()
        self._temporary.cleanup()

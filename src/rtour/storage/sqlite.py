"""The storage in one SQLite file: synchronous reads, durable batches, bounded memory.

`WorkingSet` answers reads, `Writer` makes batches durable, and this module opens the file and ties
the two together.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from rtour.engine.changes import Change
from rtour.engine.model import Entry, Invocation, Timer
from rtour.engine.view import View
from rtour.storage import Recovered
from rtour.storage.cache import Cache
from rtour.storage.failures import READ_ERRORS, WriteFailedError, explained
from rtour.storage.folder import Folder
from rtour.storage.log_room import IS_POSSIBLE, LogRoom
from rtour.storage.opening import connect, open_database
from rtour.storage.reader import Reader
from rtour.storage.settings import SqliteSettings
from rtour.storage.working import WorkingSet
from rtour.storage.writer import Writer

Done = Callable[[BaseException | None], None]


class SqliteStorage:
    """`Storage` over the file `rtour.db` in a folder that no other server uses.

    `checked` says whether all of the file was checked on the way, or only what holds it together.
    """

    def __init__(self, folder: Path, settings: SqliteSettings | None = None) -> None:
        settings = settings or SqliteSettings()
        self._folder = Folder(folder)
        self.path = self._folder.database
        self._failure: BaseException | None = None
        try:
            self._folder.make_database()
            writer, self.checked = open_database(self.path, settings)
            reader = connect(self.path, settings, settings.page_cache_kib // 4)
            checkpoints = connect(self.path, settings, settings.page_cache_kib // 4)
            self._reader = Reader(reader, self.path)
            sequence, self._last_at = self._reader.place()
        except READ_ERRORS as error:
            self._folder.release()
            raise explained(self.path, error) from error
        except BaseException:
            self._folder.release()
            raise
        step, enough = settings.log_step_bytes, settings.log_enough_bytes
        room = LogRoom(self._folder.log, step, enough) if step and IS_POSSIBLE else None
        self._writer = Writer(writer, checkpoints, settings, room)
        cache = Cache(settings.cache_items, settings.cache_bytes)
        self._working = WorkingSet(self._reader, cache, sequence)

    @property
    def view(self) -> View:
        return self._working

    def recover(self) -> Recovered:
        self._reader.check_running()  # before anything is begun
        return Recovered(
            last_sequence=self._working.open.base,
            last_at=self._last_at,
            documents=self._reader.documents(),
        )

    def running_after(self, number: int, limit: int) -> list[Invocation]:
        return self._reader.running_after(number, limit)

    def stored(self, number: int) -> Invocation | None:
        return self._reader.numbered(number)

    def write(self, changes: Iterable[Change], *, sequence: int, at: int) -> None:
        self._refuse_after_failure()
        self._working.open.add(changes, sequence, at)

    def commit(self, done: Done) -> None:
        self._refuse_after_failure()
        loop = asyncio.get_running_loop()
        batch = self._working.seal()
        if batch.is_empty:
            loop.call_soon(self._settle, done, None)
        elif self._writer.commits_in_loop():
            loop.call_soon(self._settle, done, self._writer.commit(batch))
        else:

            def settle_in_loop(error: BaseException | None) -> None:
                loop.call_soon_threadsafe(self._settle, done, error)

            self._writer.commit_in_thread(batch, settle_in_loop)

    def _settle(self, done: Done, error: BaseException | None) -> None:
        if error is None:
            try:
                self._working.settle()
            except AssertionError as broken:  # whoever waits must hear of it, too
                error = broken
        elif isinstance(error, sqlite3.OperationalError):
            error = WriteFailedError(self.path, error)
        self._failure = error
        done(error)

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
        source = self._reader if committed else self._working
        return source.all_state(service, key, bytes_max)

    def timers_after(self, after: Timer | None, limit: int) -> list[Timer]:
        return self._working.timers_after(after, limit)

    def expired(self, at: int, limit: int) -> list[tuple[str, bool]]:
        return self._reader.expired(at, limit)

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
        self._folder.release()


class EphemeralStorage(SqliteStorage):
    """The same in a temporary folder, without waiting for the disk; gone when closed."""

    def __init__(self, settings: SqliteSettings | None = None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="rtour-")
        settings = settings or SqliteSettings()
        settings = msgspec.structs.replace(settings, sync=False, log_step_bytes=0)
        super().__init__(Path(self._temporary.name), settings)

    def close(self) -> None:
        super().close()
        self._temporary.cleanup()

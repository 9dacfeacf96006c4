"""The durable rows, read one key or one range at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rtour.engine.commands import Document, Tell
from rtour.engine.model import (
    DocumentKind,
    Entry,
    InboxItem,
    Invocation,
    Promise,
    Sink,
    Telling,
    Timer,
)
from rtour.storage import rows, sums
from rtour.storage.failures import READ_ERRORS, RowDamagedError, explained
from rtour.storage.rows import Row

_INVOCATION = (
    f"SELECT {', '.join((*rows.BORN_COLUMNS, *rows.GROWN_COLUMNS))}, born_sum, grown_sum "  # noqa: S608
    "FROM invocation"
)
# A partial index is used only by queries that repeat its condition.
_RUNNING = (
    f"{_INVOCATION} WHERE status != 'completed' AND status = 'invoked' AND number > ? "
    "ORDER BY number LIMIT ?"
)
# Most ids asked for are new: a query without columns to describe says so in a third of the time.
_NUMBER = "SELECT number FROM invocation WHERE id = ?"
_BY_NUMBER = f"{_INVOCATION} WHERE number = ?"
_ENTRIES = (
    f"SELECT number, {', '.join(rows.ENTRY_COLUMNS)}, sum FROM journal "  # noqa: S608
    "WHERE number = ? AND idx >= ? ORDER BY idx"
)
_LOCK = "SELECT service, key, holder, sum FROM lock WHERE service = ? AND key = ?"
_INBOX = (
    "SELECT service, key, sequence, invocation_id, patch, sum FROM inbox "
    "WHERE service = ? AND key = ? AND sequence > ? ORDER BY sequence LIMIT ?"
)
_ALL_STATE = "SELECT service, key, name, value, sum FROM state WHERE service = ? AND key = ?"
_STATE = f"{_ALL_STATE} AND name = ?"
_PROMISE = (
    f"SELECT service, key, name, {', '.join(rows.PROMISE_COLUMNS)}, sum FROM promise "  # noqa: S608
    "WHERE service = ? AND key = ? AND name = ?"
)
_WAITERS = (
    f"SELECT {', '.join(rows.WAITER_COLUMNS)}, sum FROM waiter "  # noqa: S608
    "WHERE number = ? AND (waiter, completion_id, type) > (?, ?, ?) "
    "ORDER BY waiter, completion_id, type LIMIT ?"
)
_TELLINGS = f"SELECT {', '.join(rows.TELLING_COLUMNS)}, sum FROM telling"  # noqa: S608
_TELLING = f"{_TELLINGS} WHERE number = ?"
_TIMERS = (
    "SELECT at, number, completion_id, kind, invocation_id, sum FROM timer "
    "WHERE (at, number, completion_id, kind, invocation_id) > (?, ?, ?, ?, ?) "
    "ORDER BY at, number, completion_id, kind, invocation_id LIMIT ?"
)
_EXPIRED = (
    "SELECT id, completed_at + completion_retention_ms <= ?1 FROM invocation "
    "WHERE expires_at IS NOT NULL AND expires_at <= ?1 ORDER BY expires_at, number LIMIT ?2"
)
_DOCUMENTS = "SELECT kind, id, json, sum FROM document"
_DOCUMENT = f"{_DOCUMENTS} WHERE kind = ? AND id = ?"
_PLACE = "SELECT last_sequence, last_at, sum FROM meta"

_BORN = len(rows.BORN_COLUMNS)


class Reader:
    """Queries over one connection; each is over when its method returns, so no snapshot is held.

    What does not match its sum is never given out: `DamagedError` says which row it is.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def _all(self, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except READ_ERRORS as error:
            raise explained(self._path, error) from error

    def _whole(self, table: str, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        """Rows that match the sum at their end."""
        found = self._all(sql, values)
        for row in found:
            self._check(table, row)
        return found

    def _check(self, table: str, row: Row) -> None:
        if sums.of_read(*row[:-1]) != row[-1]:
            raise self.damaged(table, row[:3])

    def damaged(self, table: str, key: Row) -> RowDamagedError:
        """The error that says which row is not as it was written."""
        return RowDamagedError(self._path, table, key)

    def invocation(self, id_: str) -> Invocation | None:
        known = self._all(_NUMBER, (id_,))
        if not known:
            return None
        found = self._all(_BY_NUMBER, known[0])
        if not found or found[0][1] != id_:
            raise self.damaged("invocation", (id_,))
        return self._invocation(found[0])

    def numbered(self, number: int) -> Invocation | None:
        found = self._all(_BY_NUMBER, (number,))
        return self._invocation(found[0]) if found else None

    def _invocation(self, row: Row) -> Invocation:
        self._check_invocation(row)
        return rows.read_invocation(row)

    def _check_invocation(self, row: Row) -> None:
        *values, born_sum, grown_sum = row
        born, grown = values[:_BORN], values[_BORN:]
        if sums.of_read(*born) != born_sum or sums.of_read(row[0], *grown) != grown_sum:
            raise self.damaged("invocation", row[:2])

    def entries(self, number: int, first: int) -> list[Entry]:
        found = self._whole("journal", _ENTRIES, (number, first))
        if found and found[-1][1] != first + len(found) - 1:
            raise self.damaged("journal", (number, "an entry between others is gone"))
        return [rows.read_entry(row[1:-1]) for row in found]

    def lock(self, service: str, key: str) -> str | None:
        found = self._whole("lock", _LOCK, (service, key))
        return found[0][2] if found else None

    def inbox(self, service: str, key: str, after: int, limit: int) -> list[InboxItem]:
        """The first `limit` items behind the sequence `after`."""
        found = self._whole("inbox", _INBOX, (service, key, after, limit))
        return [rows.read_inbox_item(row[2:-1]) for row in found]

    def state(self, service: str, key: str, name: bytes) -> bytes | None:
        found = self._whole("state", _STATE, (service, key, name))
        return found[0][3] if found else None

    def all_state(self, service: str, key: str, bytes_max: int | None = None) -> dict[bytes, bytes]:
        """What is there, or so much of it that it is longer than `bytes_max`."""
        state: dict[bytes, bytes] = {}
        room = bytes_max
        try:
            for row in self._connection.execute(f"{_ALL_STATE} ORDER BY name", (service, key)):
                self._check("state", row)
                _, _, name, value, _ = row
                state[name] = value
                if room is not None:
                    room -= len(name) + len(value)
                    if room < 0:
                        break
        except READ_ERRORS as error:
            raise explained(self._path, error) from error
        return state

    def promise(self, service: str, key: str, name: str) -> Promise | None:
        found = self._whole("promise", _PROMISE, (service, key, name))
        return rows.read_promise(found[0][3:-1]) if found else None

    def waiters(self, number: int, page: int) -> Iterator[Sink]:
        """Those who wait for an invocation, read so many at a time."""
        place: Row = (-1, -1, -1)
        while found := self._whole("waiter", _WAITERS, (number, *place, page)):
            for row in found:
                yield rows.read_waiter(row[:-1])
            if len(found) < page:
                return
            place = found[-1][1:4]

    def telling(self, number: int) -> Telling | None:
        found = self._whole("telling", _TELLING, (number,))
        return rows.read_telling(found[0][:-1]) if found else None

    def tellings(self) -> list[Tell]:
        """Without the results, which may be large."""
        found: list[Tell] = []
        try:
            for row in self._connection.execute(f"{_TELLINGS} ORDER BY number"):
                self._check("telling", row)
                found.append(Tell(row[1], row[0]))
        except READ_ERRORS as error:
            raise explained(self._path, error) from error
        return found

    def timers_after(self, after: Timer | None, limit: int) -> list[Timer]:
        start = (-1, -1, -1, -1, "") if after is None else rows.timer(after)
        found = self._whole("timer", _TIMERS, (*start, limit))
        return [rows.read_timer(row[:-1]) for row in found]

    def expired(self, at: int, limit: int) -> list[tuple[str, bool]]:
        """Without sums: whoever is told reads the invocation itself before forgetting it."""
        return [(id_, bool(whole)) for id_, whole in self._all(_EXPIRED, (at, limit))]

    def check_running(self) -> None:
        """That all running invocations are as they were written, however many there are."""
        try:
            for row in self._connection.execute(_RUNNING, (0, -1)):
                self._check_invocation(row)
        except READ_ERRORS as error:
            raise explained(self._path, error) from error

    def running_after(self, number: int, limit: int) -> list[Invocation]:
        return [self._invocation(row) for row in self._all(_RUNNING, (number, limit))]

    def documents(self) -> list[Document]:
        return [
            Document(DocumentKind(kind), id_, json.encode())
            for kind, id_, json, _ in self._whole("document", f"{_DOCUMENTS} ORDER BY kind, id")
        ]

    def document(self, kind: DocumentKind, id_: str) -> bytes | None:
        found = self._whole("document", _DOCUMENT, (kind, id_))
        return found[0][2].encode() if found else None

    def place(self) -> tuple[int, int]:
        """The sequence and time of the last durable record."""
        found = self._whole("meta", _PLACE)
        if len(found) != 1:
            raise self.damaged("meta", ("its only row is gone",))
        return found[0][0], found[0][1]

    def close(self) -> None:
        self._connection.close()

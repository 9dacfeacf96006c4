"""The durable rows, read one key or one range at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rtour.engine.commands import Document
from rtour.engine.model import DocumentKind, Entry, InboxItem, Invocation, Promise, Timer
from rtour.storage import rows
from rtour.storage.failures import explained

_INVOCATION = f"SELECT {', '.join((*rows.BORN_COLUMNS, *rows.GROWN_COLUMNS))} FROM invocation"  # noqa: S608
# A partial index is used only by queries that repeat its condition.
_RUNNING = f"{_INVOCATION} WHERE status != 'completed' AND status = 'invoked' ORDER BY number"
# Most ids asked for are new: a query without columns to describe says so in a third of the time.
_NUMBER = "SELECT number FROM invocation WHERE id = ?"
_BY_NUMBER = f"{_INVOCATION} WHERE number = ?"
_ENTRIES = (
    f"SELECT {', '.join(rows.ENTRY_COLUMNS)} FROM journal "  # noqa: S608
    "WHERE number = ? AND idx >= ? ORDER BY idx"
)
_LOCK = "SELECT holder FROM lock WHERE service = ? AND key = ?"
_INBOX = (
    "SELECT sequence, invocation_id, patch FROM inbox "
    "WHERE service = ? AND key = ? AND sequence > ? ORDER BY sequence LIMIT ?"
)
_STATE = "SELECT value FROM state WHERE service = ? AND key = ? AND name = ?"
_ALL_STATE = "SELECT name, value FROM state WHERE service = ? AND key = ? ORDER BY name"
_PROMISE = (
    f"SELECT {', '.join(rows.PROMISE_COLUMNS)} FROM promise "  # noqa: S608
    "WHERE service = ? AND key = ? AND name = ?"
)
_TIMERS = (
    "SELECT at, number, completion_id, kind, invocation_id FROM timer "
    "WHERE (at, number, completion_id, kind, invocation_id) > (?, ?, ?, ?, ?) "
    "ORDER BY at, number, completion_id, kind, invocation_id LIMIT ?"
)
_EXPIRED = (
    "SELECT id, completed_at + completion_retention_ms <= ?1 FROM invocation "
    "WHERE expires_at IS NOT NULL AND expires_at <= ?1 ORDER BY expires_at, number LIMIT ?2"
)
_DOCUMENTS = "SELECT kind, id, json FROM document ORDER BY kind, id"
_DOCUMENT = "SELECT json FROM document WHERE kind = ? AND id = ?"
_PLACE = "SELECT last_sequence, last_at FROM meta"

_INBOX_PAGE = 16


class Reader:
    """Queries over one connection; each is over when its method returns, so no snapshot is held."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def _all(self, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise explained(self._path, error) from error

    def invocation(self, id_: str) -> Invocation | None:
        known = self._all(_NUMBER, (id_,))
        if not known:
            return None
        found = self._all(_BY_NUMBER, known[0])
        return rows.read_invocation(found[0]) if found else None

    def entries(self, number: int, first: int) -> list[Entry]:
        return [rows.read_entry(row) for row in self._all(_ENTRIES, (number, first))]

    def lock(self, service: str, key: str) -> str | None:
        found = self._all(_LOCK, (service, key))
        return found[0][0] if found else None

    def inbox(self, service: str, key: str) -> Iterator[InboxItem]:
        """Page by page: whoever takes the first pays for a few."""
        last = -1
        while page := self._all(_INBOX, (service, key, last, _INBOX_PAGE)):
            yield from map(rows.read_inbox_item, page)
            if len(page) < _INBOX_PAGE:
                return
            last = page[-1][0]

    def state(self, service: str, key: str, name: bytes) -> bytes | None:
        found = self._all(_STATE, (service, key, name))
        return found[0][0] if found else None

    def all_state(self, service: str, key: str, bytes_max: int | None = None) -> dict[bytes, bytes]:
        """What is there, or so much of it that it is longer than `bytes_max`."""
        if bytes_max is None:
            return dict(self._all(_ALL_STATE, (service, key)))
        state: dict[bytes, bytes] = {}
        room = bytes_max
        try:
            for name, value in self._connection.execute(_ALL_STATE, (service, key)):
                state[name] = value
                room -= len(name) + len(value)
                if room < 0:
                    break
        except sqlite3.DatabaseError as error:
            raise explained(self._path, error) from error
        return state

    def promise(self, service: str, key: str, name: str) -> Promise | None:
        found = self._all(_PROMISE, (service, key, name))
        return rows.read_promise(found[0]) if found else None

    def timers_after(self, after: Timer | None, limit: int) -> list[Timer]:
        start = (-1, -1, -1, -1, "") if after is None else rows.timer(after)
        return [rows.read_timer(row) for row in self._all(_TIMERS, (*start, limit))]

    def expired(self, at: int, limit: int) -> list[tuple[str, bool]]:
        return [(id_, bool(whole)) for id_, whole in self._all(_EXPIRED, (at, limit))]

    def running(self) -> list[Invocation]:
        return [rows.read_invocation(row) for row in self._all(_RUNNING)]

    def documents(self) -> list[Document]:
        return [
            Document(DocumentKind(kind), id_, json.encode())
            for kind, id_, json in self._all(_DOCUMENTS)
        ]

    def document(self, kind: DocumentKind, id_: str) -> bytes | None:
        found = self._all(_DOCUMENT, (kind, id_))
        return found[0][0].encode() if found else None

    def place(self) -> tuple[int, int]:
        """The sequence and time of the last durable record."""
        ((sequence, at),) = self._all(_PLACE)
        return sequence, at

    def close(self) -> None:
        self._connection.close()

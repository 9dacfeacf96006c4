"""SQL over what is stored: Restate's `sys_*` tables and `state`, read-only.

Each table is a view over the stored rows, documented column by column in `TABLES`. What only the
invoker knows (attempts, back-off) is copied into a temporary table before each query. A query sees
one snapshot of what is durable and holds up neither reads nor commits of the server.

Values are SQLite's; `columns.Type` says how to read them. The dialect, JSON and Arrow belong to
`server.query`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from rtour.storage.introspection.columns import Column, Table, Type
from rtour.storage.introspection.functions import register
from rtour.storage.introspection.invocations import (
    FILL_LIVE,
    LIVE_TABLE,
    SYS_INVOCATION,
    SYS_INVOCATION_BY_STATUS,
    LiveAttempt,
)
from rtour.storage.introspection.tables import TABLES

__all__ = [
    "TABLES",
    "Column",
    "Introspection",
    "LiveAttempt",
    "Table",
    "Type",
    "open_introspection",
]

_ALLOWED = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)
_CACHE_KIB = 2048
# A guess is enough: either view gives the same rows.
_BY_STATUS = re.compile(r"""\bstatus["`\]]?\s*(=|!|<|in\b|not\b)""", re.IGNORECASE)


def _authorize(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


class Introspection:
    """One connection for one query at a time, usable from any thread."""

    def __init__(
        self, connection: sqlite3.Connection, live: Callable[[], Iterable[LiveAttempt]]
    ) -> None:
        self.connection = connection
        self._live = live
        self._invocations = SYS_INVOCATION

    def rows(
        self, sql: str, parameters: tuple[object, ...] | Mapping[str, object] = ()
    ) -> sqlite3.Cursor:
        """Run one statement that only reads; `live` is asked in the calling thread."""
        if "sys_invocation" in sql.lower():
            self._prepare(SYS_INVOCATION_BY_STATUS if _BY_STATUS.search(sql) else SYS_INVOCATION)
        self.connection.set_authorizer(_authorize)
        return self.connection.execute(sql, parameters)

    def _prepare(self, invocations: Table) -> None:
        """Copy what the invoker knows, and let `sys_invocation` read its rows the faster way."""
        connection = self.connection
        attempts = [msgspec.structs.astuple(attempt) for attempt in self._live()]
        connection.set_authorizer(None)
        connection.execute("PRAGMA query_only = OFF")
        connection.execute("BEGIN")
        if invocations is not self._invocations:
            connection.execute(f"DROP VIEW temp.{invocations.name}")
            connection.execute(invocations.view())
            self._invocations = invocations
        connection.execute("DELETE FROM temp.live_attempt")
        connection.executemany(FILL_LIVE, attempts)
        connection.execute("COMMIT")
        connection.execute("PRAGMA query_only = ON")

    def interrupt(self) -> None:
        """Stop the running query, from any thread: it raises `sqlite3.OperationalError`."""
        self.connection.interrupt()

    def close(self) -> None:
        self.connection.close()


def open_introspection(
    path: Path, live: Callable[[], Iterable[LiveAttempt]] = tuple
) -> Introspection:
    """Open the database file for queries; it can only be read through this connection."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    register(connection)
    # Once in use, the table function needs none of the rights that the authorizer denies.
    connection.execute("SELECT * FROM json_each('[]')").fetchall()
    connection.execute(LIVE_TABLE)
    for table in TABLES:
        connection.execute(table.view())
    connection.execute("PRAGMA query_only = ON")
    return Introspection(connection, live)

"""Runs statements on one read-only connection, within a time and a number of rows."""

from __future__ import annotations

import sqlite3
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rtour.server.query import catalog, failures, functions
from rtour.server.query.dialect import Statement, Tables, translate
from rtour.server.query.failures import QueryFailed
from rtour.storage.introspection import LiveAttempt, open_introspection

Rows = Sequence[Sequence[Any]]

# Large enough that a chunk's cost is its rows, small enough that a slow one is noticed.
CHUNK_ROWS = 500
_PROGRESS_STEPS = 20_000
_STATEMENTS_KEPT = 256
_KEPT_TEXT_MAX = 4096
_VALUE_BYTES_MAX = 128 * 1024 * 1024
_LIVE_TABLES = frozenset({"sys_invocation", "sys_invocation_state"})


class Runner:
    """Translates statements and runs them one after the other."""

    def __init__(self, path: Path, extra: Iterable[catalog.Described] = ()) -> None:
        self._live: Sequence[LiveAttempt] = ()
        self._introspection = open_introspection(path, lambda: self._live)
        connection = self._introspection.connection
        self._complaint = functions.register(connection)
        self._tables: dict[bool, Tables] = {}
        self._describe(connection, tuple(extra))
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_BYTES_MAX)
        connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 500)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.set_progress_handler(self._out_of_time, _PROGRESS_STEPS)
        self._deadline = 0.0
        self._kept: OrderedDict[tuple[str, bool], Statement] = OrderedDict()

    def _describe(
        self, connection: sqlite3.Connection, extra: tuple[catalog.Described, ...]
    ) -> None:
        connection.execute("PRAGMA query_only = OFF")
        connection.execute("PRAGMA case_sensitive_like = ON")
        connection.execute("BEGIN")
        for table in (*catalog.INFORMATION, *extra):
            table.create(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA query_only = ON")
        self._tables[False] = catalog.tables(catalog.INFORMATION)
        self._tables[True] = catalog.tables((*catalog.INFORMATION, *extra), ("pg_catalog",))

    @property
    def connection(self) -> sqlite3.Connection:
        return self._introspection.connection

    def statement(self, text: str, *, postgres: bool = False) -> Statement:
        """The translation, kept for the next time. Raises QueryFailed."""
        key = (text, postgres)
        known = self._kept.get(key)
        if known is None:
            known = translate(text, self._tables[postgres])
            if len(text) <= _KEPT_TEXT_MAX:
                self._kept[key] = known
                if len(self._kept) > _STATEMENTS_KEPT:
                    self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return known

    def run(
        self,
        statement: Statement,
        parameters: Mapping[str, Any],
        live: Sequence[LiveAttempt],
        *,
        timeout_ms: int,
        rows_max: int,
    ) -> Iterator[Rows]:
        """The rows, chunk by chunk. Raises QueryFailed, also between chunks."""
        self._deadline = time.monotonic() + timeout_ms / 1000
        self._live = live if statement.tables & _LIVE_TABLES else ()
        sql = f"EXPLAIN QUERY PLAN {statement.sql}" if statement.explained else statement.sql
        cursor: sqlite3.Cursor | None = None
        try:
            cursor = self._introspection.rows(sql, parameters)
            if statement.explained:
                yield _plan(statement.sql, cursor.fetchall())
                return
            yield from self._chunks(cursor, rows_max)
        except sqlite3.Error as error:
            raise self._explained(error, timeout_ms) from error
        except OverflowError as error:
            raise failures.execution(str(error)) from error
        finally:
            if cursor is not None:
                cursor.close()  # lets go of the snapshot

    def _chunks(self, cursor: sqlite3.Cursor, rows_max: int) -> Iterator[Rows]:
        seen = 0
        while chunk := cursor.fetchmany(CHUNK_ROWS):
            seen += len(chunk)
            if seen > rows_max:
                raise failures.too_many_rows(rows_max)
            yield chunk
            if len(chunk) < CHUNK_ROWS:
                return

    def _out_of_time(self) -> bool:
        return time.monotonic() > self._deadline

    def _explained(self, error: sqlite3.Error, timeout_ms: int) -> QueryFailed:
        complaint = self._complaint.take()
        words = str(error)
        if words == "interrupted":
            return failures.too_slow(timeout_ms)
        if complaint is not None and "user-defined" in words:
            return failures.execution(complaint)
        if "syntax error" in words:
            return failures.unsupported(words)
        return failures.execution(words)

    def close(self) -> None:
        self._introspection.close()


def _plan(sql: str, steps: list[tuple[int, int, int, str]]) -> Rows:
    """SQLite's plan, each step below the one it serves."""
    depths = {0: -1}
    lines = []
    for number, parent, _, detail in steps:
        depths[number] = depths.get(parent, -1) + 1
        lines.append("  " * depths[number] + detail)
    return [("logical_plan", sql), ("physical_plan", "\n".join(lines))]

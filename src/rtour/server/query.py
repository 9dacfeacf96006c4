"""`POST /query`: SQL over the `sys_*` tables as JSON rows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from rtour.server.web import JSON, Reply
from rtour.storage.introspection import LiveAttempt, open_introspection


class PlainQuery:
    """Runs each statement on a connection of its own, in a thread."""

    def __init__(self, path: Path, live: Callable[[], Iterable[LiveAttempt]]) -> None:
        self._path = path
        self._live = live

    async def __call__(self, sql: str, accept: str | None) -> Reply:
        del accept  # JSON is all there is here
        live = list(self._live())
        try:
            rows = await asyncio.to_thread(self._rows, sql, live)
        except sqlite3.Error as error:
            body = msgspec.json.encode({"message": f"SQL error: {error}"})
            return Reply(400, [JSON], body)
        return Reply(200, [JSON], msgspec.json.encode({"rows": rows}))

    def _rows(self, sql: str, live: list[LiveAttempt]) -> list[dict[str, object]]:
        introspection = open_introspection(self._path, lambda: live)
        try:
            cursor = introspection.rows(sql)
            names = [column[0] for column in cursor.description or ()]
            return [
                {
                    name: value.hex() if isinstance(value, bytes) else value
                    for name, value in zip(names, row, strict=True)
                    if value is not None
                }
                for row in cursor
            ]
        finally:
            introspection.close()

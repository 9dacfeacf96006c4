"""A storage with its SQL side."""

from __future__ import annotations

from pathlib import Path

from rtour.engine import changes as c
from rtour.storage.introspection import Introspection, LiveAttempt, open_introspection
from rtour.storage.sqlite import SqliteStorage

from . import values as v


class Stored:
    """A storage with its SQL side, and what the invoker would know."""

    def __init__(self, folder: Path) -> None:
        self.storage = SqliteStorage(folder)
        self.live: list[LiveAttempt] = []
        self.sql: Introspection = open_introspection(self.storage.path, lambda: self.live)
        self.sequence = 0

    async def write(self, *changes: c.Change) -> None:
        self.sequence += 1
        self.storage.write(changes, sequence=self.sequence, at=1)
        await v.committed(self.storage)

    def rows(self, sql: str) -> list[dict[str, object]]:
        cursor = self.sql.rows(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, sql: str) -> dict[str, object]:
        (row,) = self.rows(sql)
        return {name: value for name, value in row.items() if value is not None}

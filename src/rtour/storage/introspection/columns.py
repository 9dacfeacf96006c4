"""What a SQL table is made of, as data: the documentation and the SQL come from the same place."""

from __future__ import annotations

from typing import Literal

from rtour.engine.model import Struct

Type = Literal[
    "text",
    "u32",
    "u64",
    "bool",
    "timestamp",
    "duration",
    "binary",
    "list<u32>",
    "list<text>",
]
"""Restate's type of a column. SQLite carries them so, for the encoders to turn into theirs:

| type | in SQLite |
|---|---|
| u64 | a signed integer with the same 64 bits: add 2**64 to a negative one |
| bool | 0 or 1 |
| timestamp, duration | milliseconds (since the epoch) |
| binary | BLOB |
| list<…> | a JSON array as text |
"""


class Column(Struct):
    """A column: its name, Restate's type, what it means, and the SQL expression behind it."""

    name: str
    type: Type
    doc: str
    sql: str = "NULL"


class Table(Struct):
    """A view over stored rows: the same columns of one or more sources, put one after the other.

    A source is the FROM clause with its condition, and the expressions of the columns for which
    it has others. No source: an empty table.
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    sources: tuple[tuple[str, dict[str, str]], ...] = ()

    def view(self) -> str:
        """The statement that makes the view."""
        selects = [
            f"SELECT {', '.join(_shown(c, sql.get(c.name, c.sql)) for c in self.columns)} {source}"
            for source, sql in self.sources or (("WHERE 0", {}),)
        ]
        return f'CREATE TEMP VIEW "{self.name}" AS {" UNION ALL ".join(selects)}'


def _shown(column: Column, sql: str) -> str:
    return f'{sql} AS "{column.name}"'


def partition_key(sql: str) -> Column:
    return Column(
        "partition_key",
        "u64",
        "Where in the key space it lives: from the id, or a hash of the object's key.",
        sql,
    )


def scope(what: str) -> Column:
    return Column("scope", "text", f"The scope of the {what}; set by flow control alone.")

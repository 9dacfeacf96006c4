"""Checksums of rows: a bit that turns on the disk is noticed by whoever reads it.

SQLite knows whether its trees hang together, not whether a value is what was written. So every row
carries the CRC-32 of its other columns, which finds every single turned bit. An invocation has two:
of what it was born with, and of what changes, so that a change need not look up the rest.

A sum is taken of the row as it is written, packed: numbers, texts, blobs, and `ABSENT` for NULL.
"""

from __future__ import annotations

import sqlite3
from zlib import crc32

import msgspec

from rtour.storage import rows
from rtour.storage.rows import ABSENT, Row

_pack = msgspec.msgpack.Encoder().encode


class Sum(msgspec.Struct, frozen=True):
    """A column that holds the sum of other columns, and what to call a row of the table by.

    `since` is the first version of the schema that has it.
    """

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    column: str = "sum"
    since: int = 2


SUMS = (
    Sum("invocation", rows.BORN_COLUMNS, ("id",), "born_sum"),
    Sum("invocation", ("number", *rows.GROWN_COLUMNS), ("id",), "grown_sum"),
    Sum("journal", ("number", *rows.ENTRY_COLUMNS), ("number", "idx")),
    Sum("event", ("number", "type", "after_index", "appended_at", "error"), ("position",)),
    Sum("lock", ("service", "key", "holder"), ("service", "key")),
    Sum(
        "inbox",
        ("service", "key", "sequence", "invocation_id", "patch"),
        ("service", "key", "sequence"),
    ),
    Sum("state", ("service", "key", "name", "value"), ("service", "key", "name")),
    Sum("promise", ("service", "key", "name", *rows.PROMISE_COLUMNS), ("service", "key", "name")),
    Sum("waiter", rows.WAITER_COLUMNS, rows.WAITER_COLUMNS[:-1], since=4),
    Sum("telling", rows.TELLING_COLUMNS, ("number",), since=4),
    Sum("timer", rows.TIMER_COLUMNS, rows.TIMER_COLUMNS),
    Sum("document", ("kind", "id", "json"), ("kind", "id")),
    Sum("meta", ("last_sequence", "last_at"), ("one",)),
)
"""Every sum there is."""


def of(row: Row) -> int:
    """The sum of a row to be written."""
    return crc32(_pack(row))


def of_read(*row: object) -> int:
    """The sum of a row as it comes out of SQLite."""
    return crc32(_pack([ABSENT if value is None else value for value in row]))


def register(connection: sqlite3.Connection) -> None:
    """Make `row_sum(...)` known to SQL."""
    connection.create_function("row_sum", -1, of_read, deterministic=True)

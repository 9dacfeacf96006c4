"""The SQL functions behind the views. All are pure, so SQLite may move and skip their calls."""

from __future__ import annotations

import sqlite3
from typing import Any

from rtour import ids
from rtour.errors import InvalidId
from rtour.storage.introspection import awaited, entries
from rtour.storage.introspection.entries import Callee


def register(connection: sqlite3.Connection) -> None:
    """Make the functions known to the connection."""
    for name, arguments, function in (
        ("rtour_partition_of_id", 1, _partition_of_id),
        ("rtour_partition_of_key", 1, _partition_of_key),
        ("rtour_utf8", 1, _utf8),
        ("rtour_text", 1, _replaced),
        ("rtour_awaited_completions", 1, awaited.completions),
        ("rtour_awaited_signals", 1, awaited.signals),
        ("rtour_awaited_tree", 2, awaited.stored_tree),
        ("rtour_entry_type", 1, entries.entry_type),
        ("rtour_entry_name", 2, entries.entry_name),
        ("rtour_entry_json", 7, _entry_json),
        ("rtour_entry_lite_json", 7, _entry_lite_json),
        ("rtour_event_json", 2, entries.event_json),
    ):
        connection.create_function(name, arguments, function, deterministic=True)


def _signed(number: int) -> int:
    """The same 64 bits as SQLite's signed integer."""
    return number - (1 << 64) if number >> 63 else number


def _partition_of_id(id_: str) -> int | None:
    try:
        partition_key, _ = ids.parse_invocation_id(id_)
    except InvalidId:
        return None
    return _signed(partition_key)


def _partition_of_key(key: str) -> int:
    return _signed(ids.key_partition(key))


def _utf8(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _replaced(value: bytes) -> str:
    return value.decode(errors="replace")


def _entry_json(type_: int, raw: bytes, *callee: Any) -> str | None:
    return entries.entry_json(type_, raw, Callee(*callee))


def _entry_lite_json(type_: int, raw: bytes, *callee: Any) -> str | None:
    return entries.entry_lite_json(type_, raw, Callee(*callee))

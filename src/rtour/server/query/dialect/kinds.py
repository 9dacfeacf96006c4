"""The types of SQL values, and what they are called elsewhere.

SQLite knows five storage classes; what a client is told of a column comes from the statement
itself, which `selects` and `expressions` give a kind piece by piece.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "null",
    "bool",
    "i64",
    "u32",
    "u64",
    "f64",
    "text",
    "binary",
    "timestamp",
    "date",
    "duration",
    "list<u32>",
    "list<i64>",
    "list<f64>",
    "list<text>",
    "oid",
    "list<oid>",
]
"""As `rtour.storage.introspection.columns.Type`, and what only expressions have.

A date is the timestamp of its midnight, an oid a u32 of PostgreSQL's catalog.
"""

INTEGERS: frozenset[Kind] = frozenset({"i64", "u32", "u64", "oid"})
NUMBERS: frozenset[Kind] = INTEGERS | {"f64", "bool"}
INSTANTS: frozenset[Kind] = frozenset({"timestamp", "date"})

ARROW_NAMES: dict[Kind, str] = {
    "null": "Null",
    "bool": "Boolean",
    "i64": "Int64",
    "u32": "UInt32",
    "u64": "UInt64",
    "f64": "Float64",
    "text": "LargeUtf8",
    "binary": "LargeBinary",
    "timestamp": 'Timestamp(ms, "+00:00")',
    "date": "Date32",
    "duration": "Duration(ms)",
    "list<u32>": "List(UInt32)",
    "list<i64>": "List(Int64)",
    "list<f64>": "List(Float64)",
    "list<text>": "List(LargeUtf8)",
    "oid": "UInt32",
    "list<oid>": "List(UInt32)",
}

SQL_TYPES: dict[str, Kind] = {
    "TINYINT": "i64",
    "SMALLINT": "i64",
    "INT": "i64",
    "BIGINT": "i64",
    "UTINYINT": "u32",
    "USMALLINT": "u32",
    "UINT": "oid",
    "UBIGINT": "u64",
    "FLOAT": "f64",
    "DOUBLE": "f64",
    "DECIMAL": "f64",
    "BOOLEAN": "bool",
    "TEXT": "text",
    "VARCHAR": "text",
    "CHAR": "text",
    "NCHAR": "text",
    "NVARCHAR": "text",
    "NAME": "text",
    "VARBINARY": "binary",
    "BINARY": "binary",
    "TIMESTAMP": "timestamp",
    "TIMESTAMPTZ": "timestamp",
    "TIMESTAMPNTZ": "timestamp",
    "DATETIME": "timestamp",
    "DATE": "date",
    "INTERVAL": "duration",
}
"""sqlglot's names of types in casts."""

ARROW_TYPES: dict[str, Kind] = {
    "boolean": "bool",
    "int8": "i64",
    "int16": "i64",
    "int32": "i64",
    "int64": "i64",
    "uint8": "u32",
    "uint16": "u32",
    "uint32": "u32",
    "uint64": "u64",
    "float16": "f64",
    "float32": "f64",
    "float64": "f64",
    "utf8": "text",
    "largeutf8": "text",
    "utf8view": "text",
    "binary": "binary",
    "largebinary": "binary",
    "date32": "date",
    "date64": "date",
    "timestamp": "timestamp",
    "duration": "duration",
    "interval": "duration",
}
"""The names in `arrow_cast`, up to their first parenthesis."""


_LISTS: dict[Kind, Kind] = {
    "text": "list<text>",
    "f64": "list<f64>",
    "u32": "list<u32>",
    "oid": "list<oid>",
}


def list_of(kind: Kind) -> Kind:
    """The kind of a list of such values."""
    return _LISTS.get(kind, "list<i64>")


def item_of(kind: Kind) -> Kind:
    """The kind of the items of such a list."""
    return next((item for item, listed in _LISTS.items() if listed == kind), "i64")


class Output(msgspec.Struct, frozen=True):
    """A column of a query or a table."""

    name: str
    kind: Kind
    nullable: bool = True
    origin: str | None = None
    """`table.column` for a column that is taken over unchanged."""
    alias: str | None = None
    """What its table was called inside a sub-select without a name of its own."""


def combined(kinds: list[Kind]) -> Kind:
    """The kind that holds values of all: of a CASE, a COALESCE, a UNION."""
    known = [kind for kind in kinds if kind != "null"]
    if not known:
        return "null"
    first = known[0]
    if all(kind == first for kind in known):
        return first
    if all(kind in NUMBERS for kind in known):
        return "f64" if "f64" in known else "i64"
    if all(kind in INSTANTS for kind in known):
        return "timestamp"
    timely = next((kind for kind in known if kind in {"timestamp", "date", "duration"}), None)
    return timely or "text"

"""The tables that can be asked for: Restate's, `information_schema`, and PostgreSQL's catalog.

Restate's are views of the storage room. The others describe them, and are small temporary tables
of the connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from rtour.server.query.dialect.kinds import ARROW_NAMES, Kind, Output
from rtour.server.query.dialect.scopes import Tables
from rtour.storage.introspection import TABLES, Table

CATALOG = "restate"
SCHEMA = "public"
INFORMATION_SCHEMA = "information_schema"


class Described(msgspec.Struct, frozen=True):
    """A table that describes others: its name in SQLite, its columns, its rows."""

    name: str
    columns: tuple[tuple[str, Kind], ...]
    rows: tuple[tuple[object, ...], ...]

    def create(self, connection: sqlite3.Connection) -> None:
        names = ", ".join(f'"{name}"' for name, _ in self.columns)
        connection.execute(f'CREATE TEMP TABLE "{self.name}" ({names})')
        marks = ", ".join("?" * len(self.columns))
        connection.executemany(f'INSERT INTO temp."{self.name}" VALUES ({marks})', self.rows)  # noqa: S608


def _named(text: str, kind: Kind = "text") -> tuple[tuple[str, Kind], ...]:
    return tuple((name, kind) for name in text.split())


def _table_rows() -> Iterable[tuple[object, ...]]:
    for table in TABLES:
        yield CATALOG, SCHEMA, table.name, "BASE TABLE"
    for name in ("tables", "views", "columns", "df_settings", "schemata"):
        yield CATALOG, INFORMATION_SCHEMA, name, "VIEW"


_OCTETS = {"text": 2**63 - 1, "binary": 2**63 - 1}
_PRECISIONS = {"u32": (32, 2), "u64": (64, 2)}


def _column_rows(table: Table) -> Iterable[tuple[object, ...]]:
    for place, column in enumerate(table.columns):
        precision, radix = _PRECISIONS.get(column.type, (None, None))
        yield (
            *(CATALOG, SCHEMA, table.name, column.name, place, None, "YES"),
            *(ARROW_NAMES[column.type], None, _OCTETS.get(column.type)),
            *(precision, radix, None, None, None),
        )


_COLUMNS = (
    *_named("table_catalog table_schema table_name column_name"),
    *_named("ordinal_position", "u64"),
    *_named("column_default is_nullable data_type"),
    *_named("character_maximum_length character_octet_length", "u64"),
    *_named("numeric_precision numeric_precision_radix numeric_scale datetime_precision", "u64"),
    *_named("interval_type"),
)
INFORMATION: tuple[Described, ...] = (
    Described(
        "information_schema.tables",
        _named("table_catalog table_schema table_name table_type"),
        tuple(_table_rows()),
    ),
    Described(
        "information_schema.columns",
        _COLUMNS,
        tuple(row for table in TABLES for row in _column_rows(table)),
    ),
    Described(
        "information_schema.views",
        _named("table_catalog table_schema table_name definition"),
        (),
    ),
    Described(
        "information_schema.schemata",
        _named("catalog_name schema_name schema_owner"),
        ((CATALOG, SCHEMA, None), (CATALOG, INFORMATION_SCHEMA, None)),
    ),
    Described(
        "information_schema.df_settings",
        _named("name value description"),
        (("datafusion.catalog.default_catalog", CATALOG, None),),
    ),
)


def _outputs(table: Described) -> tuple[Output, ...]:
    return tuple(Output(name, kind) for name, kind in table.columns)


RESTATE: dict[str, tuple[Output, ...]] = {
    table.name: tuple(
        Output(column.name, column.type, origin=f"{table.name}.{column.name}")
        for column in table.columns
    )
    for table in TABLES
}


def tables(described: Iterable[Described], searched: tuple[str, ...] = ()) -> Tables:
    """What names mean when these describing tables are there."""
    return Tables(RESTATE | {table.name: _outputs(table) for table in described}, searched)

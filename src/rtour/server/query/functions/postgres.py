"""What clients of PostgreSQL ask about the server and its catalog."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

from rtour.server.query.dialect.calls import Function, KindRule
from rtour.server.query.dialect.kinds import Kind
from rtour.storage.introspection import TABLES

FIRST_TABLE_OID: Final = 16384
PUBLIC_OID: Final = 2200
CATALOG_OID: Final = 11
OWNER_OID: Final = 10
OWNER: Final = "rtour"
DATABASE: Final = "restate"
VERSION: Final = f"PostgreSQL 15.0 (rtour {version('rtour')})"

TYPE_NAMES: Final[dict[int, str]] = {
    16: "boolean",
    17: "bytea",
    18: '"char"',
    19: "name",
    20: "bigint",
    21: "smallint",
    23: "integer",
    25: "text",
    26: "oid",
    700: "real",
    701: "double precision",
    1009: "text[]",
    1016: "bigint[]",
    1043: "character varying",
    1082: "date",
    1114: "timestamp without time zone",
    1184: "timestamp with time zone",
    1186: "interval",
    1700: "numeric",
}
SETTINGS: Final[dict[str, str]] = {
    "server_version": "15.0",
    "server_version_num": "150000",
    "search_path": "public",
    "timezone": "UTC",
    "client_encoding": "UTF8",
    "transaction_isolation": "read committed",
    "bytea_output": "hex",
    "default_transaction_read_only": "on",
}
_TABLE_OIDS = {table.name: FIRST_TABLE_OID + place for place, table in enumerate(TABLES)}
# Clients name these to say what a description describes.
_CATALOG_OIDS = {
    "pg_class": 1259,
    "pg_type": 1247,
    "pg_proc": 1255,
    "pg_database": 1262,
    "pg_namespace": 2615,
    "pg_constraint": 2606,
}
_TABLES_BY_OID = {_TABLE_OIDS[table.name]: table for table in TABLES}


def table_oid(name: str) -> int:
    return _TABLE_OIDS[name]


def _format_type(oid: int | None, modifier: int | None = None) -> str | None:
    del modifier
    return None if oid is None else TYPE_NAMES.get(oid, "???")


def _description(oid: int, _catalog: str = "") -> str | None:
    table = _TABLES_BY_OID.get(oid)
    return None if table is None else table.doc


def _column_description(oid: int, number: int) -> str | None:
    table = _TABLES_BY_OID.get(oid)
    if table is None or not 0 < number <= len(table.columns):
        return None
    return table.columns[number - 1].doc


def _oid_of_class(name: str) -> int | None:
    plain = name.rpartition(".")[2].strip('"')
    return int(plain) if plain.isdigit() else (_TABLE_OIDS | _CATALOG_OIDS).get(plain)


def _name_of_class(oid: int) -> str:
    table = _TABLES_BY_OID.get(oid)
    return str(oid) if table is None else table.name


def _oid_of_type(name: str) -> int | None:
    wanted = name.rpartition(".")[2].strip('"').lower()
    return next((oid for oid, known in TYPE_NAMES.items() if known == wanted), None)


def _size(count: int) -> str:
    return f"{count} bytes"


def _setting(name: str, _missing_ok: bool | None = None) -> str | None:
    return SETTINGS.get(name.lower())


def _quoted(name: str) -> str:
    plain = name.isidentifier() and name == name.lower()
    return name if plain else '"' + name.replace('"', '""') + '"'


def _upper_bound(items: str | None, _dimension: int) -> int | None:
    return None if not items or items == "[]" else items.count(",") + 1


def _always(value: Any) -> Callable[..., Any]:
    return lambda *_: value


def _constant(kind: Kind | KindRule, value: Any) -> Function:
    return Function(kind, _always(value))


_YES = _constant("bool", value=True)
_NOTHING = _constant("text", value=None)
_ZERO = _constant("i64", 0)

FUNCTIONS: dict[str, Function] = {
    "version": _constant("text", VERSION),
    "current_database": _constant("text", DATABASE),
    "current_catalog": _constant("text", DATABASE),
    "current_schema": _constant("text", "public"),
    "current_schemas": _constant("list<text>", '["pg_catalog","public"]'),
    "current_user": _constant("text", OWNER),
    "session_user": _constant("text", OWNER),
    "current_role": _constant("text", OWNER),
    "user": _constant("text", OWNER),
    "current_setting": Function("text", _setting, least=1, most=2),
    "set_config": Function("text", lambda _name, value, *_: value, least=2, most=3),
    "pg_get_userbyid": _constant("text", OWNER),
    "pg_encoding_to_char": _constant("text", "UTF8"),
    "pg_backend_pid": _ZERO,
    "pg_my_temp_schema": _ZERO,
    "pg_is_in_recovery": _constant("bool", value=False),
    "pg_is_other_temp_schema": _constant("bool", value=False),
    "pg_relation_is_publishable": _constant("bool", value=False),
    "format_type": Function("text", _format_type, least=1, most=2),
    "obj_description": Function("text", _description, least=1, most=2),
    "col_description": Function("text", _column_description, least=2, most=2),
    "pg_size_pretty": Function("text", _size, least=1, most=1),
    "quote_ident": Function("text", _quoted, least=1, most=1),
    "array_upper": Function("i64", _upper_bound, least=2, most=2),
    "to_regclass": Function("text", lambda name: _name_of_class(_oid_of_class(name) or 0)),
    "oid_of_regclass": Function("i64", _oid_of_class, least=1, most=1),
    "name_of_regclass": Function("text", _name_of_class, least=1, most=1),
    "oid_of_regtype": Function("i64", _oid_of_type, least=1, most=1),
    "name_of_regtype": Function("text", _format_type, least=1, most=1),
    "oid_of_regnamespace": _constant("i64", PUBLIC_OID),
    "name_of_regnamespace": _constant("text", "public"),
    **dict.fromkeys(
        (
            *("pg_table_is_visible", "pg_type_is_visible", "pg_function_is_visible"),
            *("has_table_privilege", "has_schema_privilege", "has_column_privilege"),
            *("has_database_privilege", "has_any_column_privilege", "has_function_privilege"),
        ),
        _YES,
    ),
    **dict.fromkeys(
        (
            *("pg_get_expr", "pg_get_indexdef", "pg_get_constraintdef", "pg_get_viewdef"),
            *("pg_get_ruledef", "pg_get_triggerdef", "pg_get_partkeydef", "pg_get_functiondef"),
            *("pg_get_function_result", "pg_get_function_arguments", "pg_get_serial_sequence"),
            *("pg_get_statisticsobjdef_columns", "shobj_description", "inet_server_addr"),
            *("pg_get_function_identity_arguments", "pg_tablespace_location"),
            *("oid_of_regproc", "name_of_regproc"),
        ),
        _NOTHING,
    ),
    **dict.fromkeys(
        (
            *("pg_table_size", "pg_relation_size", "pg_total_relation_size", "pg_indexes_size"),
            *("pg_database_size", "inet_server_port", "txid_current", "age"),
        ),
        _ZERO,
    ),
}

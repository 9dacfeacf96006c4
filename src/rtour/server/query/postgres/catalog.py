"""PostgreSQL's catalog over Restate's tables, as far as its clients look into it.

Tables that would tell of what there is none of (indexes, triggers, …) are there and empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rtour.server.query.catalog import Described
from rtour.server.query.dialect.kinds import Kind
from rtour.server.query.functions import postgres as known
from rtour.server.query.postgres.types import OIDS
from rtour.storage.introspection import TABLES as RESTATE_TABLES

_KINDS: Final[dict[str, Kind]] = {
    "oid": "oid",
    "int": "i64",
    "text": "text",
    "bool": "bool",
    "real": "f64",
    "list": "list<text>",
    "numbers": "list<i64>",
    "time": "timestamp",
}
_COLUMNS: Final[dict[str, str]] = {
    "pg_class": "oid:oid relname relnamespace:oid reltype:oid reloftype:oid relowner:oid relam:oid "
    "relfilenode:oid reltablespace:oid relpages:int reltuples:real relallvisible:int "
    "reltoastrelid:oid relhasindex:bool relisshared:bool relpersistence relkind relnatts:int "
    "relchecks:int relhasrules:bool relhastriggers:bool relhassubclass:bool relrowsecurity:bool "
    "relforcerowsecurity:bool relispopulated:bool relreplident relispartition:bool relrewrite:oid "
    "relacl:list reloptions:list relpartbound",
    "pg_attribute": "attrelid:oid attname atttypid:oid attstattarget:int attlen:int attnum:int "
    "attndims:int attcacheoff:int atttypmod:int attbyval:bool attalign attstorage attcompression "
    "attnotnull:bool atthasdef:bool atthasmissing:bool attidentity attgenerated attisdropped:bool "
    "attislocal:bool attinhcount:int attcollation:oid attacl:list attoptions:list "
    "attfdwoptions:list attmissingval",
    "pg_namespace": "oid:oid nspname nspowner:oid nspacl:list",
    "pg_type": "oid:oid typname typnamespace:oid typowner:oid typlen:int typbyval:bool typtype "
    "typcategory typispreferred:bool typisdefined:bool typdelim typrelid:oid typsubscript:oid "
    "typelem:oid typarray:oid typinput:oid typoutput:oid typreceive:oid typsend:oid "
    "typnotnull:bool typbasetype:oid typtypmod:int typndims:int typcollation:oid typdefault "
    "typacl:list",
    "pg_database": "oid:oid datname datdba:oid encoding:int datlocprovider datistemplate:bool "
    "datallowconn:bool datconnlimit:int dattablespace:oid datcollate datctype daticulocale "
    "datcollversion datacl:list",
    "pg_roles": "oid:oid rolname rolsuper:bool rolinherit:bool rolcreaterole:bool rolcreatedb:bool "
    "rolcanlogin:bool rolreplication:bool rolconnlimit:int rolpassword rolvaliduntil:time "
    "rolbypassrls:bool rolconfig:list",
    "pg_user": "usename usesysid:oid usecreatedb:bool usesuper:bool",
    "pg_tables": "schemaname tablename tableowner tablespace hasindexes:bool hasrules:bool "
    "hastriggers:bool rowsecurity:bool",
    "pg_settings": "name setting unit category short_desc extra_desc context vartype source",
    "pg_description": "objoid:oid classoid:oid objsubid:int description",
    "pg_am": "oid:oid amname amhandler:oid amtype",
    "pg_tablespace": "oid:oid spcname spcowner:oid spcacl:list spcoptions:list",
    "pg_attrdef": "oid:oid adrelid:oid adnum:int adbin",
    "pg_auth_members": "oid:oid roleid:oid member:oid grantor:oid admin_option:bool",
    "pg_collation": "oid:oid collname collnamespace:oid collowner:oid collprovider "
    "collencoding:int collcollate collctype",
    "pg_constraint": "oid:oid conname connamespace:oid contype condeferrable:bool condeferred:bool "
    "convalidated:bool conrelid:oid contypid:oid conindid:oid conparentid:oid confrelid:oid "
    "confupdtype confdeltype confmatchtype conislocal:bool coninhcount:int conkey:numbers "
    "confkey:numbers conbin",
    "pg_depend": "classid:oid objid:oid objsubid:int refclassid:oid refobjid:oid refobjsubid:int "
    "deptype",
    "pg_enum": "oid:oid enumtypid:oid enumsortorder:real enumlabel",
    "pg_event_trigger": "oid:oid evtname evtevent evtowner:oid evtfoid:oid evtenabled evttags:list",
    "pg_extension": "oid:oid extname extowner:oid extnamespace:oid extrelocatable:bool extversion",
    "pg_foreign_data_wrapper": "oid:oid fdwname fdwowner:oid fdwhandler:oid fdwvalidator:oid "
    "fdwacl:list fdwoptions:list",
    "pg_foreign_server": "oid:oid srvname srvowner:oid srvfdw:oid srvtype srvversion srvacl:list "
    "srvoptions:list",
    "pg_foreign_table": "ftrelid:oid ftserver:oid ftoptions:list",
    "pg_index": "indexrelid:oid indrelid:oid indnatts:int indnkeyatts:int indisunique:bool "
    "indnullsnotdistinct:bool indisprimary:bool indisexclusion:bool indimmediate:bool "
    "indisclustered:bool indisvalid:bool indcheckxmin:bool indisready:bool indislive:bool "
    "indisreplident:bool indkey:numbers indcollation:numbers indclass:numbers indoption:numbers "
    "indexprs indpred",
    "pg_indexes": "schemaname tablename indexname tablespace indexdef",
    "pg_inherits": "inhrelid:oid inhparent:oid inhseqno:int inhdetachpending:bool",
    "pg_language": "oid:oid lanname lanowner:oid lanispl:bool lanpltrusted:bool",
    "pg_matviews": "schemaname matviewname matviewowner tablespace hasindexes:bool definition",
    "pg_policy": "oid:oid polname polrelid:oid polcmd polpermissive:bool polroles:numbers polqual "
    "polwithcheck",
    "pg_proc": "oid:oid proname pronamespace:oid proowner:oid prolang:oid prokind proretset:bool "
    "prorettype:oid proargtypes:numbers proargnames:list pronargs:int prosrc provolatile",
    "pg_publication": "oid:oid pubname pubowner:oid puballtables:bool pubinsert:bool",
    "pg_publication_namespace": "oid:oid pnpubid:oid pnnspid:oid",
    "pg_publication_rel": "oid:oid prpubid:oid prrelid:oid prqual prattrs:numbers",
    "pg_range": "rngtypid:oid rngsubtype:oid rngmultitypid:oid rngcollation:oid rngsubopc:oid",
    "pg_rewrite": "oid:oid rulename ev_class:oid ev_type ev_enabled is_instead:bool",
    "pg_sequence": "seqrelid:oid seqtypid:oid seqstart:int seqincrement:int seqmax:int seqmin:int "
    "seqcache:int seqcycle:bool",
    "pg_shdescription": "objoid:oid classoid:oid description",
    "pg_stat_activity": "datid:oid datname pid:int usename application_name state query",
    "pg_stat_user_tables": "relid:oid schemaname relname seq_scan:int n_live_tup:int",
    "pg_statistic_ext": "oid:oid stxrelid:oid stxname stxnamespace:oid stxowner:oid "
    "stxstattarget:int stxkeys:numbers stxkind:list",
    "pg_trigger": "oid:oid tgrelid:oid tgparentid:oid tgname tgfoid:oid tgtype:int tgenabled "
    "tgisinternal:bool tgconstraint:oid tgdeferrable:bool tginitdeferred:bool",
    "pg_views": "schemaname viewname viewowner definition",
}


def _columns(name: str) -> tuple[tuple[str, Kind], ...]:
    parts = (column.partition(":") for column in _COLUMNS[name].split())
    return tuple((column, _KINDS[kind or "text"]) for column, _, kind in parts)


def _rows(name: str, rows: Iterable[dict[str, Any]]) -> tuple[tuple[object, ...], ...]:
    """What is not told is NULL, or what says "none" in PostgreSQL."""
    columns = _columns(name)
    none: dict[Kind, object] = {"bool": 0, "i64": 0, "oid": 0, "f64": 0.0}
    assert all(row.keys() <= {column for column, _ in columns} for row in rows), name
    return tuple(tuple(row.get(column, none.get(kind)) for column, kind in columns) for row in rows)


_CLASSES = [
    {
        "oid": known.table_oid(table.name),
        "relname": table.name,
        "relnamespace": known.PUBLIC_OID,
        "relowner": known.OWNER_OID,
        "reltuples": -1.0,
        "relpersistence": "p",
        "relkind": "r",
        "relnatts": len(table.columns),
        "relispopulated": 1,
        "relreplident": "d",
    }
    for table in RESTATE_TABLES
]
_ATTRIBUTES = [
    {
        "attrelid": known.table_oid(table.name),
        "attname": column.name,
        "atttypid": OIDS[column.type],
        "attlen": -1,
        "attstattarget": -1,
        "attnum": number,
        "atttypmod": -1,
        "attalign": "i",
        "attstorage": "x",
        "attcompression": "",
        "attidentity": "",
        "attgenerated": "",
        "attislocal": 1,
    }
    for table in RESTATE_TABLES
    for number, column in enumerate(table.columns, start=1)
]
_DESCRIPTIONS = [
    {
        "objoid": known.table_oid(table.name),
        "classoid": 1259,
        "objsubid": number,
        "description": doc,
    }
    for table in RESTATE_TABLES
    for number, doc in enumerate((table.doc, *(column.doc for column in table.columns)))
]
_SPELLED = {
    "boolean": "bool",
    "bigint": "int8",
    "smallint": "int2",
    "integer": "int4",
    "real": "float4",
    "double precision": "float8",
    "text[]": "_text",
    "bigint[]": "_int8",
    "character varying": "varchar",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    '"char"': "char",
}
_CATEGORIES = {16: "B", 1082: "D", 1114: "D", 1184: "D", 1186: "T", 1009: "A", 1016: "A"}
_TYPES = [
    {
        "oid": oid,
        "typname": _SPELLED.get(name, name),
        "typnamespace": known.CATALOG_OID,
        "typowner": known.OWNER_OID,
        "typlen": -1,
        "typtype": "b",
        "typcategory": _CATEGORIES.get(oid, "N" if oid in {20, 21, 23, 26, 700, 701} else "S"),
        "typisdefined": 1,
        "typdelim": ",",
        "typelem": {1009: 25, 1016: 20}.get(oid, 0),
        "typarray": {25: 1009, 20: 1016}.get(oid, 0),
        "typtypmod": -1,
    }
    for oid, name in known.TYPE_NAMES.items()
]
_NAMESPACES = [
    {"oid": oid, "nspname": name, "nspowner": known.OWNER_OID}
    for oid, name in (
        (known.CATALOG_OID, "pg_catalog"),
        (known.PUBLIC_OID, "public"),
        (13000, "information_schema"),
    )
]
_ROWS: dict[str, list[dict[str, Any]]] = {
    "pg_class": _CLASSES,
    "pg_attribute": _ATTRIBUTES,
    "pg_description": _DESCRIPTIONS,
    "pg_type": _TYPES,
    "pg_namespace": _NAMESPACES,
    "pg_database": [
        {
            "oid": 5,
            "datname": known.DATABASE,
            "datdba": known.OWNER_OID,
            "encoding": 6,
            "datlocprovider": "c",
            "datallowconn": 1,
            "datconnlimit": -1,
            "datcollate": "C",
            "datctype": "C",
        }
    ],
    "pg_roles": [
        {
            "oid": known.OWNER_OID,
            "rolname": known.OWNER,
            "rolinherit": 1,
            "rolcanlogin": 1,
            "rolconnlimit": -1,
        }
    ],
    "pg_user": [{"usename": known.OWNER, "usesysid": known.OWNER_OID}],
    "pg_tables": [
        {"schemaname": "public", "tablename": table.name, "tableowner": known.OWNER}
        for table in RESTATE_TABLES
    ],
    "pg_settings": [{"name": name, "setting": value} for name, value in known.SETTINGS.items()],
}
TABLES: tuple[Described, ...] = tuple(
    Described(f"pg_catalog.{name}", _columns(name), _rows(name, _ROWS.get(name, ())))
    for name in _COLUMNS
)

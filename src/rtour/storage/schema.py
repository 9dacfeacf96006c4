"""The tables of the file, as numbered migrations.

The layout follows the hot path. An invocation's `number` is the sequence of the record that made
it, so rows, journals and timers of living invocations sit together at the right edge of each tree,
however many finished ones are stored. `id` is the only random key. An index costs every invocation
a few microseconds; each of the others serves a query that would else read all rows:

    invocation_live     what runs, waits or sleeps: recovery, and every listing of unfinished work
    invocation_expiry   what may be forgotten: the cleaner
    invocation_created  the newest first: every list for people

Instants are milliseconds since the epoch. Structured values that SQL also looks into are JSON
text; state patches hold bytes and are msgpack.

Migrations run on the standard library's `sqlite3`: importing sqlite-utils takes 73 ms, a quarter
of what the server may take to start. The file is plain SQLite for it and any other tool.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from rtour.storage import sums
from rtour.storage.failures import DamagedError, ForeignFileError, NewerSchemaError
from rtour.storage.sums import SUMS

APPLICATION_ID = 0x72544F52  # "rTOR", at offset 68 of the file: `file` and SQLite tools show it

Migration = Callable[[sqlite3.Connection], None]

_INVOCATION = """
CREATE TABLE invocation (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    target_service TEXT NOT NULL,
    target_key TEXT,
    target_handler TEXT NOT NULL,
    service_type TEXT NOT NULL,
    handler_type TEXT,
    source TEXT NOT NULL,
    source_id TEXT,
    source_target TEXT,
    idempotency_key TEXT,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    inboxed_at INTEGER,
    scheduled_at INTEGER,
    scheduled_start_at INTEGER,
    running_at INTEGER,
    completed_at INTEGER,
    expires_at INTEGER,
    completion_retention_ms INTEGER NOT NULL,
    journal_retention_ms INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    journal_length INTEGER NOT NULL,
    commands INTEGER NOT NULL,
    output_index INTEGER,
    deployment_id TEXT,
    protocol_version INTEGER,
    pause_requested INTEGER NOT NULL,
    inbox_sequence INTEGER,
    trace_parent TEXT,
    trace_state TEXT,
    awaiting TEXT,
    sinks TEXT,
    failure_code INTEGER,
    failure_message TEXT,
    failure_metadata TEXT,
    success BLOB
)
"""

_FIRST_TABLES = (
    _INVOCATION,
    "CREATE INDEX invocation_live ON invocation (status) WHERE status != 'completed'",
    "CREATE INDEX invocation_expiry ON invocation (expires_at) WHERE expires_at IS NOT NULL",
    "CREATE INDEX invocation_created ON invocation (created_at)",
    """
    CREATE TABLE journal (
        number INTEGER NOT NULL,
        idx INTEGER NOT NULL,
        type INTEGER NOT NULL,
        appended_at INTEGER NOT NULL,
        callee TEXT,
        raw BLOB NOT NULL,
        PRIMARY KEY (number, idx)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE event (
        position INTEGER PRIMARY KEY,
        number INTEGER NOT NULL,
        type TEXT NOT NULL,
        after_index INTEGER NOT NULL,
        appended_at INTEGER NOT NULL,
        error TEXT
    )
    """,
    "CREATE INDEX event_number ON event (number)",
    """
    CREATE TABLE lock (
        service TEXT NOT NULL,
        key TEXT NOT NULL,
        holder TEXT NOT NULL,
        PRIMARY KEY (service, key)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE inbox (
        service TEXT NOT NULL,
        key TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        invocation_id TEXT,
        patch BLOB,
        PRIMARY KEY (service, key, sequence)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE state (
        service TEXT NOT NULL,
        key TEXT NOT NULL,
        name BLOB NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (service, key, name)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE promise (
        service TEXT NOT NULL,
        key TEXT NOT NULL,
        name TEXT NOT NULL,
        waiters TEXT,
        failure_code INTEGER,
        failure_message TEXT,
        failure_metadata TEXT,
        success BLOB,
        PRIMARY KEY (service, key, name)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE timer (
        at INTEGER NOT NULL,
        number INTEGER NOT NULL,
        completion_id INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        invocation_id TEXT NOT NULL,
        PRIMARY KEY (at, number, completion_id, kind, invocation_id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE document (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        json TEXT NOT NULL,
        PRIMARY KEY (kind, id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE meta (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        last_sequence INTEGER NOT NULL,
        last_at INTEGER NOT NULL
    )
    """,
    "INSERT INTO meta VALUES (1, 0, 0)",
)


_WAITER_TABLES = (
    """
    CREATE TABLE waiter (
        number INTEGER NOT NULL,
        waiter INTEGER NOT NULL,
        completion_id INTEGER NOT NULL,
        type INTEGER NOT NULL,
        invocation_id TEXT,
        sum INTEGER NOT NULL,
        PRIMARY KEY (number, waiter, completion_id, type)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE telling (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        failure_code INTEGER,
        failure_message TEXT,
        failure_metadata TEXT,
        success BLOB,
        sum INTEGER NOT NULL
    )
    """,
)


def m001_first_tables(connection: sqlite3.Connection) -> None:
    """Invocations, objects, timers, documents, and the place in the log."""
    for statement in _FIRST_TABLES:
        connection.execute(statement)


def m002_sums(connection: sqlite3.Connection) -> None:
    """Every row has a checksum, and so has the schema."""
    kinds = [kind for kind in SUMS if kind.since == 2]
    for kind in kinds:
        connection.execute(
            f"ALTER TABLE {kind.table} ADD COLUMN {kind.column} INTEGER NOT NULL DEFAULT 0"
        )
    connection.execute("ALTER TABLE meta ADD COLUMN schema_sum INTEGER NOT NULL DEFAULT 0")
    for kind in kinds:
        connection.execute(
            f"UPDATE {kind.table} SET {kind.column} = row_sum({', '.join(kind.columns)})"  # noqa: S608
        )


def m003_ledger(connection: sqlite3.Connection) -> None:
    """The newest commits may be in the ledger alone, of which earlier rtours do not know."""


def m004_waiters(connection: sqlite3.Connection) -> None:
    """Whoever waits for an invocation's end, beyond the first few, has a row.

    Rows of invocations stay as they are: those of version 3 that have more sinks may keep them.
    """
    for statement in _WAITER_TABLES:
        connection.execute(statement)


def m005_row_ids(connection: sqlite3.Connection) -> None:
    """Tables whose rows may be long have row ids.

    Without, a table is an index, and SQLite reads each row of it that it compares with to the end:
    beside values of a megabyte, to store a small one took a millisecond.
    """
    for table, key in _LONG_ROWS.items():
        query = "SELECT sql FROM sqlite_schema WHERE name = ?"
        ((definition,),) = connection.execute(query, (table,)).fetchall()
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
        connection.execute(definition.replace("WITHOUT ROWID", ""))
        connection.execute(
            f"INSERT INTO {table} SELECT * FROM {table}_before ORDER BY {key}"  # noqa: S608
        )
        connection.execute(f"DROP TABLE {table}_before")


_LONG_ROWS = {
    "journal": "number, idx",
    "inbox": "service, key, sequence",
    "state": "service, key, name",
    "promise": "service, key, name",
    "document": "kind, id",
}

MIGRATIONS: tuple[Migration, ...] = (
    m001_first_tables,
    m002_sums,
    m003_ledger,
    m004_waiters,
    m005_row_ids,
)
"""In order, for ever: a released migration is never edited, only followed by another."""

NEWEST = len(MIGRATIONS)

_OURS = sorted({kind.table for kind in SUMS})
_FIRST = {kind.table for kind in SUMS if kind.since == 2}  # all of them had no sums at first


def schema_sum(connection: sqlite3.Connection) -> int:
    """The sum of how our tables and their indexes are defined; what others add is theirs."""
    names = (*_OURS, "invocation_live", "invocation_expiry", "invocation_created", "event_number")
    marks = ", ".join("?" * len(names))
    query = f"SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name IN ({marks})"  # noqa: S608
    found = connection.execute(f"{query} ORDER BY name", names).fetchall()
    return sums.of_read(*[value for row in found for value in row])


def found_version(connection: sqlite3.Connection, path: Path) -> int:
    """The file's schema version, 0 if it is empty. Refuses what is not ours or newer."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if application != APPLICATION_ID and (names or version or application):
        if names.issuperset(_FIRST):
            raise DamagedError(path, "its header does not say that it is rtour's")
        raise ForeignFileError(path)
    if version > NEWEST:
        raise NewerSchemaError(path, version, NEWEST)
    expected = _FIRST.union(kind.table for kind in SUMS if kind.since <= version)
    if application == APPLICATION_ID and not (version and names.issuperset(expected)):
        raise DamagedError(path, f"it has schema version {version} and not all of its tables")
    return int(version)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the file from a version to the newest schema, all or nothing."""
    sums.register(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in MIGRATIONS[version:]:
            migration(connection)
        connection.execute("UPDATE meta SET schema_sum = ?", (schema_sum(connection),))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {NEWEST}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")

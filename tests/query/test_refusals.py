"""Statements that get no rows: the status and words of the official server, and nothing changed."""

from __future__ import annotations

import pytest

from rtour.server.query.failures import QueryFailed
from rtour.server.query.running import Runner

from .conftest import Ask

PLANNING = "Datafusion error: Error during planning: "
EMPTY = "No SQL statements were provided in the query string"
MISSING = "Datafusion error: This feature is not implemented: "


@pytest.mark.parametrize(
    ("sql", "status", "message"),
    [
        ("", 400, PLANNING + EMPTY),
        ("  -- nothing\n ; ", 400, PLANNING + EMPTY),
        (
            "selec 1",
            400,
            (
                'Datafusion error: SQL error: ParserError("Expected: an SQL statement, '
                'found: selec at Line: 1, Column: 1")'
            ),
        ),
        ("DELETE FROM state", 400, PLANNING + "DML not supported: Delete"),
        ("UPDATE state SET key = 'a'", 400, PLANNING + "DML not supported: Update"),
        ("INSERT INTO state SELECT * FROM state", 400, PLANNING + "DML not supported: Insert Into"),
        ("CREATE TABLE x AS SELECT 1", 400, PLANNING + "DDL not supported: CreateMemoryTable"),
        ("SELECT 1 INTO x", 400, PLANNING + "DDL not supported: CreateMemoryTable"),
        ("DROP TABLE state", 400, PLANNING + "DDL not supported: DropTable"),
        ("CREATE VIEW x AS SELECT 1", 400, PLANNING + "DDL not supported: CreateView"),
        ("PRAGMA journal_mode", 500, MISSING + "Unsupported SQL statement: PRAGMA journal_mode"),
        (
            "SELECT 1; SELECT 2",
            500,
            MISSING + "The context currently only supports a single SQL statement",
        ),
        ("SELECT * FROM nope", 500, PLANNING + "table 'restate.public.nope' not found"),
        ("SELECT * FROM other.nope", 500, PLANNING + "table 'restate.other.nope' not found"),
        ("SELECT * FROM invocation", 500, PLANNING + "table 'restate.public.invocation' not found"),
        ("SELECT * FROM main.state", 500, PLANNING + "table 'restate.main.state' not found"),
        ("SELECT nope(1)", 500, PLANNING + "Invalid function 'nope'."),
        ("SELECT load_extension('x')", 500, PLANNING + "Invalid function 'load_extension'."),
        (
            "SELECT nope FROM sys_service s",
            500,
            (
                "Datafusion error: Schema error: No field named nope. Valid fields are s.name, "
                "s.revision, s.public, s.ty, s.deployment_id."
            ),
        ),
        (
            'SELECT "nope" FROM sys_service',
            500,
            (
                "Datafusion error: Schema error: No field named nope. Valid fields are "
                "sys_service.name, sys_service.revision, sys_service.public, sys_service.ty, "
                "sys_service.deployment_id."
            ),
        ),
        (
            "SELECT id FROM sys_invocation WHERE id = 'foo'",
            500,
            "Datafusion error: External error: non valid invocation id",
        ),
        (
            "SELECT id FROM sys_invocation a, sys_invocation b",
            500,
            "Datafusion error: Schema error: Ambiguous reference to unqualified field id",
        ),
    ],
)
def test_a_refusal_has_its_status_and_words(ask: Ask, sql: str, status: int, message: str) -> None:
    """Syntax, DDL, DML and emptiness are 400; what does not fit the tables is 500."""
    with pytest.raises(QueryFailed) as refused:
        ask(sql)
    assert (refused.value.status, refused.value.message) == (status, message)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1 / 0", "Divide by zero"),
        ("SELECT CAST('a' AS BIGINT)", "Cannot cast string 'a' to value of Int64 type"),
        ("SELECT to_timestamp('garbage')", "Error parsing timestamp from 'garbage'"),
        ("SELECT INTERVAL '1 fortnight'", "FORTNIGHT"),
        ("SELECT repeat('x', 1000000000)", "too long"),
        ("SELECT 'a' ~ '('", "did not compile"),
        ("SELECT * FROM generate_series(1, 1000000000)", "too long"),
        ("SELECT count(*) OVER (", "SQL error"),
        ("SELECT 1 UNION SELECT 1, 2", "different number of columns"),
        ("SELECT $0", "placeholder"),
        ("SELECT DISTINCT ON (key) key FROM state", "DISTINCT ON"),
        ("SELECT " + "(" * 3000 + "1" + ")" * 3000, "nested too deeply"),
        ("SELECT 1 " + "+ 1" * 5000, "nested too deeply"),
        ("ATTACH 'x' AS y", "Datafusion error"),
        ("SET x = 1", "Datafusion error"),
        ("BEGIN", "Datafusion error"),
    ],
)
def test_what_goes_wrong_is_said(ask: Ask, sql: str, words: str) -> None:
    """The message names what was wrong, and the connection answers the next statement."""
    with pytest.raises(QueryFailed) as refused:
        ask(sql)
    assert words in refused.value.message
    assert ask("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM main.state",
        "INSERT INTO temp.live_attempt (id) VALUES ('x')",
        "PRAGMA query_only = OFF",
        "ATTACH 'file::memory:' AS other",
        "CREATE TEMP TABLE t (x)",
        "DROP VIEW state",
        "BEGIN IMMEDIATE",
        "VACUUM",
    ],
)
def test_the_database_refuses_writes_by_itself(runner: Runner, sql: str) -> None:
    """Whatever got past the dialect would not get past the connection."""
    import sqlite3

    runner.run(runner.statement("SELECT 1"), {}, (), timeout_ms=1000, rows_max=10)
    with pytest.raises(sqlite3.DatabaseError):
        runner._introspection.rows(sql)

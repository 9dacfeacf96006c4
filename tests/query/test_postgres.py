"""The PostgreSQL port, asked by psql, psycopg, asyncpg and by hand."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import struct
from collections.abc import AsyncIterator
from random import Random

import asyncpg
import psycopg
import pytest

from rtour.server.query.postgres.listener import PostgresPort
from rtour.storage.introspection import TABLES

from .conftest import MakeQueries
from .rows import AT_MS, DONE

CREATED = dt.datetime.fromtimestamp(AT_MS / 1000 + 1, dt.UTC)
ENDLESS = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
async def port(make_queries: MakeQueries) -> AsyncIterator[int]:
    """A port of its own, over the rows of this folder."""
    listener = PostgresPort(make_queries(), Random(1))
    await listener.listen_if_free("127.0.0.1", 0)
    assert listener.address is not None
    yield listener.address[1]
    await listener.close()


async def psql(port: int, command: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *("psql", "-X", "-h", "127.0.0.1", "-p", str(port), "-c", command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


needs_psql = pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")


@needs_psql
async def test_psql_shows_rows(port: int) -> None:
    """The seed's query works, with values as PostgreSQL writes them."""
    sql = "SELECT key, value, value_utf8 FROM state WHERE service_name LIKE '%Cart%' ORDER BY key"
    code, out, err = await psql(port, sql)
    assert (code, err) == (0, "")
    assert [line.split("|") for line in out.replace(" ", "").splitlines()[2:5]] == [
        ["note", "\\x3130302520c3a4", "100%ä"],
        ["raw", "\\x00ff", ""],
        ["tickets", "\\x5b2273656174324222" + "5d", '["seat2B"]'],
    ]


@needs_psql
@pytest.mark.parametrize("table", [table.name for table in TABLES])
async def test_psql_reads_and_describes_every_table(port: int, table: str) -> None:
    """All columns of all types can be shown, and the description names them."""
    code, _, err = await psql(port, f"SELECT * FROM {table}")
    assert (code, err) == (0, "")
    code, out, err = await psql(port, f"\\d {table}")
    assert (code, err) == (0, "")
    columns = next(each for each in TABLES if each.name == table).columns
    assert [line.split("|")[0].strip() for line in out.splitlines()[3 : 3 + len(columns)]] == [
        column.name for column in columns
    ]


@needs_psql
@pytest.mark.parametrize("command", ["\\d", "\\dt", "\\dt+", "\\l", "\\dn", "\\du", "\\df", "\\dT"])
async def test_psql_looks_around(port: int, command: str) -> None:
    """Its commands find a catalog that answers."""
    code, out, err = await psql(port, command)
    assert (code, err) == (0, "")
    assert "sys_invocation" in out or not command.startswith("\\dt")


@needs_psql
async def test_psql_is_told_what_is_wrong(port: int) -> None:
    """An error is an error, and nothing can be written."""
    for sql, words in (("SELECT nope", "No field named nope"), ("DELETE FROM state", "DML")):
        code, out, err = await psql(port, sql)
        assert (code, out) == (1, "")
        assert words in err


async def test_psycopg_binds_and_reads(port: int) -> None:
    """Parameters of several types, rows in text and in binary."""
    url = f"host=127.0.0.1 port={port} user=me dbname=restate"
    async with await psycopg.AsyncConnection.connect(url) as connection:
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            await cursor.execute(
                "SELECT id, created_at, completion_retention, retry_count IS NULL, journal_size "
                "FROM sys_invocation WHERE id = %s AND created_at <= %s AND journal_size = %s",
                (DONE, CREATED, 1),
            )
            day = dt.timedelta(days=1)
            assert await cursor.fetchall() == [(DONE, CREATED, day, True, 1)]
            await cursor.execute("SELECT value FROM state WHERE key = %s", ("raw",))
            assert await cursor.fetchone() == (b"\x00\xff",)
            await cursor.execute("SELECT services FROM sys_deployment")
            assert await cursor.fetchone() == (["Greeter", "Cart"],)


async def test_psycopg_transactions_fail_and_end(port: int) -> None:
    """After a failure a transaction takes nothing but its end."""
    url = f"host=127.0.0.1 port={port} user=me dbname=restate"
    async with await psycopg.AsyncConnection.connect(url) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            await connection.execute("SELECT * FROM nope")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            await connection.execute("SELECT 1")
        await connection.rollback()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await connection.execute("DELETE FROM state")
        await connection.rollback()
        cursor = await connection.execute("SELECT 1")
        assert await cursor.fetchone() == (1,)


async def test_asyncpg_prepares_and_reads(port: int) -> None:
    """Types of parameters are guessed from what they are compared with."""
    connection = await asyncpg.connect(f"postgres://me@127.0.0.1:{port}/restate")
    rows = await connection.fetch(
        "SELECT id, created_at FROM sys_invocation WHERE created_at <= $1 AND journal_size > $2 "
        "AND target_service_name = $3 LIMIT $4",
        *(CREATED, 0, "Greeter", 5),
    )
    assert [tuple(row) for row in rows] == [(DONE, CREATED)]
    assert await connection.fetchval("SELECT count(*) FROM state") == 3
    assert await connection.fetchval("SELECT id FROM sys_invocation ORDER BY created_at") == DONE
    lists = "SELECT suspended_waiting_for_completions FROM sys_invocation WHERE status='suspended'"
    assert await connection.fetchval(lists) == [1, 2]
    assert await connection.fetchval("SELECT $1::text || 'b'", "a") == "ab"
    assert await connection.fetch("SELECT key FROM state WHERE key = ANY($1::text[])", ["raw"])
    for table in TABLES:
        await connection.fetch(f"SELECT * FROM {table.name}")
    await connection.close()


async def test_asyncpg_cursors_take_helpings(port: int) -> None:
    """A portal that is asked for some rows at a time gives each row once."""
    connection = await asyncpg.connect(f"postgres://me@127.0.0.1:{port}/restate")
    async with connection.transaction():
        sql = "SELECT i FROM generate_series(1, 1203) g(i) ORDER BY i"
        numbers = [row["i"] async for row in connection.cursor(sql, prefetch=500)]
    assert numbers == list(range(1, 1204))
    await connection.close()


async def test_guis_find_what_they_ask_first(port: int) -> None:
    """Version, schemas, types, settings, keys."""
    connection = await asyncpg.connect(f"postgres://me@127.0.0.1:{port}/restate")
    assert (await connection.fetchval("SELECT version()")).startswith("PostgreSQL 15")
    assert await connection.fetchval("SELECT current_schema()") == "public"
    assert await connection.fetchval("SELECT current_database()") == "restate"
    assert await connection.fetchval("SHOW server_version") == "15.0"
    await connection.execute("SET extra_float_digits = 3")
    types = await connection.fetch("SELECT oid, typname FROM pg_type WHERE typname = 'int8'")
    assert [tuple(row) for row in types] == [(20, "int8")]
    tables = await connection.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    assert {row["table_name"] for row in tables} == {table.name for table in TABLES}
    doc = "SELECT obj_description('public.state'::regclass, 'pg_class')"
    assert (await connection.fetchval(doc)).startswith("The state of")
    await connection.close()


QUESTIONS = [
    ("SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datname = $1", 1),
    ("SELECT * FROM pg_catalog.pg_settings WHERE name = $1 OR name = 'search_path'", 1),
    (
        """SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n
        LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0
        AND d.classoid = 'pg_namespace'::regclass WHERE nspname <> $1 ORDER BY nspname""",
        3,
    ),
    (
        """SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS value
        FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid)
        LEFT OUTER JOIN pg_catalog.pg_attrdef ad
        ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum)
        WHERE NOT a.attisdropped AND c.relname = 'state' AND a.attname <> $1""",
        9,
    ),
    (
        """SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class
        JOIN pg_catalog.pg_namespace
        ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
        WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p'])
        AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND nspname <> $1""",
        len(TABLES),
    ),
    (
        """SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings()
        WHERE name = 'bytea_output' AND name <> $1""",
        1,
    ),
]


@pytest.mark.parametrize(("sql", "rows"), QUESTIONS)
async def test_guis_reflect_the_tables(port: int, sql: str, rows: int) -> None:
    """Questions of DBeaver, SQLAlchemy and pgAdmin, in their shapes."""
    connection = await asyncpg.connect(f"postgres://me@127.0.0.1:{port}/restate")
    assert len(await connection.fetch(sql, "restate")) == rows
    await connection.close()


async def test_a_statement_can_be_cancelled(port: int) -> None:
    """A cancel request stops the statement and leaves the connection as it was."""
    url = f"host=127.0.0.1 port={port} user=me dbname=restate"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        endless = asyncio.ensure_future(connection.execute(ENDLESS))  # noqa: TID251
        while not endless.done():
            await asyncio.sleep(0)
            await connection.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            await endless
        cursor = await connection.execute("SELECT 1")
        assert await cursor.fetchone() == (1,)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">ii", 8, 12345),
        struct.pack(">i", 2**30),
        struct.pack(">ii", 9, 196608) + b"\x00" + b"Z\xff\xff\xff\xff",
        struct.pack(">ii", 9, 196608) + b"\x00" + b"?\x00\x00\x00\x04",
        struct.pack(">ii", 9, 196608) + b"\x00" + b"P\x00\x00\x00\x06ab",
        struct.pack(">ii", 9, 196608) + b"\x00" + b"Q" + struct.pack(">i", 2**30),
    ],
)
async def test_nonsense_ends_the_connection(port: int, sent: bytes) -> None:
    """Whatever is sent, the connection ends with a word, and the next client is served."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    writer.write_eof()
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert b"protocol violation" in answer
    writer.close()
    connection = await asyncpg.connect(f"postgres://me@127.0.0.1:{port}/restate")
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()

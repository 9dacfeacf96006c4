"""Statements in processes of their own: limits, turns, ends."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from rtour.server.query.engine import Queries
from rtour.server.query.failures import QueryFailed
from rtour.storage.sqlite import SqliteStorage

from .conftest import MakeQueries
from .rows import RUNNING, fill

ENDLESS = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
MANY = (
    "SELECT a.i, 'some text to fill the row' AS filling "
    "FROM generate_series(1, 300) a(i), generate_series(1, 300) b(i)"
)


async def body(queries: Queries, sql: str) -> bytes:
    return b"".join([piece async for piece in queries.ask(sql, "json")])


async def refusal(queries: Queries, sql: str) -> QueryFailed:
    with pytest.raises(QueryFailed) as refused:
        await body(queries, sql)
    return refused.value


async def test_a_statement_is_answered(make_queries: MakeQueries) -> None:
    """Rows of the file, joined with what the invoker knows at that moment."""
    queries = make_queries()
    sql = f"SELECT status FROM sys_invocation WHERE id = '{RUNNING}'"
    assert json.loads(await body(queries, sql)) == {"rows": [{"status": "running"}]}
    queries._live = list
    assert json.loads(await body(queries, sql)) == {"rows": [{"status": "ready"}]}


async def test_an_endless_statement_is_stopped(make_queries: MakeQueries) -> None:
    """The time limit ends it; the same process answers the next."""
    queries = make_queries(timeout_ms=50, processes=1)
    stopped = await refusal(queries, ENDLESS)
    assert (stopped.status, stopped.sqlstate) == (500, "57014")
    assert "0.05 s" in stopped.message
    assert await body(queries, "SELECT 1 AS one") == b'{"rows":[{"one":1}]}'


async def test_there_is_a_limit_of_rows(make_queries: MakeQueries) -> None:
    """A result beyond it fails, one of exactly that many does not."""
    queries = make_queries(rows_max=600)
    assert "more than 600 rows" in (await refusal(queries, MANY)).message
    whole = await body(queries, "SELECT * FROM generate_series(1, 600)")
    assert whole.count(b"value") == 600


async def test_there_is_a_limit_of_text(make_queries: MakeQueries) -> None:
    """Ten megabytes of SQL are refused before anybody reads them."""
    queries = make_queries()
    assert (await refusal(queries, "SELECT " + "1," * 5_000_000 + "1")).status == 400


async def test_a_large_result_is_streamed(make_queries: MakeQueries) -> None:
    """Neither side ever holds all rows: pieces are small, and come as they are taken."""
    sizes = [len(piece) async for piece in make_queries().ask(MANY, "json")]
    assert sum(sizes) > 4_000_000
    assert max(sizes) < 200_000


async def test_who_stops_reading_stops_the_statement(make_queries: MakeQueries) -> None:
    """Leaving in the middle frees the turn for the next."""
    queries = make_queries(processes=1)
    async with aclosing(queries.ask(MANY, "json")) as pieces:
        assert await anext(pieces)
    assert await body(queries, "SELECT 1 AS one") == b'{"rows":[{"one":1}]}'


async def test_turns_are_limited(make_queries: MakeQueries) -> None:
    """More than may wait are told to come later."""
    queries = make_queries(processes=1, waiting_max=1, timeout_ms=2000)
    async with aclosing(queries.ask(MANY, "json")) as running:
        await anext(running)
        waiting = asyncio.ensure_future(body(queries, "SELECT 1 AS one"))  # noqa: TID251
        while not queries._waiting:
            await asyncio.sleep(0)
        assert (await refusal(queries, "SELECT 2")).status == 429
    assert await waiting == b'{"rows":[{"one":1}]}'


async def test_a_process_that_dies_is_replaced(make_queries: MakeQueries) -> None:
    """Its statement fails with a clear word, the next one gets another process."""
    queries = make_queries(processes=1)
    async with aclosing(queries.ask(MANY, "json")) as pieces:
        await anext(pieces)
        (process,) = queries._running
        process.end()
        with pytest.raises(QueryFailed, match="ended"):
            async for _ in pieces:
                pass
    assert await body(queries, "SELECT 1 AS one") == b'{"rows":[{"one":1}]}'


async def test_readers_do_not_hold_up_commits(tmp_path: Path, make_queries: MakeQueries) -> None:
    """A commit in the middle of a long read is durable at once, and the read does not see it."""
    storage = SqliteStorage(tmp_path)
    queries = make_queries(storage.path)
    hundred = "generate_series(1, 100)"
    sql = f"SELECT s.key, a.i, b.i FROM state s, {hundred} a(i), {hundred} b(i)"
    await fill(storage)
    async with aclosing(queries.ask(sql, "json")) as pieces:
        seen = (await anext(pieces)).count(b'"key"')
        storage.write((), sequence=11, at=1)
        async with asyncio.timeout(5):
            await fill_again(storage)
        seen += sum([piece.count(b'"key"') async for piece in pieces])
    assert seen == 3 * 100 * 100
    assert b'"n":4' in await body(queries, "SELECT count(*) AS n FROM state")
    storage.close()


async def fill_again(storage: SqliteStorage) -> None:
    from rtour.engine import changes as c

    storage.write((c.PutState("Cart", "eve", b"k", b"1"),), sequence=12, at=2)
    durable: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
    storage.commit(durable.set_result)
    assert await durable is None


async def test_starting_a_server_loads_no_dialect() -> None:
    """The SQL libraries take longer to load than a server may take to start."""
    code = (
        "import sys, rtour.server.main;"
        "sys.exit(bool({'sqlglot', 'nanoarrow', 'rtour.server.query.dialect'} & set(sys.modules)))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0

"""`POST /query`: what `Accept` gets which body, and what a refusal looks like."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from rtour.server.query.endpoint import QueryEndpoint
from rtour.server.web import Reply

from .conftest import MakeQueries

JSON = (b"content-type", b"application/json")
ARROW = (b"content-type", b"application/vnd.apache.arrow.stream")


async def whole(reply: Reply) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    return b"".join([piece async for piece in reply.body])


async def test_exactly_json_gets_json(make_queries: MakeQueries) -> None:
    """The official CLI refuses any other content type, and a suffix is another."""
    reply = await QueryEndpoint(make_queries())("SELECT 1 AS one", "application/json")
    assert (reply.status, reply.headers) == (200, [JSON])
    assert reply.body == b'{"rows":[{"one":1}]}'


@pytest.mark.parametrize("accept", [None, "*/*", "application/json, */*", "text/html"])
async def test_all_others_get_arrow(make_queries: MakeQueries, accept: str | None) -> None:
    """What is not exactly JSON is an Arrow stream."""
    reply = await QueryEndpoint(make_queries())("SELECT 1 AS one", accept)
    assert (reply.status, reply.headers) == (200, [ARROW])
    assert pa.ipc.open_stream(await whole(reply)).read_all().to_pylist() == [{"one": 1}]


async def test_a_large_body_comes_in_pieces(make_queries: MakeQueries) -> None:
    """It has no length, and ends as JSON does."""
    sql = "SELECT repeat('x', 100) AS x FROM generate_series(1, 5000)"
    reply = await QueryEndpoint(make_queries())(sql, "application/json")
    assert not isinstance(reply.body, bytes)
    assert len(json.loads(await whole(reply))["rows"]) == 5000


@pytest.mark.parametrize(
    ("sql", "status"), [("", 400), ("DROP TABLE state", 400), ("SELECT x", 500)]
)
async def test_a_refusal_is_json(make_queries: MakeQueries, sql: str, status: int) -> None:
    """Whatever was accepted, a refusal is JSON with a message."""
    reply = await QueryEndpoint(make_queries())(sql, "*/*")
    assert (reply.status, reply.headers) == (status, [JSON])
    assert json.loads(await whole(reply))["message"].startswith("Datafusion error: ")


async def test_too_many_are_told_to_wait(make_queries: MakeQueries) -> None:
    """429 says when to come again."""
    reply = await QueryEndpoint(make_queries(waiting_max=0))("SELECT 1", "application/json")
    assert (reply.status, reply.headers) == (429, [JSON, (b"retry-after", b"1")])

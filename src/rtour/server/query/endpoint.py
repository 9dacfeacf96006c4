"""`POST /query`: which encoding, which status."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

import msgspec

from rtour.server.query.engine import Queries
from rtour.server.query.failures import QueryFailed
from rtour.server.query.frames import Encoding
from rtour.server.web import JSON, Headers, Reply

_ARROW: Final = (b"content-type", b"application/vnd.apache.arrow.stream")


class QueryEndpoint:
    """SQL over HTTP. A client that goes away stops its statement."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def __call__(self, sql: str, accept: str | None) -> Reply:
        """JSON for who accepts just that, Arrow for all others."""
        encoding: Encoding = "json" if accept == "application/json" else "arrow"
        pieces = self._queries.ask(sql, encoding)
        headers = [JSON if encoding == "json" else _ARROW]
        try:
            first, second = await anext(pieces, b""), await anext(pieces, None)
        except QueryFailed as error:
            return _refusal(error)
        if second is None:  # most answers are one piece, and their length is known
            return Reply(200, headers, first)
        return Reply(200, headers, _all(first, second, pieces))


async def _all(first: bytes, second: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        yield second
        async for piece in rest:
            yield piece


def _refusal(error: QueryFailed) -> Reply:
    body = msgspec.json.encode({"message": error.message})
    headers: Headers = [JSON]
    if error.status == 429:
        headers.append((b"retry-after", b"1"))
    return Reply(error.status, headers, body)

"""What became of a change of state: the server answers before it has written.

A mutation waits in line behind whoever holds the key, and is dropped without a word if the state
has another version by then (`http-api.md` B7). So one looks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum

from rtour.client.query import Query, quote

LOOKS = 20
BETWEEN_LOOKS_S = 0.1


class Settled(Enum):
    """What was seen."""

    WRITTEN = "written"
    DROPPED = "the state changed meanwhile, so the server dropped this change"
    WAITING = "accepted, not written yet: it waits in line"


async def settled(
    query: Query,
    service: str,
    key: str,
    *,
    before: Mapping[str, bytes],
    after: Mapping[str, bytes],
    sleep: Callable[[float], Awaitable[None]],
) -> Settled:
    """Looks at the state until it is neither what it was nor hidden behind a lock."""
    for _ in range(LOOKS):
        now = {row.key: row.value for row in await query.state(service, key)}
        if now == after:
            return Settled.WRITTEN
        if now != before:
            return Settled.DROPPED
        await sleep(BETWEEN_LOOKS_S)
    return Settled.WAITING


async def holder(query: Query, service: str, key: str) -> str | None:
    """Who holds the key that a change waits for."""
    locks = await query.locks([f"service_name = {quote(service)}", f"service_key = {quote(key)}"])
    return locks[0].invocation_id if locks else None

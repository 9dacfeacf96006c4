"""Who is slow costs only itself: clients that dawdle, endpoints that hang, lines that grow long."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conformance.waiting import eventually
from tests.torture.bounds import MIB, Arena, answer, arena, call, callers

pytestmark = pytest.mark.slow

DAWDLERS = 200
READERS = 32
HANGING = 1_500  # more than there are slots
SENDS = 20_000
CALLS = 20


async def median_ms(here: Arena) -> float:
    return sorted([await here.noop_ms() for _ in range(CALLS)])[CALLS // 2]


async def dawdler(here: Arena, body: bytes, stack: AsyncExitStack) -> None:
    """A connection that began a request, and does not go on."""
    parts = urlsplit(here.ingress_url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    stack.callback(writer.close)
    head = "POST /Bounds/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\n"
    writer.write(f"{head}content-length: {len(body) + 1}\r\n\r\n".encode() + body)
    await writer.drain()


async def deaf(here: Arena, stack: AsyncExitStack) -> None:
    """A connection that asks for 8 MiB and does not read them."""
    parts = urlsplit(here.ingress_url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1)
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    stack.callback(writer.transport.abort)
    head = "POST /Bounds/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\n"
    writer.write(f"{head}content-length: {8 * MIB}\r\n\r\n".encode() + b"x" * 8 * MIB)
    await writer.drain()


async def test_slow_clients_cost_only_themselves(tmp_path: Path) -> None:
    """Bodies that stop half-way, and replies that nobody reads: others are served as before."""
    async with arena(tmp_path) as here, AsyncExitStack() as stack:
        normal_ms, before = await median_ms(here), here.memory_mb()
        here.forget_peak()
        for _ in range(DAWDLERS):
            await dawdler(here, b"x" * 1000, stack)
        await asyncio.gather(*(deaf(here, stack) for _ in range(READERS)))
        beside_ms = await median_ms(here)
        grown = here.memory_mb(peak=True) - before
        print(f"\na call takes {normal_ms:.0f} ms, beside slow clients {beside_ms:.0f} ms")
        print(f"memory: {before:.0f} MB, with them {grown:.0f} MB more at most")
        assert beside_ms < 5 * normal_ms + 200
        assert grown < 1000


async def test_a_hanging_endpoint_costs_only_itself(tmp_path: Path) -> None:
    """Its callers take all slots that it can get; those of others find one at once."""
    async with arena(tmp_path) as here, callers() as transport:
        normal_ms = await median_ms(here)
        await here.start_stuck()
        hanging = [await call(transport, here.ingress_url, "/Stuck/hang") for _ in range(HANGING)]
        beside_ms = await median_ms(here)
        print(f"\na call takes {normal_ms:.0f} ms, beside {HANGING} that hang {beside_ms:.0f} ms")
        assert beside_ms < 5 * normal_ms + 200
        for exchange in hanging:
            exchange.abort()


async def test_a_long_line_waits_in_the_file(tmp_path: Path) -> None:
    """20,000 sends to a service that hangs take next to no memory."""
    async with arena(tmp_path) as here, callers() as transport:
        await here.start_stuck()
        await here.noop_ms()
        before = here.memory_mb()
        here.forget_peak()
        statuses: Counter[int] = Counter()
        for _ in range(SENDS // 500):
            sends = [
                await call(transport, here.ingress_url, "/Stuck/hang/send") for _ in range(500)
            ]
            statuses.update([(await answer(each))[0] for each in sends])
        assert statuses == {202: SENDS}
        await eventually("calls are quick", here.noop_ms, lambda ms: ms < 500, within_s=60)
        grown = here.memory_mb(peak=True) - before
        print(f"\n{SENDS} sends that wait: {before:.0f} MB before, {grown:.0f} MB more at most")
        assert grown < 60
        async with httpx.AsyncClient(timeout=60) as client:
            body = {"query": "SELECT COUNT(*) AS n FROM sys_invocation WHERE status = 'ready'"}
            accept = {"accept": "application/json"}
            rows = await client.post(f"{here.admin_url}/query", json=body, headers=accept)
        assert rows.json()["rows"][0]["n"] == SENDS - 1000

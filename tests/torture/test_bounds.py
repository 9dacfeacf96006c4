"""Memory stays bounded, at full size: payloads, callers, journals, state (docs/limits.md).

The limits themselves are tested in small, with the rooms that have them; here a real server is
weighed. Figures are printed; what is asserted leaves room for other allocators and versions.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from rtour.server.transport import Exchange
from tests.conformance.waiting import eventually
from tests.torture.bounds import MIB, Arena, answer, arena, call, callers

pytestmark = pytest.mark.slow

CONNECTIONS = 64
CALLERS = 100_000
ENTRIES = 100_000


def report(here: Arena, what: str, before_mb: float) -> float:
    """Print the most that `what` took above what there was, and return it in MB."""
    peak, after = here.memory_mb(peak=True), here.memory_mb()
    print(f"{what}: {before_mb:.0f} MB before, {peak:.0f} at most, {after:.0f} after")
    return peak - before_mb


async def calm(here: Arena) -> float:
    """Wait until nothing takes long any more; how long it takes, in ms."""
    return await eventually("calls are quick", here.noop_ms, lambda ms: ms < 500, within_s=120)


async def test_large_payloads(tmp_path: Path) -> None:
    """8 MB in and out on 64 connections: all are answered, in under a gigabyte."""
    async with arena(tmp_path) as here:
        await here.noop_ms()
        before = here.memory_mb()
        here.forget_peak()
        headers = {"content-type": "application/octet-stream"}
        async with httpx.AsyncClient(timeout=600) as client:
            url = f"{here.ingress_url}/Bounds/echo"
            posts = (
                client.post(url, content=b"x" * (8 * MIB), headers=headers)
                for _ in range(CONNECTIONS)
            )
            sizes = [
                (reply.status_code, len(reply.content)) for reply in await asyncio.gather(*posts)
            ]
        assert Counter(sizes) == {(200, 8 * MIB): CONNECTIONS}
        assert report(here, "8 MB x 64 connections", before) < 1000
        await calm(here)
        assert here.memory_mb() < before + 400, "large blocks go back to the system"


async def test_waiting_callers(tmp_path: Path) -> None:
    """100,000 callers of invocations that are not done wait; one more is told to come back."""
    async with arena(tmp_path) as here, callers() as transport:
        await here.noop_ms()
        started = await call(transport, here.ingress_url, "/Bounds/hold/send")
        id_ = json.loads(await started.receive())["invocationId"]
        path = f"/restate/invocation/{id_}/attach"
        before = here.memory_mb()
        here.forget_peak()
        waiting: list[Exchange] = []
        for number in range(CALLERS):
            waiting.append(await call(transport, here.ingress_url, path, method="GET"))
            if number % 1000 == 999 and number + 1 < CALLERS:  # then there is room for no other
                await calm(here)
        grown = report(here, f"{CALLERS} waiting callers", before)
        print(f"{grown * 1000 / CALLERS:.1f} kB for each")
        assert grown < 1000
        refused = await call(transport, here.ingress_url, path, method="GET")
        head = await refused.head()
        assert (head.status, head.headers["retry-after"]) == (429, "1")
        async with httpx.AsyncClient(timeout=60) as client:  # operators are not kept out
            killed = await client.patch(f"{here.admin_url}/invocations/{id_}/kill")
            assert killed.status_code == 200, killed.text
        answers = Counter([(await answer(exchange))[0] for exchange in waiting])
        assert answers == {409: CALLERS}, "all hear of the end"
        print(f"a call takes {await calm(here):.0f} ms afterwards")


async def test_a_long_journal(tmp_path: Path) -> None:
    """100,000 entries are written, and replayed."""
    async with arena(tmp_path) as here:
        await here.noop_ms()
        before = here.memory_mb()
        here.forget_peak()
        async with httpx.AsyncClient(timeout=600) as client:
            reply = await client.post(f"{here.ingress_url}/Ledger/a/write", json=ENTRIES)
        assert (reply.status_code, reply.json()) == (200, ENTRIES)
        assert report(here, f"a journal of {ENTRIES} entries", before) < 200


async def test_large_state(tmp_path: Path) -> None:
    """32 MiB of state go to 64 attempts, as many at once as there is room for."""
    async with arena(tmp_path) as here, httpx.AsyncClient(timeout=600) as client:
        for key in range(CONNECTIONS):
            url = f"{here.ingress_url}/Ledger/{key}/grow"
            assert (await client.post(url, json=32)).status_code == 200
        await calm(here)
        before = here.memory_mb()
        here.forget_peak()
        touches = (
            client.post(f"{here.ingress_url}/Ledger/{key}/touch") for key in range(CONNECTIONS)
        )
        assert {reply.status_code for reply in await asyncio.gather(*touches)} == {200}
        assert report(here, f"32 MiB of state x {CONNECTIONS} attempts", before) < 600


async def test_large_messages(tmp_path: Path) -> None:
    """64 attempts send 16 MiB and replay them: first bytes and messages take turns."""
    async with arena(tmp_path) as here, httpx.AsyncClient(timeout=600) as client:
        await here.noop_ms()
        before = here.memory_mb()
        here.forget_peak()
        calls = (
            client.post(f"{here.ingress_url}/Bounds/much", json=16) for _ in range(CONNECTIONS)
        )
        sizes = [(reply.status_code, len(reply.content)) for reply in await asyncio.gather(*calls)]
        assert Counter(sizes) == {(200, 16 * MIB): CONNECTIONS}
        assert report(here, f"16 MiB x {CONNECTIONS} attempts", before) < 1300

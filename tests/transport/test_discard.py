"""Exchanges whose rest nobody needs."""

from __future__ import annotations

import asyncio

import h2.events
import pytest

from .conftest import MakeTransport
from .peers import H2Wire, Wire, h2_echo, peer


async def test_a_discarded_exchange_ends_by_itself(make_h2_transport: MakeTransport) -> None:
    """Its half is closed, the unread rest passes, and the connection carries the next exchange."""
    async with peer(h2_echo) as it:
        transport = make_h2_transport()
        for _ in range(3):
            exchange = await transport.open(it.http2, "/invoke/S/h", [], body=b"x" * 100_000)
            assert (await exchange.head()).status == 200
            assert await exchange.receive()
            exchange.discard(within_s=5)
        assert transport.connection_count == 1


async def test_a_discarded_exchange_that_never_ends_is_aborted(
    make_h2_transport: MakeTransport,
) -> None:
    """A peer that keeps its response open is reset after the time it was given."""
    reset = asyncio.Event()

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        event = await session.until(h2.events.RequestReceived)
        session.answer(event.stream_id, end=False)
        await session.until(h2.events.StreamReset)
        reset.set()
        await wire.until_closed()

    async with peer(script) as it:
        exchange = await make_h2_transport().open(it.http2, "/invoke/S/h", [], body=b"x")
        await exchange.head()
        exchange.discard(within_s=0.01)
        await asyncio.wait_for(reset.wait(), 10)


@pytest.mark.parametrize("times", [1, 2])
async def test_discard_before_an_answer_gives_the_exchange_up(
    make_h2_transport: MakeTransport, times: int
) -> None:
    """Nothing is awaited from a peer that has not begun to answer; saying it twice is harmless."""
    reset = asyncio.Event()

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        await session.until(h2.events.StreamReset)
        reset.set()
        await wire.until_closed()

    async with peer(script) as it:
        exchange = await make_h2_transport().open(it.http2, "/invoke/S/h", [], body=b"x")
        await asyncio.sleep(0)
        for _ in range(times):
            exchange.discard(within_s=5)
        await asyncio.wait_for(reset.wait(), 10)

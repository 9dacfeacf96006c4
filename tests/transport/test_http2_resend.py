"""Which lost HTTP/2 requests are sent again, and which are left to the caller to judge."""

from __future__ import annotations

import asyncio

import h2.events
import pytest

from rtour.server.transport import ConnectFailed, StreamLost

from .conftest import MakeTransport
from .peers import SETTINGS, H2Wire, Wire, goaway, peer


async def test_refused_streams_are_sent_again(make_h2_transport: MakeTransport) -> None:
    """REFUSED_STREAM means nothing was done: the whole request so far goes out again."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        event = await session.until(h2.events.DataReceived, 2)
        session.connection.reset_stream(event.stream_id, 7)
        session.flush()
        await session.serve()

    async with peer(script) as it:
        exchange = await make_h2_transport().open(it.http2, "/", [], body=b"one,")
        await asyncio.sleep(0)
        exchange.send(b"two,")
        while it.wires == [] or exchange._lost is None:
            await asyncio.sleep(0)
        exchange.send(b"three")
        exchange.end_request()
        body = b""
        while data := await exchange.receive():
            body += data
        assert body == b"one,two,three"


async def test_what_is_too_long_to_remember_is_not_sent_again(
    make_h2_transport: MakeTransport,
) -> None:
    """Beyond the resend buffer a refused request is lost, and says that nothing was answered."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        event = await session.until(h2.events.DataReceived)
        session.connection.reset_stream(event.stream_id, 7)
        session.flush()
        await wire.until_closed()

    async with peer(script) as it:
        transport = make_h2_transport(resend_buffer_bytes=10)
        for body, more in ((b"12345678901", b""), (b"123", b"45678901")):
            exchange = await transport.open(it.http2, "/", [], body=body)
            exchange.send(more)
            with pytest.raises(StreamLost) as caught:
                await exchange.head()
            assert caught.value.before_response is True
            await transport.close()
            transport = make_h2_transport(resend_buffer_bytes=10)


async def test_goaway_spares_what_was_accepted(make_h2_transport: MakeTransport) -> None:
    """Streams up to GOAWAY's id end normally; those above it are sent again elsewhere."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        if wire.index:
            await session.serve()
            return
        await session.until(h2.events.RequestReceived, 3)
        wire.write(goaway(3) + b"")
        session.answer(1, b"first")
        session.answer(3, b"second")
        await wire.until_closed()

    async with peer(script) as it:
        transport = make_h2_transport()
        exchanges = [
            await transport.open(it.http2, "/", [], body=b"%d" % n, end=True) for n in range(3)
        ]
        bodies = [await exchange.receive() for exchange in exchanges]
        assert bodies == [b"first", b"second", b"2"]
        assert [await exchange.receive() for exchange in exchanges] == [b""] * 3
        assert len(it.wires) == 2


async def test_goaway_storm(make_h2_transport: MakeTransport) -> None:
    """A peer that refuses every connection's streams is asked a bounded number of times."""

    async def script(wire: Wire) -> None:
        wire.write(SETTINGS + goaway(0))
        await wire.until_closed()

    async with peer(script) as it:
        transport = make_h2_transport(resends_max=3)
        with pytest.raises((StreamLost, ConnectFailed)):  # as GOAWAY comes after or before us
            await (await transport.open(it.http2, "/", [], end=True)).head()
        assert 1 <= len(it.wires) <= 4
        await it.all_closed()


async def test_stale_connections_are_replaced(make_h2_transport: MakeTransport) -> None:
    """A kept connection that the peer closes just as it is reused costs nothing."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        if wire.index:
            await session.serve()
            return
        event = await session.until(h2.events.StreamEnded)
        session.answer(event.stream_id, b"one")
        async for event in session.events():
            if isinstance(event, h2.events.RequestReceived):
                wire.hang_up()
                return

    async with peer(script) as it:
        transport = make_h2_transport()
        exchange = await transport.open(it.http2, "/", [], end=True)
        assert await exchange.receive() == b"one"
        assert await exchange.receive() == b""
        while not transport._pools[exchange._reconnect.__self__._origin]._multiplexed[0].settled:
            await asyncio.sleep(0)
        exchange = await transport.open(it.http2, "/", [], body=b"two", end=True)
        assert await exchange.receive() == b"two"
        assert len(it.wires) == 2


async def test_lost_mid_work_is_not_sent_again(make_h2_transport: MakeTransport) -> None:
    """When the peer may have begun to work, losing the connection is the caller's to judge."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        await session.until(h2.events.StreamEnded)
        wire.hang_up()

    async with peer(script) as it:
        exchange = await make_h2_transport().open(it.http2, "/", [], body=b"x", end=True)
        with pytest.raises(StreamLost) as caught:
            await exchange.head()
        assert caught.value.before_response is True
        assert len(it.wires) == 1


@pytest.mark.parametrize("cancel", [False, True], ids=["abort", "cancel"])
async def test_giving_up_while_it_is_sent_again(
    make_h2_transport: MakeTransport, cancel: bool
) -> None:
    """An exchange given up while its second connection is made leaves nothing behind."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        if wire.index == 0:
            await session.until(h2.events.RequestReceived)
            wire.write(goaway(0))
        await wire.until_closed()

    async with peer(script) as it:
        transport = make_h2_transport()
        exchange = await transport.open(it.http2, "/", [])
        while exchange._lost is None:
            await asyncio.sleep(0)
        reading = asyncio.create_task(exchange.head())  # noqa: TID251
        while exchange._reviving is None:
            await asyncio.sleep(0)
        if cancel:
            reading.cancel()
            await asyncio.wait([reading])
        exchange.abort()
        outcome = (await asyncio.gather(reading, return_exceptions=True))[0]
        assert isinstance(outcome, asyncio.CancelledError if cancel else StreamLost)
        await transport.close()
        await it.all_closed()

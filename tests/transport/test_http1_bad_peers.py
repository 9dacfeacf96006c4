"""HTTP/1.1 to deployments that fail, lie or fall silent."""

from __future__ import annotations

import asyncio

import pytest

from rtour.server.transport import BadPeer, StreamLost

from .conftest import MakeTransport
from .peers import SETTINGS, Wire, h1_echo, peer, read_all


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        SETTINGS,
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    ],
    ids=["http1.0", "http2.0", "ssh", "h2", "upgrade", "smuggling", "bad-chunk"],
)
async def test_peers_that_speak_something_else(make_transport: MakeTransport, reply: bytes) -> None:
    """What is not HTTP/1.1 is a bad peer, and the connection is closed."""

    async def script(wire: Wire) -> None:
        await wire.read_head()
        wire.write(reply)
        await wire.until_closed()

    async with peer(script) as it:
        exchange = await make_transport().open(it.http1, "/", [])
        with pytest.raises(BadPeer):
            await read_all(exchange)
        await it.all_closed()


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nx: ", b"y" * 9000),
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: y\r\n\r\n" * 300),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n",
            b"x: y\r\n" * 999,
        ),
    ],
    ids=["fields", "one-field", "informational", "trailers"],
)
async def test_endless_headers(make_transport: MakeTransport, start: bytes, piece: bytes) -> None:
    """Headers without end are cut off at the limit, wherever they stand."""

    async def script(wire: Wire) -> None:
        await wire.read_head()
        wire.write(start)
        while not wire.reader.at_eof():
            wire.write(piece)
            await wire.writer.drain()
            await asyncio.sleep(0)

    async with peer(script) as it:
        exchange = await make_transport().open(it.http1, "/", [], end=True)
        with pytest.raises(BadPeer, match="exceed"):
            await read_all(exchange)
        await it.all_closed()


async def test_half_a_response(make_transport: MakeTransport) -> None:
    """What arrived before the connection broke can be read; then comes StreamLost."""

    async def script(wire: Wire) -> None:
        await wire.read_head()
        wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")

    async with peer(script) as it:
        exchange = await make_transport().open(it.http1, "/", [])
        assert (await exchange.head()).status == 200
        assert await exchange.receive() == b"half"
        with pytest.raises(StreamLost) as caught:
            await exchange.receive()
        assert caught.value.before_response is False


async def test_a_fresh_connection_that_breaks(make_transport: MakeTransport) -> None:
    """Losing a new connection before the response is reported, not repaired."""

    async def script(wire: Wire) -> None:
        await wire.read_head()
        wire.hang_up()

    async with peer(script) as it:
        exchange = await make_transport().open(it.http1, "/", [], end=True)
        with pytest.raises(StreamLost) as caught:
            await exchange.head()
        assert caught.value.before_response is True
        assert len(it.wires) == 1


@pytest.mark.parametrize("end", [True, False])
async def test_stale_connections_are_replaced_once(
    make_transport: MakeTransport, end: bool
) -> None:
    """A kept connection that breaks before any response byte is replaced by a new one, once."""

    async def script(wire: Wire) -> None:
        if wire.index < 2:  # two connections that will be kept, and break when reused
            await wire.read_request()
            wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            await wire.read_head()
            wire.hang_up()
        elif wire.index == 2:
            await h1_echo(wire)
        else:
            await wire.read_head()
            wire.hang_up()

    async with peer(script) as it:
        transport = make_transport()
        kept = [await transport.open(it.http1, "/", [], end=True) for _ in range(2)]
        assert [await read_all(exchange) for exchange in kept] == [b"", b""]
        exchange = await transport.open(it.http1, "/", [], body=b"again", end=end)
        exchange.end_request()
        assert await read_all(exchange) == b"again"
        assert len(it.wires) == 3, "the second stale connection was not tried"
        for connection in transport._pools[connection_origin(exchange)]._idle[1:]:
            connection.close("so that the stale one is taken")
        exchange = await transport.open(it.http1, "/", [], body=b"x", end=True)
        with pytest.raises(StreamLost):
            await exchange.head()
        assert len(it.wires) == 4


def connection_origin(exchange):
    """Return the key of the pool an exchange came from."""
    return exchange._reconnect.__self__._origin


async def test_bytes_nobody_asked_for(make_transport: MakeTransport) -> None:
    """A second response behind the first spoils the connection, not the exchange."""

    async def script(wire: Wire) -> None:
        await wire.read_head()
        wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" * 2)
        await wire.until_closed()

    async def late(wire: Wire) -> None:
        await wire.read_head()
        wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await wire.writer.drain()
        await asyncio.sleep(0)
        wire.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await wire.until_closed()

    for each in (script, late):
        async with peer(each) as it:
            transport = make_transport()
            exchange = await transport.open(it.http1, "/", [], end=True)
            assert await read_all(exchange) == b"ok"
            await it.all_closed()
            assert transport.connection_count == 0


async def test_abort_closes_the_connection(make_transport: MakeTransport) -> None:
    """Abort ends the exchange and its connection, also in the middle of either half."""

    async def script(wire: Wire) -> None:
        await wire.read_head()
        wire.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
        await wire.until_closed()

    async with peer(script) as it:
        transport = make_transport()
        exchange = await transport.open(it.http1, "/", [])
        assert await exchange.receive() == b"x"
        reading = asyncio.create_task(exchange.receive())  # noqa: TID251
        await asyncio.sleep(0)
        exchange.abort()
        exchange.abort()
        exchange.end_request()
        with pytest.raises(StreamLost):
            await reading
        await it.all_closed()
        assert transport.connection_count == 0

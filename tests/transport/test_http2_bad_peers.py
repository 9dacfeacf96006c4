"""HTTP/2 to deployments that fail, lie or fall silent: each ends in the right error, or recovers.

The fixtures check that no connection is left and that nothing reached the loop's exception
handler.
"""

from __future__ import annotations

import asyncio
import socket
import struct

import h2.events
import pytest

from rtour.server.transport import (
    BadPeer,
    ConnectFailed,
    Endpoint,
    Http1Only,
    StreamLost,
    TransportError,
)

from .conftest import MakeTransport
from .peers import SETTINGS, H2Wire, Wire, frame, h2_echo, peer, read_all


def closed_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2.0"])
async def test_refused_connections(make_transport: MakeTransport, version: str) -> None:
    """A closed port is ConnectFailed, for all who wait for the same connection."""
    endpoint = Endpoint(f"http://127.0.0.1:{closed_port()}", version)
    transport = make_transport()
    outcomes = await asyncio.gather(
        *(transport.open(endpoint, "/", []) for _ in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [ConnectFailed] * 3


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2.0"])
async def test_connecting_takes_too_long(make_transport: MakeTransport, version: str) -> None:
    """A listener with a full backlog never completes the handshake: ConnectFailed in time."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        endpoint = Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}", version)
        with pytest.raises(ConnectFailed, match="within"):
            await make_transport(connect_timeout_s=0.05).open(endpoint, "/", [])


@pytest.mark.parametrize("uri", ["ftp://x", "http://", "nonsense", "http://u:p@h/", "http://h:x/"])
async def test_addresses_that_are_none(make_transport: MakeTransport, uri: str) -> None:
    """An address that can't be one fails like an address where nobody is."""
    with pytest.raises(ConnectFailed):
        await make_transport().open(Endpoint(uri), "/", [])


async def test_a_peer_that_says_nothing(make_h2_transport: MakeTransport) -> None:
    """A peer that accepts and stays silent counts as not connected."""
    async with peer(Wire.until_closed) as it:
        exchange = await make_h2_transport(connect_timeout_s=0.05).open(it.http2, "/", [])
        with pytest.raises(ConnectFailed, match="nothing"):
            await exchange.head()
        await it.all_closed()


async def test_a_peer_that_hangs_up_at_once(make_h2_transport: MakeTransport) -> None:
    """A connection closed before any HTTP/2 was spoken counts as not connected."""

    async def script(wire: Wire) -> None:
        wire.hang_up()

    async with peer(script) as it:
        with pytest.raises(ConnectFailed):  # by `open` or by `head`, whichever comes to know
            await (await make_h2_transport().open(it.http2, "/", [])).head()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n", Http1Only),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", BadPeer),
        (b"<!DOCTYPE HTML><html>nothing like HTTP/2</html>", BadPeer),
        (b"SSH-2.0-OpenSSH_9.2\r\n", BadPeer),
        (frame(0x0, 0, 1, b"data before settings"), BadPeer),
        (SETTINGS + frame(0x0, 0, 0, b"no stream"), BadPeer),
        (SETTINGS + frame(0x1, 0x4, 1, b"\xff\xff\xff\xff\xff\xff"), BadPeer),
        (SETTINGS + frame(0x8, 0, 0, bytes(4)), BadPeer),
    ],
    ids=["http1.1", "http1.0", "html", "ssh", "data-first", "garbage", "bad-hpack", "bad-window"],
)
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
async def test_peers_that_speak_something_else(
    make_h2_transport: MakeTransport, reply: bytes, error: type[TransportError], bytewise: bool
) -> None:
    """What is not HTTP/2 is named, however it is cut into packets, and the connection closed."""

    async def script(wire: Wire) -> None:
        await wire.reader.readexactly(24)
        if bytewise:
            wire.writer.transport.set_write_buffer_limits(0)
            for byte in reply:
                wire.write(bytes([byte]))
                await wire.writer.drain()
                await asyncio.sleep(0)
        else:
            wire.write(reply)
        await wire.until_closed()

    async with peer(script) as it:
        with pytest.raises(BadPeer) as caught:
            await (await make_h2_transport().open(it.http2, "/", [])).head()
        assert type(caught.value) is error
        await it.all_closed()


async def test_half_a_response(make_h2_transport: MakeTransport) -> None:
    """What arrived before the connection broke can be read; then comes StreamLost."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        event = await session.until(h2.events.RequestReceived)
        session.answer(event.stream_id, b"half", end=False)

    async with peer(script) as it:
        exchange = await make_h2_transport().open(it.http2, "/", [])
        await exchange.head()
        assert await exchange.receive() == b"half"
        for _ in range(2):
            with pytest.raises(StreamLost) as caught:
                await exchange.receive()
            assert caught.value.before_response is False
        exchange.send(b"too late")
        with pytest.raises(StreamLost):
            await exchange.drain_send()


@pytest.mark.parametrize(
    ("code", "error"), [(2, StreamLost), (0, StreamLost), (8, StreamLost), (0xD, Http1Only)]
)
async def test_resets(
    make_h2_transport: MakeTransport, code: int, error: type[TransportError]
) -> None:
    """A reset stream is lost alone; HTTP_1_1_REQUIRED says what the peer wants."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        event = await session.until(h2.events.RequestReceived)
        session.connection.reset_stream(event.stream_id, code)
        session.flush()
        await session.serve()

    async with peer(script) as it:
        transport = make_h2_transport()
        exchange = await transport.open(it.http2, "/", [])
        with pytest.raises(error):
            await exchange.head()
        exchange = await transport.open(it.http2, "/", [], body=b"x", end=True)
        assert await exchange.receive() == b"x"
        assert await exchange.receive() == b""
        assert len(it.wires) == 1


async def test_a_dead_connection_is_noticed(make_h2_transport: MakeTransport) -> None:
    """When PING stays unanswered the exchanges are told and the connection dropped."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        event = await session.until(h2.events.RequestReceived)
        session.answer(event.stream_id, end=False)
        await wire.until_closed()

    async with peer(script) as it:
        transport = make_h2_transport(ping_interval_s=0.02, ping_timeout_s=0.02)
        exchange = await transport.open(it.http2, "/", [])
        await exchange.head()
        with pytest.raises(StreamLost, match="PING"):
            await exchange.receive()
        await it.all_closed()


async def test_endless_headers(make_h2_transport: MakeTransport) -> None:
    """A header block without end is cut off."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        await session.until(h2.events.RequestReceived)
        piece = b"\x00\x05x-big\x7f\x81\x3e" + b"y" * 8000
        wire.write(frame(0x1, 0, 1, b"\x88"))
        while not wire.reader.at_eof():
            wire.write(frame(0x9, 0, 1, piece))
            await wire.writer.drain()
            await asyncio.sleep(0)

    async with peer(script) as it:
        exchange = await make_h2_transport().open(it.http2, "/", [])
        with pytest.raises(TransportError):
            await exchange.head()
        exchange.abort()
        await it.all_closed()


async def test_a_head_that_is_too_large(make_h2_transport: MakeTransport) -> None:
    """Response headers over the limit end the exchange."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        event = await session.until(h2.events.RequestReceived)
        session.connection.send_headers(
            event.stream_id, [(b":status", b"200"), (b"x", b"a" * 70_000)]
        )
        session.flush()
        await wire.until_closed()

    async with peer(script) as it:
        exchange = await make_h2_transport().open(it.http2, "/", [])
        with pytest.raises(TransportError):
            await exchange.head()


async def test_a_lying_content_length(make_h2_transport: MakeTransport) -> None:
    """A body shorter than its content-length is no complete response."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        event = await session.until(h2.events.RequestReceived)
        block = b"\x88" + b"\x0f\x0d\x01" + b"9"
        wire.write(frame(0x1, 0x4, event.stream_id, block))
        wire.write(frame(0x0, 0x1, event.stream_id, b"short"))
        await wire.until_closed()

    async with peer(script) as it:
        exchange = await make_h2_transport().open(it.http2, "/", [])
        with pytest.raises(BadPeer):
            await read_all(exchange)


async def test_a_peer_that_never_reads(make_h2_transport: MakeTransport) -> None:
    """Closing the transport doesn't wait for a peer that has stopped reading."""

    async def script(wire: Wire) -> None:
        wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        session = H2Wire(wire)
        event = await session.until(h2.events.RequestReceived)
        session.connection.increment_flow_control_window(1 << 30)
        session.connection.increment_flow_control_window(1 << 30, event.stream_id)
        session.flush()
        wire.writer.transport.pause_reading()
        await asyncio.Event().wait()

    async with peer(script) as it:
        transport = make_h2_transport()
        exchange = await transport.open(it.http2, "/", [])
        connection = exchange._channel.connection
        while not connection._paused:
            exchange.send(b"x" * 100_000)
            await asyncio.sleep(0)
        await transport.close()
        with pytest.raises(StreamLost, match="closed"):
            await exchange.head()


async def test_closing_ends_what_is_open(make_h2_transport: MakeTransport) -> None:
    """Closing the transport ends exchanges and connecting alike, and new ones are refused."""
    async with peer(h2_echo) as it:
        transport = make_h2_transport()
        exchange = await transport.open(it.http2, "/", [])
        await exchange.head()
        reading = asyncio.create_task(exchange.receive())  # noqa: TID251
        opening = asyncio.create_task(  # noqa: TID251
            transport.open(Endpoint(f"http://127.0.0.1:{it.port}/", "HTTP/1.1"), "/", [])
        )
        await asyncio.sleep(0)
        await transport.close()
        with pytest.raises(StreamLost):
            await reading
        with pytest.raises(ConnectFailed):
            await opening
        with pytest.raises(ConnectFailed):
            await transport.open(it.http2, "/", [])
        await it.all_closed()


async def test_window_overflow_by_the_peer(make_h2_transport: MakeTransport) -> None:
    """A peer that raises a window beyond 2^31-1 has broken the protocol."""

    async def script(wire: Wire) -> None:
        wire.write(SETTINGS + frame(0x8, 0, 0, struct.pack(">I", 0x7FFFFFFF)))
        await wire.until_closed()

    async with peer(script) as it:
        with pytest.raises(BadPeer):
            await (await make_h2_transport().open(it.http2, "/", [])).head()


async def test_what_the_socket_does_not_take_is_not_sent(
    make_h2_transport: MakeTransport,
) -> None:
    """A peer that opens its windows wide, and then does not read, is waited for all the same."""
    release = asyncio.Event()
    size = 32 << 20

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        event = await session.until(h2.events.RequestReceived)
        session.connection.increment_flow_control_window(size)
        session.connection.increment_flow_control_window(size, event.stream_id)
        session.answer(event.stream_id, end=False)
        await release.wait()
        await wire.until_closed()

    async with peer(script) as it:
        exchange = await make_h2_transport().open(it.http2, "/", [])
        await exchange.head()
        exchange.send(b"x" * size)
        draining = asyncio.create_task(exchange.drain_send())  # noqa: TID251
        done, _ = await asyncio.wait([draining], timeout=0.2)
        assert not done
        release.set()
        await draining
        exchange.abort()

"""HTTP/1.1 to well-behaved deployments: keep-alive, chunked full duplex, content-length."""

from __future__ import annotations

import asyncio

import pytest

from .conftest import MakeTransport
from .peers import Wire, peer, read_all


async def duplex_echo(wire: Wire) -> None:
    """Answer the head at once, echo each chunk, end after the request's last chunk."""
    while True:
        await wire.read_head()
        wire.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nX-A: 2\r\n\r\n")
        while chunk := await wire.read_chunk():
            wire.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        wire.write(b"0\r\nx-trailer: ignored\r\n\r\n")


async def test_both_halves_flow_at_once(make_transport: MakeTransport) -> None:
    """An open request is chunked; each chunk is answered while it stays open."""
    async with peer(duplex_echo) as it:
        transport = make_transport()
        for _ in range(2):
            exchange = await transport.open(it.http1, "/invoke/S/h", [], body=b"start")
            head = await exchange.head()
            assert (head.status, head.headers["x-a"]) == (200, "1, 2")
            assert "x-trailer" not in head.headers
            assert await exchange.receive() == b"start"
            for message in (b"one", b"two"):
                exchange.send(message)
                assert await exchange.receive() == message
            exchange.end_request()
            assert await exchange.receive() == b""
        assert len(it.wires) == 1, "the connection is used again"


async def test_what_a_request_looks_like(make_transport: MakeTransport) -> None:
    """Complete bodies carry content-length, open ones are chunked, one chunk per loop turn."""
    seen: list[bytes] = []

    async def script(wire: Wire) -> None:
        for _ in range(3):
            head = await wire.read_head()
            seen.append(head)
            if b"chunked" in head:
                while chunk := await wire.read_chunk():
                    seen.append(chunk)
            elif b"content-length: 4" in head:
                seen.append(await wire.reader.readexactly(4))
            wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with peer(script) as it:
        transport = make_transport()
        get = await transport.open(it.http1, "/discover", [("Accept", "x")], method="GET", end=True)
        assert await read_all(get) == b""
        post = await transport.open(it.http1, "/a", [], body=b"body", end=True)
        assert await read_all(post) == b""
        stream = await transport.open(it.http1, "/b", [], body=b"1")
        stream.send(b"2")
        stream.send(b"3")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        stream.send(b"4")
        stream.end_request()
        stream.end_request()
        assert await read_all(stream) == b""
    host = b"host: 127.0.0.1:%d\r\n" % it.port
    assert seen == [
        b"GET /discover HTTP/1.1\r\n" + host + b"accept: x\r\n\r\n",
        b"POST /a HTTP/1.1\r\n" + host + b"content-length: 4\r\n\r\n",
        b"body",
        b"POST /b HTTP/1.1\r\n" + host + b"transfer-encoding: chunked\r\n\r\n",
        b"123",
        b"4",
    ]


@pytest.mark.parametrize(
    ("response", "status", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nno!", 404, b"no!"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx", 200, b"x"),
        (
            (
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: y\r\n\r\n"
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;ext=1\r\nx\r\n0\r\n\r\n"
            ),
            200,
            b"x",
        ),
    ],
    ids=["no-content", "length", "until-close", "close", "informational"],
)
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
async def test_forms_of_responses(
    make_transport: MakeTransport, response: bytes, status: int, body: bytes, bytewise: bool
) -> None:
    """Each framing HTTP/1.1 allows is understood, however it is cut."""

    async def script(wire: Wire) -> None:
        await wire.read_head()
        for piece in (
            [response[i : i + 1] for i in range(len(response))] if bytewise else [response]
        ):
            wire.write(piece)
            await asyncio.sleep(0)

    async with peer(script) as it:
        transport = make_transport()
        exchange = await transport.open(it.http1, "/", [], end=True)
        assert (await exchange.head()).status == status
        assert await read_all(exchange) == body
        await it.all_closed()


async def test_connections_are_kept_and_closed(make_transport: MakeTransport) -> None:
    """Idle connections are reused last in first out, limited in number, closed when old."""
    all_here = asyncio.Barrier(5)

    async def script(wire: Wire) -> None:
        while True:
            _, body = await wire.read_request()
            await all_here.wait()
            wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n" + body)

    async with peer(script) as it:
        transport = make_transport(h1_idle_connections_max=3, idle_timeout_s=0.05)
        for _ in range(2):
            exchanges = [
                await transport.open(it.http1, "/", [], body=b"%d" % n, end=True) for n in range(5)
            ]
            assert [await read_all(each) for each in exchanges] == [b"%d" % n for n in range(5)]
        assert len(it.wires) == 7, "five, of which two were not kept"
        await it.all_closed()
        assert transport.connection_count == 0


async def test_a_response_before_the_request_ended(make_transport: MakeTransport) -> None:
    """A complete response to an open request ends the exchange; the connection is not reused."""

    async def script(wire: Wire) -> None:
        await wire.read_head()
        wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nno thanks")
        await wire.until_closed()

    async with peer(script) as it:
        exchange = await make_transport().open(it.http1, "/", [])
        assert await read_all(exchange) == b"no thanks"
        exchange.send(b"into the void")
        await exchange.drain_send()
        exchange.end_request()
        await it.all_closed()


async def test_a_slow_reader_stops_the_peer(make_transport: MakeTransport) -> None:
    """Unread bytes stay below the buffer limit plus one read; all arrive in the end."""
    total = 6 << 20
    limit = 1 << 20

    async def script(wire: Wire) -> None:
        await wire.read_head()
        wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
        for _ in range(total >> 16):
            wire.write(bytes(1 << 16))
            await wire.writer.drain()

    async with peer(script) as it:
        exchange = await make_transport(receive_buffer_bytes=limit).open(
            it.http1, "/", [], end=True
        )
        await exchange.head()
        connection = exchange._channel
        while not connection._reading_paused:
            await asyncio.sleep(0)
        assert limit < sum(map(len, exchange._chunks)) <= limit + (1 << 18)
        assert len(await read_all(exchange)) == total


async def test_a_slow_peer_stops_the_sender(make_transport: MakeTransport) -> None:
    """`drain_send` waits while the socket takes no more, then goes on."""
    release = asyncio.Event()

    async def script(wire: Wire) -> None:
        wire.writer.transport.pause_reading()
        await release.wait()
        wire.writer.transport.resume_reading()
        await wire.read_head()
        received = 0
        while chunk := await wire.read_chunk():
            received += len(chunk)
        wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n%8d" % received)

    async with peer(script) as it:
        exchange = await make_transport().open(it.http1, "/", [])
        sent = 0
        while not exchange._channel._paused:
            exchange.send(bytes(1 << 16))
            sent += 1 << 16
            await asyncio.sleep(0)
        draining = asyncio.create_task(exchange.drain_send())  # noqa: TID251
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not draining.done()
        release.set()
        await draining
        exchange.end_request()
        assert int(await read_all(exchange)) == sent

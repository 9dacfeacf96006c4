"""Peers on loopback for the transport to talk to, good ones and bad ones.

A script is a coroutine that plays one connection of the server's side. What it raises fails the
test, except that the client went away, which is part of many tests.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes

from rtour.server.transport import Endpoint, Exchange

PATIENCE_S = 30.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
OK = [(b":status", b"200"), (b"content-type", b"text/plain")]


class Wire:
    """One accepted connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, index: int):
        self.reader = reader
        self.writer = writer
        self.index = index

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def read_head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def read_request(self) -> tuple[bytes, bytes]:
        """Return head and body of an HTTP/1.1 request."""
        head = await self.read_head()
        if b"transfer-encoding: chunked" in head:
            body = b""
            while chunk := await self.read_chunk():
                body += chunk
            return head, body
        if b"content-length: " in head:
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            return head, await self.reader.readexactly(length)
        return head, b""

    async def read_chunk(self) -> bytes:
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        data = await self.reader.readexactly(size)
        assert await self.reader.readexactly(2) == b"\r\n"
        return data

    async def until_closed(self) -> None:
        """Wait until the client has gone."""
        while await self.reader.read(65536):
            pass

    def hang_up(self) -> None:
        self.writer.transport.abort()


class H2Wire:
    """A server's end of HTTP/2, played by h2, whatever the client uses."""

    def __init__(self, wire: Wire, settings: dict[SettingCodes, int] | None = None) -> None:
        self.wire = wire
        self.connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding=None)
        )
        self.connection.initiate_connection()
        if settings:
            self.connection.update_settings(settings)
        self.bodies: dict[int, bytes] = {}
        self.requests: dict[int, dict[bytes, bytes]] = {}
        self.auto_credit = True
        self.flush()

    def flush(self) -> None:
        self.wire.write(self.connection.data_to_send())

    async def events(self) -> AsyncIterator[h2.events.Event]:
        while data := await self.wire.reader.read(65536):
            for event in self.connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.bodies[event.stream_id] = b""
                    self.requests[event.stream_id] = dict(event.headers)
                if isinstance(event, h2.events.DataReceived):
                    self.bodies[event.stream_id] += event.data
                    if self.auto_credit and event.flow_controlled_length:
                        self.connection.acknowledge_received_data(
                            event.flow_controlled_length, event.stream_id
                        )
                yield event
            self.flush()

    async def until(self, kind: type[h2.events.Event], count: int = 1) -> h2.events.Event:
        """Wait for the `count`-th event of a kind."""
        async for event in self.events():
            if isinstance(event, kind):
                count -= 1
                if not count:
                    self.flush()
                    return event
        raise AssertionError(f"the client left before {kind.__name__}")

    def answer(self, stream_id: int, body: bytes = b"", *, end: bool = True) -> None:
        self.connection.send_headers(stream_id, OK, end_stream=end and not body)
        if body:
            self.connection.send_data(stream_id, body, end_stream=end)
        self.flush()

    async def serve(self) -> None:
        """Answer the head at once, echo the body, end when the request ends, as SDKs do."""
        async for event in self.events():
            if isinstance(event, h2.events.RequestReceived):
                self.answer(event.stream_id, end=False)
            elif isinstance(event, h2.events.DataReceived) and event.data:
                self.connection.send_data(event.stream_id, event.data)
            elif isinstance(event, h2.events.StreamEnded):
                self.connection.end_stream(event.stream_id)
            self.flush()


class Peer:
    """A listening server and what became of its connections."""

    def __init__(self, port: int, scheme: str) -> None:
        self.port = port
        self.scheme = scheme
        self.wires: list[Wire] = []
        self.running: set[asyncio.Task[None]] = set()
        self.failures: list[Exception] = []

    @property
    def http1(self) -> Endpoint:
        return Endpoint(f"{self.scheme}://127.0.0.1:{self.port}", "HTTP/1.1")

    @property
    def http2(self) -> Endpoint:
        return Endpoint(f"{self.scheme}://127.0.0.1:{self.port}", "HTTP/2.0")

    async def all_closed(self) -> None:
        """Wait until every connection's script has run to its end."""
        while self.running:
            await asyncio.wait(self.running, timeout=PATIENCE_S)


Script = Callable[[Wire], Awaitable[None]]


@asynccontextmanager
async def peer(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Serve `script` to each connection; on leaving, all must have ended without failure."""

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer, len(it.wires))
        it.wires.append(wire)
        task = asyncio.get_running_loop().create_task(play(wire))
        it.running.add(task)
        task.add_done_callback(it.running.discard)

    async def play(wire: Wire) -> None:
        try:
            await script(wire)
            await wire.writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as failure:  # noqa: BLE001 - reported when the peer ends
            it.failures.append(failure)
        finally:
            wire.writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    it = Peer(server.sockets[0].getsockname()[1], "https" if tls else "http")
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield it
    finally:
        server.close()
        for task in [*it.running]:
            task.cancel()
        if it.running:
            await asyncio.wait(it.running)
    assert not it.failures, it.failures


async def h2_echo(wire: Wire) -> None:
    """Be a well-behaved HTTP/2 server."""
    await H2Wire(wire).serve()


async def h1_echo(wire: Wire) -> None:
    """Be a well-behaved keep-alive HTTP/1.1 server."""
    while True:
        _, body = await wire.read_request()
        wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


async def read_all(exchange: Exchange) -> bytes:
    """Read a response to its end."""
    body = b""
    while data := await exchange.receive():
        body += data
    return body


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Build one HTTP/2 frame (RFC 9113 §4.1)."""
    return (
        struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream_id) + payload
    )


SETTINGS = frame(0x4, 0, 0)


def goaway(last_stream_id: int, code: int = 0) -> bytes:
    return frame(0x7, 0, 0, struct.pack(">II", last_stream_id, code))

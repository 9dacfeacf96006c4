"""What a deployment may send as an HTTP response: any bytes, over sockets, in both versions.

The first byte of an input chooses the version, and how the rest is cut into pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import h2.config
import h2.connection

from rtour.server.transport import Endpoint, HttpTransport, ResponseHead, TransportError
from rtour.server.transport.client import fetch
from tests.fuzz.target import Check, Target
from tests.fuzz.watching import Watch, watched

ANSWERS_WITHIN_S, BODY_BYTES_MAX = 10.0, 1 << 20
REQUEST_BYTES_MAX = 1 << 16
PIECES_MAX = 5
HTTP1 = (
    b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ncontent-length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nconnection: close\r\n\r\nno",
    b"HTTP/1.0 204 No Content\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
)


def _http2(status: str, body: bytes, *more: tuple[str, str]) -> bytes:
    """A server's side: its settings, and the answer to the first request."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    client = h2.connection.H2Connection()
    client.initiate_connection()
    fields = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "h")]
    client.send_headers(1, fields, end_stream=True)
    server.initiate_connection()
    server.receive_data(client.data_to_send())
    server.send_headers(1, [(":status", status), *more], end_stream=not body)
    if body:
        server.send_data(1, body, end_stream=True)
    server.ping(b"12345678")
    return server.data_to_send()


def seeds() -> list[bytes]:
    http2 = (
        _http2("200", b"hello", ("content-type", "a/b")),
        _http2("404", b""),
        _http2("200", b"x" * 3000, ("set-cookie", "a=b"), ("set-cookie", "c=d")),
    )
    return [
        *(bytes([head]) + answer for answer in HTTP1 for head in (0, 4)),
        *(bytes([head]) + answer for answer in http2 for head in (1, 5)),
    ]


class Network:
    """A transport, and a peer that answers each connection with what it was given."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._loop = asyncio.new_event_loop()
        self._pieces: list[bytes] = []
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._answer, "127.0.0.1", 0)
        )
        host, port = self._server.sockets[0].getsockname()
        self._uri = f"http://{host}:{port}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(REQUEST_BYTES_MAX)
            for piece in self._pieces:
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
            await reader.read()
        except ConnectionError:
            pass  # it had enough
        finally:
            writer.close()

    def check(self, data: bytes) -> None:
        head, answer = (data[:1] or b"\x00")[0], data[1:]
        size = len(answer) // (head // 2 % PIECES_MAX + 1) + 1
        self._pieces = [answer[at : at + size] for at in range(0, len(answer), size)]
        version = "HTTP/2.0" if head % 2 else "HTTP/1.1"
        self._loop.run_until_complete(self._asked(Endpoint(self._uri, version)))
        self._watch.assert_quiet()

    async def _asked(self, endpoint: Endpoint) -> None:
        transport = HttpTransport()
        try:
            head, body = await fetch(
                transport,
                endpoint,
                "/x",
                (),
                timeout_s=ANSWERS_WITHIN_S,
                max_bytes=BODY_BYTES_MAX,
            )
        except TransportError as error:
            assert str(error)
            assert "no complete answer" not in str(error), "it waits for what cannot come"
        else:
            assert isinstance(head, ResponseHead)
            assert 200 <= head.status <= 999, head
            assert all(name == name.lower() for name in head.headers), head
            assert len(body) <= BODY_BYTES_MAX
        finally:
            await transport.close()
        assert not transport.connection_count

    def close(self) -> None:
        self._server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()


@contextmanager
def opened() -> Iterator[Check]:
    with watched() as watch:
        network = Network(watch)
        yield network.check
        network.close()


TARGET = Target(
    promise="A response is read, or the exchange ends in an error with its reason, at once.",
    seeds=seeds,
    opened=opened,
    words=(b"\r\n", b"HTTP/1.1 200", b"content-length: 1\r\n", b"transfer-encoding: chunked\r\n"),
    examples=150,
)

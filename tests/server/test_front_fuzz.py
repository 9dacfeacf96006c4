"""Whatever bytes come, a connection answers or closes; it never fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rtour.server.front.answering import Shared
from rtour.server.front.http1 import Http1Connection
from rtour.server.front.http2 import Http2Connection
from rtour.server.front.limits import FrontLimits
from tests.server.fronts import EchoApp, post

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
LIMITS = FrontLimits(body_bytes_max=100, requests_bytes_max=3000, head_bytes_max=400)


class Sink(asyncio.Transport):
    """Takes what is written, and may be closed at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.written = bytearray()

    def write(self, data: Any) -> None:
        self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


Connection = Callable[[Shared, Callable[[object], None]], Any]


def feed(make: Connection, pieces: list[bytes]) -> bytes:
    """Give bytes to a connection; what it wrote. No error may escape, no budget be lost."""

    async def run() -> bytes:
        failures: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: failures.append(context)
        )
        shared = Shared(EchoApp(), LIMITS)
        connection, sink = make(shared, lambda lost: None), Sink()
        connection.connection_made(sink)
        for piece in pieces:
            if sink.closed:
                break
            connection.data_received(piece)
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
        connection.connection_lost(None)
        for _ in range(3):
            await asyncio.sleep(0)
        assert failures == []
        assert shared.budget.left == LIMITS.requests_bytes_max, "bytes of requests were lost"
        return bytes(sink.written)

    return asyncio.run(run())


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> list[bytes]:
    """A good message with some bytes changed, cut somewhere."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data) - 1))
        if draw(st.booleans()):
            data[place] = draw(st.integers(0, 255))
        else:
            data[place:place] = draw(st.binary(max_size=4))
    cut = draw(st.integers(0, len(data)))
    return [bytes(data[:cut]), bytes(data[cut:])]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=4))
def test_any_bytes_as_http1(pieces: list[bytes]) -> None:
    """Noise is no HTTP/1.1."""
    feed(Http1Connection, pieces)


@settings(max_examples=100, deadline=None)
@given(mutated(post(b"hello", close=False) + CHUNKED + post(b"x" * 90)))
def test_damaged_http1(pieces: list[bytes]) -> None:
    """Damaged requests are answered one by one, or refused."""
    written = feed(Http1Connection, pieces)
    assert written == b"" or written.startswith(b"HTTP/1.1 ")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=4))
def test_any_bytes_as_http2(pieces: list[bytes]) -> None:
    """Noise after the preface is no HTTP/2."""
    feed(Http2Connection, [PREFACE + SETTINGS, *pieces])


def h2_conversation() -> bytes:
    """Requests of all kinds on one connection."""
    import h2.connection

    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    for body in (b"", b"x" * 50, b"y" * 200):
        stream_id = connection.get_next_available_stream_id()
        fields = [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "h")]
        connection.send_headers(stream_id, fields, end_stream=not body)
        if body:
            connection.send_data(stream_id, body, end_stream=True)
    return connection.data_to_send()


@settings(max_examples=100, deadline=None)
@given(mutated(h2_conversation()))
def test_damaged_http2(pieces: list[bytes]) -> None:
    """Damaged frames end the stream or the connection, nothing else."""
    feed(Http2Connection, pieces)

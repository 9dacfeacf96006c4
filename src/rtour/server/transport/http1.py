"""An HTTP/1.1 connection to a deployment: one exchange at a time, both halves at once.

A request whose body is complete goes out with `content-length`; one that stays open is chunked,
one chunk per turn of the loop. The response is read while the request is still being written,
which HTTP/1.1 permits and the SDKs use.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import cast

import httptools

from rtour.server.transport.errors import BadPeer, TransportError
from rtour.server.transport.exchange import HttpExchange
from rtour.server.transport.interface import TransportLimits
from rtour.server.transport.request import Field, Request, response_head

_BODILESS = frozenset({204, 304})


class Http1Connection(asyncio.Protocol):
    """The protocol behind the socket and the exchange's `Channel`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: TransportLimits,
        on_change: Callable[[Http1Connection], None],
    ) -> None:
        self._loop = loop
        self.limits = limits
        self._on_change = on_change
        self._transport: asyncio.Transport | None = None
        self._exchange: HttpExchange | None = None
        self._exchanges = 0
        self._shut_down = False
        self._paused = False
        self._flush_due = False
        self._request_head = b""
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._chunked = False
        self._last_chunk_due = False
        self._response = _Response(self)
        self._reading_paused = False
        self._unread = 0
        self.idle_since = loop.time()
        self.closed = loop.create_future()

    # What the pool asks ------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether the connection can take an exchange."""
        return not self._shut_down and self._exchange is None

    def start(self, exchange: HttpExchange) -> None:
        """Send an exchange's request head and all the body it has so far."""
        assert self.usable, "one exchange at a time"
        self._exchange = exchange
        self._exchanges += 1
        self._response.begin(exchange)
        body = exchange.body_so_far()
        self._chunked = not exchange.request_ended
        self._request_head = _encode_head(exchange.request, len(body), chunked=self._chunked)
        if body:
            self._queue(body)
        exchange.attach(self)
        self._schedule_flush()

    def close(self, reason: str) -> None:
        """Close; an exchange still open is lost."""
        self._shut(reason)

    # Channel -----------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        assert self._chunked, "a complete request takes no more body"
        self._queue(data)
        self._schedule_flush()

    def end(self) -> None:
        self._last_chunk_due = True
        self._schedule_flush()

    def abort(self) -> None:
        self._exchange = None
        self._shut("aborted", hard=True)

    def consumed(self, amount: int) -> None:
        self._unread -= amount
        if self._unread <= self.limits.receive_buffer_bytes // 2:
            self._resume_reading()

    def writable(self) -> bool:
        return not self._paused and self._body_bytes <= self.limits.send_buffer_bytes

    # asyncio.Protocol --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self.limits.send_buffer_bytes)
        # HTTP/1.1 has no PING: the kernel must notice that a host is gone.
        connected = transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            self._shut("unasked-for bytes on an idle connection")
            return
        self._response.feed(data)
        if self._response.violation is not None:
            self._shut(self._response.violation)
        elif self._response.complete:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._exchange is not None and self._response.ends_with_connection and exc is None:
            self._finish()
        self._shut(f"connection lost: {exc or 'closed by the peer'}")
        if not self.closed.done():
            self.closed.set_result(None)
        self._on_change(self)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._flush()
        if self._exchange is not None and not self._paused:
            self._exchange.on_writable()

    # -------------------------------------------------------------------------------------

    def on_body(self, data: bytes) -> None:
        """Pass body bytes on, and stop reading when nobody fetches them."""
        assert self._exchange is not None, "body bytes belong to an exchange"
        self._unread += len(data)
        self._exchange.on_data(data)
        if self._unread > self.limits.receive_buffer_bytes and not self._reading_paused:
            self._reading_paused = True
            self._socket.pause_reading()

    @property
    def _socket(self) -> asyncio.Transport:
        assert self._transport is not None, "used once connected"
        return self._transport

    def _resume_reading(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            self._socket.resume_reading()

    def _queue(self, data: bytes) -> None:
        self._body.append(data)
        self._body_bytes += len(data)

    def _schedule_flush(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._paused or self._shut_down:
            return
        if not (self._request_head or self._body_bytes or self._last_chunk_due):
            return
        parts = [self._request_head]
        if self._body_bytes:
            if self._chunked:
                parts += (b"%x\r\n" % self._body_bytes, *self._body, b"\r\n")
            else:
                parts += self._body
        if self._last_chunk_due:
            parts.append(b"0\r\n\r\n")
            self._last_chunk_due = False
        self._request_head, self._body, self._body_bytes = b"", [], 0
        self._socket.write(b"".join(parts))
        if self._exchange is not None and not self._paused:
            self._exchange.on_writable()

    def _finish(self) -> None:
        """Hand the complete response over; keep the connection if both sides are done with it."""
        exchange, self._exchange = self._exchange, None
        assert exchange is not None, "a response answers an exchange"
        self._response.forget()
        if not self._socket.is_closing():
            self._flush()
        reusable = exchange.request_ended and not self._paused and self._response.keep_alive
        self._unread = 0
        exchange.on_end()
        if reusable and not self._shut_down:
            self._resume_reading()
            self.idle_since = self._loop.time()
            self._on_change(self)
        else:
            self._shut("response complete")

    def _shut(self, reason: str | TransportError, *, hard: bool = False) -> None:
        """End the connection, once; the exchange on it is told."""
        if self._shut_down:
            return
        self._shut_down = True
        if self._transport is not None:
            if hard or self._transport.get_write_buffer_size():
                self._transport.abort()  # a peer that does not read must not keep the socket
            else:
                self._transport.close()
        exchange, self._exchange = self._exchange, None
        self._response.forget()
        if exchange is not None:
            # The peer may close an idle connection just as we reuse it: then nothing came back.
            unseen = self._exchanges > 1 and not self._response.started and isinstance(reason, str)
            exchange.on_lost(reason, unseen=unseen)
        self._on_change(self)


class _Response:
    """Reads responses; the parser's listener.

    The parser knows no limits, so what is not body is counted here.
    """

    def __init__(self, connection: Http1Connection) -> None:
        self._connection = connection
        self._head_bytes_max = connection.limits.head_bytes_max
        self._parser = httptools.HttpResponseParser(self)
        self._fields: list[Field] = []
        self._in_body = False
        self._body_came = False
        self._overhead_bytes = 0
        self._surplus = False
        self._exchange: HttpExchange | None = None
        self.started = False
        self.complete = False
        self.ends_with_connection = False
        self.keep_alive = False
        self.violation: BadPeer | None = None

    def begin(self, exchange: HttpExchange) -> None:
        """Expect the response of the next exchange."""
        self._exchange = exchange
        self._overhead_bytes = 0
        self._in_body = False
        self.started = self.complete = self.ends_with_connection = self.keep_alive = False

    def forget(self) -> None:
        """Let go of an exchange that is over."""
        self._exchange = None

    def feed(self, data: bytes) -> None:
        """Take bytes; look at `violation` and `complete` afterwards."""
        self.started = True
        self._body_came = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.violation = BadPeer("the peer wants to switch protocols")
        except httptools.HttpParserError as error:
            self._surplus = True
            if not self.complete:
                self.violation = BadPeer(f"the peer does not speak HTTP/1.1: {error}")
        if self._surplus:
            self.keep_alive = False
        self._overhead_bytes = 0 if self._body_came else self._overhead_bytes + len(data)
        if self._overhead_bytes > self._head_bytes_max and not self.complete:
            self.violation = BadPeer(f"the peer's headers exceed {self._head_bytes_max} bytes")

    # httptools calls these ---------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._surplus = self.complete
        self._fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # afterwards they are trailers, of which we make nothing
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._surplus or status < 200:
            return
        version = self._parser.get_http_version()
        if version != "1.1":
            self.violation = BadPeer(f"the peer speaks HTTP/{version}, not HTTP/1.1")
            return
        head = response_head(((b":status", b"%d" % status), *self._fields))
        self._in_body = True
        self.ends_with_connection = not (
            status in _BODILESS
            or "content-length" in head.headers
            or "transfer-encoding" in head.headers
        )
        assert self._exchange is not None, "bytes are fed for an exchange"
        self._exchange.on_head(head)

    def on_body(self, data: bytes) -> None:
        if self._in_body and not self.complete and self.violation is None:
            self._body_came = True
            self._connection.on_body(data)

    def on_message_complete(self) -> None:
        if self._in_body and not self.complete:
            self.complete = True
            self.keep_alive = self._parser.should_keep_alive()


@lru_cache(maxsize=512)
def _request_line(method: bytes, target: bytes, authority: bytes) -> bytes:
    return b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (method, target, authority)


def _encode_head(request: Request, body_bytes: int, *, chunked: bool) -> bytes:
    parts = [_request_line(request.method, request.target, request.authority)]
    parts += [b"%b: %b\r\n" % field for field in request.fields]
    if chunked:
        parts.append(b"transfer-encoding: chunked\r\n\r\n")
    elif body_bytes or request.method != b"GET":
        parts.append(b"content-length: %d\r\n\r\n" % body_bytes)
    else:
        parts.append(b"\r\n")
    return b"".join(parts)

"""HTTP/1.1: one attempt at a time, its answer in chunks.

The answer begins before the request has ended, so that a server which can do so may stream both
ways here, too. Requests that come before their turn wait in a queue.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

import httptools

from rtour.sdk.attempt import Attempt
from rtour.sdk.endpoint import Accepted, Endpoint, Response

_MAX_EARLY: Final = 16
"""Requests that may wait for their turn on one connection."""
_MAX_HEADER_BYTES: Final = 64 * 1024


class _Request:
    """A request, as far as it is read."""

    __slots__ = ("body", "complete", "header_bytes", "headers", "keep_alive", "ready", "url")

    def __init__(self) -> None:
        self.url = b""
        self.headers: dict[str, str] = {}
        self.header_bytes = 0
        self.body = bytearray()
        self.ready = False
        self.complete = False
        self.keep_alive = True


class Http1Connection(asyncio.Protocol):
    """One connection; requests on it are answered in order."""

    def __init__(self, endpoint: Endpoint, closed: Callable[[Any], None]) -> None:
        self._endpoint = endpoint
        self._closed = closed
        self._transport: asyncio.Transport
        self._parser: Any = httptools.HttpRequestParser(self)
        self._requests: deque[_Request] = deque()
        self._answering: _Request | None = None
        self._attempt: Attempt | None = None
        self._closing = False
        self._context = contextvars.copy_context()

    # --- asyncio's side ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self._answering is None:
                self._transport.write(_whole(Response(400)))
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._attempt is not None:
            self._attempt.on_lost()
            self._attempt = None
        self._closed(self)

    # --- the parser's side -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if len(self._requests) >= _MAX_EARLY:
            self._transport.close()
        self._requests.append(_Request())

    def on_url(self, url: bytes) -> None:
        self._requests[-1].url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        self._requests[-1].headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def _count(self, size: int) -> None:
        request = self._requests[-1]
        request.header_bytes += size
        if request.header_bytes > _MAX_HEADER_BYTES:
            raise ValueError(f"more than {_MAX_HEADER_BYTES} bytes of headers")

    def on_headers_complete(self) -> None:
        request = self._requests[-1]
        request.ready = True
        request.keep_alive = self._parser.should_keep_alive()
        self._next()

    def on_body(self, body: bytes) -> None:
        if self._requests[-1] is self._answering and self._attempt is not None:
            self._attempt.on_data(body)
        else:
            self._requests[-1].body += body

    def on_message_complete(self) -> None:
        request = self._requests[-1]
        request.complete = True
        if request is self._answering:
            self._read_whole()

    # --- answers -----------------------------------------------------------------------------

    def _next(self) -> None:
        """Begin to answer the first request in the queue, if it is its turn."""
        if self._answering is not None or not self._requests or not self._requests[0].ready:
            return
        request = self._answering = self._requests[0]
        path = request.url.decode("latin-1")
        answer = self._endpoint.answer(path, request.headers, can_stream=False)
        if isinstance(answer, Accepted):
            self._transport.write(_head(answer, "transfer-encoding: chunked"))
            self._attempt = answer.begin(self._write_chunk, self._finish)
            if request.body:
                self._attempt.on_data(bytes(request.body))
        else:
            self._transport.write(_whole(answer))
        if request.complete:
            self._read_whole()

    def _read_whole(self) -> None:
        """The request that is being answered has ended."""
        if self._attempt is not None:
            self._attempt.on_eof()
        else:
            self._answered()

    def _write_chunk(self, data: bytes) -> None:
        if self._attempt is not None and not self._transport.is_closing():
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _finish(self) -> None:
        if self._attempt is None:
            return
        self._attempt = None
        if not self._transport.is_closing():
            self._transport.write(b"0\r\n\r\n")
        self._answered()

    def _answered(self) -> None:
        done = self._requests.popleft()
        self._answering = None
        if self._closing or not done.keep_alive:
            self._transport.close()
        else:
            # in the connection's context: this may be the end of a handler, in the handler's
            asyncio.get_running_loop().call_soon(self._next, context=self._context)

    def shut_down(self) -> None:
        """Take no new requests; close when the one under way has ended or suspended."""
        self._closing = True
        if self._attempt is not None:
            self._attempt.drain()
        if self._answering is None:
            self._transport.close()

    def abort(self) -> None:
        """Close now; the server retries what is under way."""
        self._transport.abort()


def _whole(response: Response) -> bytes:
    return _head(response, f"content-length: {len(response.body)}") + response.body


def _head(answer: Accepted | Response, framing: str) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        *(f"{name}: {value}" for name, value in answer.headers),
        framing,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")

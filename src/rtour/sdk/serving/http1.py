"""HTTP/1.1: one attempt at a time, its answer in chunks.

The answer begins before the request has ended, so that a server which can do so may stream both
ways here, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

import httptools

from rtour.sdk.attempt import Attempt
from rtour.sdk.endpoint import Accepted, Endpoint, Response


class Http1Connection(asyncio.Protocol):
    """One connection; requests on it are answered in order."""

    def __init__(self, endpoint: Endpoint, closed: Callable[[Any], None]) -> None:
        self._endpoint = endpoint
        self._closed = closed
        self._transport: asyncio.Transport
        self._parser: Any = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._attempt: Attempt | None = None
        self._reading = False
        self._answering = False
        self._early = bytearray()
        self._closing = False

    # --- asyncio's side ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        if self._answering and not self._reading:  # the next request, early
            self._early += data
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._transport.close()
        except httptools.HttpParserError:
            if not self._answering:
                self._respond(Response(400))
            self._transport.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        if self._attempt is not None:
            self._attempt.on_lost()
            self._attempt = None
        self._closed(self)

    # --- the parser's side -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = {}
        self._reading = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._answering = True
        path = self._url.decode("latin-1")
        answer = self._endpoint.answer(path, self._headers, can_stream=False)
        if not isinstance(answer, Accepted):
            self._respond(answer)
            return
        self._transport.write(_head(answer, "transfer-encoding: chunked"))
        self._attempt = answer.begin(self._write_chunk, self._finish)

    def on_body(self, body: bytes) -> None:
        if self._attempt is not None:
            self._attempt.on_data(body)

    def on_message_complete(self) -> None:
        self._reading = False
        if self._attempt is not None:
            self._attempt.on_eof()
        else:
            self._answered()

    # --- answers -----------------------------------------------------------------------------

    def _respond(self, response: Response) -> None:
        self._transport.write(
            _head(response, f"content-length: {len(response.body)}") + response.body
        )

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
        self._answering = False
        if self._closing or not self._parser.should_keep_alive():
            self._transport.close()
        elif self._early:
            early, self._early = bytes(self._early), bytearray()
            asyncio.get_running_loop().call_soon(self.data_received, early)

    def shut_down(self) -> None:
        """Take no new requests; close when the one under way is finished."""
        self._closing = True
        if not self._answering:
            self._transport.close()

    def abort(self) -> None:
        """Close now; the server retries what is under way."""
        self._transport.abort()


def _head(answer: Accepted | Response, *framing: str) -> bytes:
    reason = HTTPStatus(answer.status).phrase
    lines = [
        f"HTTP/1.1 {answer.status} {reason}",
        *(f"{name}: {value}" for name, value in answer.headers),
        *framing,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")

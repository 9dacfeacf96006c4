"""HTTP/2 without TLS (h2c, prior knowledge): streams to attempts and back.

ngh2 keeps the windows: what does not fit waits inside it. Output of all streams is written once per
iteration of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Final, cast

import ngh2
from ngh2 import NGH2Error, Setting

from rtour.sdk.attempt import Attempt
from rtour.sdk.endpoint import Accepted, Endpoint

_WINDOW: Final = 4 * 1024 * 1024
_MAX_STREAMS: Final = 100_000
_CANCEL: Final = 0x8
# A server that discovers us reads from it that HTTP/2 is the cheaper one here, too.
_SERVER: Final = (b"server", b"rtour")

Headers = list[tuple[bytes, bytes]]


@lru_cache(maxsize=64)
def _encoded(status: int, *headers: tuple[str, str]) -> Headers:
    """The head of a response, of which there are few."""
    named = [(name.encode(), value.encode()) for name, value in headers]
    return [(b":status", b"%d" % status), *named]


class Http2Connection(asyncio.Protocol):
    """One connection from a Restate server."""

    def __init__(self, endpoint: Endpoint, closed: Callable[[Any], None]) -> None:
        self._endpoint = endpoint
        self._closed = closed
        self._attempts: dict[int, Attempt] = {}
        self._dirty = False
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._http = ngh2.Connection(ngh2.Role.SERVER)
        self._handlers: dict[type, Callable[[Any], None]] = {
            ngh2.RequestReceived: self._on_request,
            ngh2.DataReceived: self._on_data,
            ngh2.StreamReset: self._on_reset,
            ngh2.StreamClosed: self._on_reset,
        }

    # --- asyncio's side ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._http.initiate_connection(
            {
                Setting.MAX_CONCURRENT_STREAMS: _MAX_STREAMS,
                Setting.INITIAL_WINDOW_SIZE: _WINDOW,
            }
        )
        self._http.set_local_window_size(_WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            for event in self._http.events():
                handler = self._handlers.get(type(event))
                if handler is not None:
                    handler(event)
        except NGH2Error:
            self._flush()
            self._transport.close()
            return
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        for attempt in list(self._attempts.values()):
            attempt.on_lost()
        self._attempts.clear()
        self._closed(self)

    # --- streams -----------------------------------------------------------------------------

    def _on_request(self, event: ngh2.RequestReceived) -> None:
        stream = event.stream_id
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        path = headers.pop(":path", "/")
        answer = self._endpoint.answer(path, headers, can_stream=True)
        head = _encoded(answer.status, *answer.headers)
        if not isinstance(answer, Accepted):
            self._http.send_response(stream, [*head, _SERVER])
            self._http.send_data(stream, answer.body, end_stream=True)
            return
        self._http.send_response(stream, head)
        attempt = answer.begin(partial(self._write, stream), partial(self._finish, stream))
        self._attempts[stream] = attempt
        if event.end_stream:
            attempt.on_eof()

    def _on_data(self, event: ngh2.DataReceived) -> None:
        attempt = self._attempts.get(event.stream_id)
        if attempt is None:
            return
        if event.data:
            attempt.on_data(event.data)
        if event.end_stream:
            attempt.on_eof()

    def _on_reset(self, event: ngh2.StreamReset | ngh2.StreamClosed) -> None:
        attempt = self._attempts.pop(event.stream_id, None)
        if attempt is not None:
            attempt.on_lost()

    def _write(self, stream: int, data: bytes) -> None:
        if stream in self._attempts:
            self._send(stream, data, end_stream=False)

    def _finish(self, stream: int) -> None:
        if self._attempts.pop(stream, None) is not None:
            self._send(stream, b"", end_stream=True)
        if self._closing and not self._attempts:
            self._loop.call_soon(self._transport.close)

    def _send(self, stream: int, data: bytes, *, end_stream: bool) -> None:
        try:
            self._http.send_data(stream, data, end_stream=end_stream)
        except NGH2Error:  # reset meanwhile; `_on_reset` is on its way
            return
        self._flush_soon()

    # --- output ------------------------------------------------------------------------------

    def _flush_soon(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._dirty = False
        data = self._http.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def shut_down(self) -> None:
        """Take no new requests; close when those under way have ended or suspended."""
        self._closing = True
        for attempt in list(self._attempts.values()):
            attempt.drain()
        with suppress(NGH2Error):  # the peer has said goodbye already
            self._http.send_goaway()
        self._flush()
        if not self._attempts:
            self._transport.close()

    def abort(self) -> None:
        """Close now; the server retries what is under way."""
        with suppress(NGH2Error):
            for stream in list(self._attempts):
                self._http.reset_stream(stream, _CANCEL)
        self._flush()
        self._transport.close()

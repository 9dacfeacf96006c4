"""One HTTP/1.1 connection.

Requests of a pipeline are answered in order, one at a time. The connection is read on while a
request is under way, so that a client that goes away is noticed and its request cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools

from rtour.server.front.answering import (
    HEAD_TOO_LARGE,
    TOO_LARGE,
    TOO_MUCH,
    TOO_SLOW,
    TWO_HOSTS,
    UNREAD_BY_OTHERS,
    Refused,
    Shared,
    Stoppable,
    answer,
    bodiless,
    content_length,
    date_header,
    make_request,
    status_line,
)
from rtour.server.front.limits import Deadline, Share, UnreadShare
from rtour.server.web import Headers, Reply, Request, text_reply

_log = logging.getLogger("rtour.front")

_BAD_REQUEST = text_reply(400, "bad request: this is not HTTP/1.1 as RFC 9112 has it")
_HOP_BY_HOP = frozenset({b"connection", b"upgrade", b"http2-settings"})
_COPIED_BYTES_MAX = 64 << 10  # up to here one write costs less than no copy


def _head(reply: Reply, *, keep_alive: bool, http10: bool) -> bytes:
    """Status line and headers, still open for what describes the body."""
    parts = [status_line(reply.status)]
    for name, value in reply.headers:
        parts += (name, b": ", value, b"\r\n")
    parts += (b"date: ", date_header(), b"\r\n")
    if not keep_alive:
        parts.append(b"connection: close\r\n")
    elif http10:
        parts.append(b"connection: keep-alive\r\n")
    return b"".join(parts)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class _Arrived:
    """A complete request, and how to answer it."""

    __slots__ = ("http10", "keep_alive", "request", "share")

    def __init__(self, request: Request, share: Share, *, keep_alive: bool, http10: bool) -> None:
        self.request = request
        self.share = share
        self.keep_alive = keep_alive
        self.http10 = http10


class Http1Connection(asyncio.Protocol):
    """Bytes in, requests to the app, replies out."""

    def __init__(self, shared: Shared, on_lost: Callable[[Stoppable], None]) -> None:
        self._shared = shared
        self._limits = shared.limits
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, self._expired)
        self._queue: deque[_Arrived] = deque()
        self._task: asyncio.Task[None] | None = None  # answers the request that holds `_held`
        self._held: Share | None = None
        self._paused = False  # the client does not read what is written
        self._unread = UnreadShare(shared.unread)
        self._resumed = asyncio.Event()
        self._lingering: int | None = None  # bytes still accepted after a refusal
        self._parser = httptools.HttpRequestParser(self)
        self._share = Share(shared.budget)
        self._reset()

    # --- the transport's side --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._deadline.set(self._limits.head_timeout_s)

    def data_received(self, data: bytes) -> None:
        if self._lingering is not None:
            self._linger(len(data))
            return
        if not self._in_body:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserCallbackError as error:
            refused = error.__context__
            self._refuse(refused.reply if isinstance(refused, Refused) else _BAD_REQUEST)
            return
        except httptools.HttpParserError:
            self._refuse(_BAD_REQUEST)
            return
        if not self._in_body and self._head_bytes > self._limits.head_bytes_max:
            self._refuse(HEAD_TOO_LARGE)
            return
        self._watch()

    def eof_received(self) -> None:
        """Half-closed connections are closed ones: nobody would notice who is gone otherwise."""

    def connection_lost(self, _error: Exception | None) -> None:
        self._deadline.close()
        self._unread.set(0)
        self._resumed.set()
        if self._task is not None:
            self._task.cancel()
        if self._held is not None:  # a task that is cancelled before it begins has no `finally`
            self._held.give_back()
        for arrived in self._queue:
            arrived.share.give_back()
        self._queue.clear()
        self._share.give_back()
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._paused = True
        self._unread.set(self._transport.get_write_buffer_size())
        self._resumed.clear()
        self._deadline.set(self._limits.write_timeout_s)

    def resume_writing(self) -> None:
        self._paused = False
        self._unread.set(0)
        self._resumed.set()
        if self._task is None and self._queue:
            self._begin_next()
        self._watch()

    # --- the parser's side -----------------------------------------------------------------------

    def _reset(self) -> None:
        self._target = b""
        self._headers: Headers = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._share = Share(self._shared.budget)
        self._head_bytes = 0  # as received, of a head that is not complete
        self._fields_bytes = 0
        self._in_body = False
        self._http10 = False
        self._started = False
        self._head_watched = False

    def on_message_begin(self) -> None:
        self._started = True

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            return  # trailers are dropped
        self._fields_bytes += len(name) + len(value)
        if self._fields_bytes > self._limits.head_bytes_max:
            raise Refused(HEAD_TOO_LARGE)
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._in_body = True
        headers = self._headers
        self._http10 = self._parser.get_http_version() == "1.0"
        refusal = self._shared.check(self._parser.get_method().decode(), headers)
        if refusal is not None:
            raise Refused(refusal)
        if content_length(headers) > self._limits.body_bytes_max:
            raise Refused(TOO_LARGE)
        if not self._share.take(self._fields_bytes):
            raise Refused(TOO_MUCH)
        hosts = 0
        for name, value in headers:
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding" and self._http10:
                raise Refused(_BAD_REQUEST)  # who does not know it reads another end (§6.1)
            elif name == b"expect" and value.lower() == b"100-continue" and self._task is None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if hosts > 1:
            raise Refused(TWO_HOSTS)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.body_bytes_max:
            raise Refused(TOO_LARGE)
        if not self._share.take(len(body)):
            raise Refused(TOO_MUCH)
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.should_upgrade():
            return
        request = make_request(
            self._parser.get_method().decode(),
            self._target,
            self._headers,
            b"".join(self._body),
            self._share,
        )
        arrived = _Arrived(
            request,
            self._share,
            keep_alive=self._parser.should_keep_alive(),
            http10=self._http10,
        )
        self._reset()
        if self._task is None and not self._paused:
            self._begin(arrived)
            return
        self._queue.append(arrived)
        if len(self._queue) >= self._limits.pipelined_max:
            self._transport.pause_reading()

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read the request again without its offer to upgrade (`curl --http2` makes one)."""
        method = self._parser.get_method()
        if method == b"CONNECT":
            self._refuse(text_reply(405, "method not allowed"))
            return
        head = [method, b" ", self._target, b" HTTP/1.1\r\n"]
        for name, value in self._headers:
            if name not in _HOP_BY_HOP:
                head += (name, b": ", value, b"\r\n")
        self._parser = httptools.HttpRequestParser(self)
        self._share.give_back()
        self._reset()
        self.data_received(b"".join([*head, b"\r\n", rest]))

    # --- answers ---------------------------------------------------------------------------------

    def _begin(self, arrived: _Arrived) -> None:
        self._held = arrived.share
        self._task = self._loop.create_task(self._respond(arrived))

    async def _respond(self, arrived: _Arrived) -> None:
        try:
            reply = await answer(self._shared.app, arrived.request)
        finally:
            arrived.share.give_back()
        size = len(reply.body) if isinstance(reply.body, bytes) else -1
        streamed = size < 0
        if size > _COPIED_BYTES_MAX and not self._shared.unread.has_room(size):
            reply = UNREAD_BY_OTHERS
        keep_alive = (
            arrived.keep_alive
            and not self._shared.stopping
            and not (streamed and arrived.http10)  # its end is the connection's
        )
        head = _head(reply, keep_alive=keep_alive, http10=arrived.http10)
        if not streamed or bodiless(arrived.request.method, reply.status):
            self._write(head, reply, arrived.request.method)
        else:
            await self._stream(reply, head, chunked=not arrived.http10)
        self._next(keep_alive=keep_alive)

    def _write(self, head: bytes, reply: Reply, method: str) -> None:
        """A reply whose length is known."""
        body = reply.body if isinstance(reply.body, bytes) else b""
        head += b"\r\n" if reply.status == 204 else b"content-length: %d\r\n\r\n" % len(body)
        if bodiless(method, reply.status):
            body = b""
        if len(body) < _COPIED_BYTES_MAX:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    async def _stream(self, reply: Reply, head: bytes, *, chunked: bool) -> None:
        assert not isinstance(reply.body, bytes)
        self._transport.write(
            head + (b"transfer-encoding: chunked\r\n\r\n" if chunked else b"\r\n")
        )
        try:
            async for chunk in reply.body:
                if chunk:
                    self._transport.write(_chunk(chunk) if chunked else chunk)
                    if self._paused:
                        await self._resumed.wait()
        except Exception:  # noqa: BLE001 - whatever it was, the client must not take it for the end
            _log.exception("a reply broke off")
            self._transport.abort()
            return
        if chunked:
            self._transport.write(b"0\r\n\r\n")

    def _next(self, *, keep_alive: bool) -> None:
        self._task = None
        if not keep_alive:
            self._close()
        elif self._queue and not self._paused:
            self._begin_next()
        else:  # also for a client that reads its replies too slowly to get more of them
            self._watch()

    def _begin_next(self) -> None:
        self._begin(self._queue.popleft())
        if not self._queue:
            self._transport.resume_reading()

    def _refuse(self, reply: Reply) -> None:
        """Answer what is no acceptable request, then let the client finish and close."""
        self._lingering = self._limits.linger_bytes_max
        self._share.give_back()
        self._body = []
        if self._task is not None:
            # Earlier requests of the pipeline are still being answered: the refusal would be taken
            # for theirs.
            self._transport.abort()
            return
        self._write(_head(reply, keep_alive=False, http10=False), reply, "POST")
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._deadline.set(self._limits.linger_timeout_s)

    def _linger(self, received: int) -> None:
        assert self._lingering is not None
        self._lingering -= received
        if self._lingering < 0:
            self._transport.abort()

    # --- time ------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Set the deadline of what the connection waits for now."""
        if self._paused or self._lingering is not None:
            return
        if self._task is not None:
            self._deadline.set(None)
        elif self._in_body:
            self._deadline.set(self._limits.body_idle_timeout_s)
        elif self._started:
            # Set once per head: a client that sends a byte at a time gains nothing.
            if not self._head_watched:
                self._head_watched = True
                self._deadline.set(self._limits.head_timeout_s)
        else:
            self._deadline.set(self._limits.idle_timeout_s)

    def _expired(self) -> None:
        if self._lingering is None and self._task is None and self._started:
            self._refuse(TOO_SLOW)
        else:
            self._transport.abort()

    def _close(self) -> None:
        """Close when what is written is sent, or when that takes too long."""
        self._transport.close()
        self._deadline.set(self._limits.write_timeout_s)

    def stop(self) -> None:
        """Close as soon as the request under way is answered."""
        if self._task is None:
            self._close()

    def abort(self) -> None:
        self._transport.abort()

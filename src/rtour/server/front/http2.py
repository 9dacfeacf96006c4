"""One HTTP/2 connection: every stream is a request, all under way at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import cast

import ngh2
from ngh2 import ErrorCode, Setting

from rtour.server.front.answering import (
    TOO_LARGE,
    TOO_MUCH,
    UNREAD,
    UNREAD_BY_OTHERS,
    Shared,
    Stoppable,
    answer,
    bodiless,
    content_length,
    date_header,
    make_request,
)
from rtour.server.front.http2_stream import Stream
from rtour.server.front.limits import Deadline, UnreadShare
from rtour.server.web import Reply, text_reply

_log = logging.getLogger("rtour.front")

_NO_PATH = text_reply(405, "method not allowed")
_STATUS = {status: b"%d" % status for status in range(100, 1000)}


class Http2Connection(asyncio.Protocol):
    """Bytes in, requests to the app, replies out."""

    def __init__(self, shared: Shared, on_lost: Callable[[Stoppable], None]) -> None:
        self._shared = shared
        self._limits = shared.limits
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, self._expired)
        self._streams: dict[int, Stream] = {}
        self._arriving: set[int] = set()  # streams whose request is not complete
        self._late: deque[int] = deque()  # and whose request waits until replies are read
        self._unread = UnreadShare(shared.unread)
        self._room = asyncio.Event()  # set when queued bytes may have left
        self._paused = False
        self._flushing = False
        self._closing = False
        self._handlers: dict[type[ngh2.Event], Callable[..., None]] = {
            ngh2.RequestReceived: self._on_request,
            ngh2.DataReceived: self._on_data,
            ngh2.TrailersReceived: self._on_trailers,
            ngh2.StreamReset: self._on_gone,
            ngh2.StreamClosed: self._on_gone,
            ngh2.ConnectionClosed: self._on_closed,
        }

    # --- the transport's side --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._connection = ngh2.Connection(
            ngh2.Role.SERVER,
            ngh2.Configuration(
                auto_window_update=False,
                max_inbound_header_list_size=self._limits.head_bytes_max,
            ),
        )
        self._connection.initiate_connection(
            {
                Setting.MAX_CONCURRENT_STREAMS: self._limits.h2_streams_max,
                Setting.INITIAL_WINDOW_SIZE: self._limits.h2_window_bytes,
                Setting.MAX_HEADER_LIST_SIZE: self._limits.head_bytes_max,
            }
        )
        self._connection.set_local_window_size(self._limits.h2_connection_window_bytes)
        self._deadline.set(self._limits.idle_timeout_s)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        try:
            self._connection.receive_data(data)
        except ngh2.NGH2Error as error:
            _log.debug("an HTTP/2 client broke the protocol: %s", error)
            self._dispatch()
            self._transport.abort()
            return
        self._dispatch()
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        self._closing = True
        self._deadline.close()
        self._unread.set(0)
        self._room.set()
        for stream_id in list(self._streams):
            self._forget(stream_id)
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._paused = True
        self._deadline.set(self._limits.write_timeout_s)

    def resume_writing(self) -> None:
        self._paused = False
        self._flush()

    def _dispatch(self) -> None:
        for event in self._connection.events():
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(event)

    def _flush_soon(self) -> None:
        """Replies of one turn of the loop leave in one write."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        while not self._paused and not self._closing:
            data = self._connection.data_to_send(self._limits.send_buffer_bytes)
            if data:
                self._transport.write(data)
            self._dispatch()
            if not data:
                break
        if not self._closing:
            self._count_unread()
        self._begin_late()
        self._room.set()
        self._watch()

    def _count_unread(self) -> None:
        """What the client's windows hold back, and what its socket does."""
        unread = self._connection.queued_body_size()
        if self._paused:
            unread += self._transport.get_write_buffer_size()
        if unread != self._unread.bytes:
            self._unread.set(unread)

    # --- the client's side -----------------------------------------------------------------------

    def _on_request(self, event: ngh2.RequestReceived) -> None:
        stream = self._streams[event.stream_id] = Stream(self._loop.time(), self._shared.budget)
        if not event.end_stream:
            self._arriving.add(event.stream_id)
        size = stream.read_head(event.headers)
        refusal = self._shared.check(stream.method, stream.headers)
        if refusal is None and not stream.target:
            refusal = _NO_PATH
        elif refusal is None and content_length(stream.headers) > self._limits.body_bytes_max:
            refusal = TOO_LARGE
        if refusal is None and not stream.share.take(size):
            refusal = TOO_MUCH
        if refusal is not None:
            self._refuse(event.stream_id, stream, refusal)
        elif event.end_stream:
            self._begin(event.stream_id, stream)

    def _on_data(self, event: ngh2.DataReceived) -> None:
        amount = len(event.data)
        if amount:
            self._connection.acknowledge_received_data(amount, event.stream_id)
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        stream.last = self._loop.time()
        stream.size += amount
        if stream.refused:
            if stream.size > self._limits.linger_bytes_max:
                self._connection.reset_stream(event.stream_id, ErrorCode.NO_ERROR)
            return
        if stream.size > self._limits.body_bytes_max:
            self._refuse(event.stream_id, stream, TOO_LARGE)
        elif not stream.share.take(amount):
            self._refuse(event.stream_id, stream, TOO_MUCH)
        else:
            stream.body.append(event.data)
            if event.end_stream:
                self._begin(event.stream_id, stream)

    def _on_trailers(self, event: ngh2.TrailersReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None and stream.task is None and not stream.refused:
            self._begin(event.stream_id, stream)

    def _on_gone(self, event: ngh2.StreamReset | ngh2.StreamClosed) -> None:
        self._forget(event.stream_id)

    def _on_closed(self, _event: ngh2.ConnectionClosed) -> None:
        self._closing = True
        self._transport.close()
        self._deadline.set(self._limits.write_timeout_s)

    def _forget(self, stream_id: int) -> None:
        self._arriving.discard(stream_id)
        stream = self._streams.pop(stream_id, None)
        if stream is None:
            return
        stream.share.give_back()
        if stream.task is not None:
            stream.task.cancel()
        if self._shared.stopping and not self._streams:
            self._loop.call_soon(self.stop)

    # --- answers ---------------------------------------------------------------------------------

    def _begin(self, stream_id: int, stream: Stream) -> None:
        self._arriving.discard(stream_id)
        if self._late or self._connection.queued_body_size() > self._limits.h2_unread_bytes:
            self._late.append(stream_id)
        else:
            self._answer(stream_id, stream)

    def _begin_late(self) -> None:
        """Requests go on in their order, now that the client has read what was there for it."""
        while self._late and self._connection.queued_body_size() <= self._limits.h2_unread_bytes:
            stream_id = self._late.popleft()
            stream = self._streams.get(stream_id)
            if stream is not None:
                self._answer(stream_id, stream)

    def _answer(self, stream_id: int, stream: Stream) -> None:
        stream.task = self._loop.create_task(self._respond(stream_id, stream))

    async def _respond(self, stream_id: int, stream: Stream) -> None:
        body = b"".join(stream.body)
        stream.body = []
        request = make_request(stream.method, stream.target, stream.headers, body, stream.share)
        del body
        reply = await answer(self._shared.app, request)
        if stream_id not in self._streams:
            return
        stream.share.give_back()
        empty = bodiless(stream.method, reply.status)
        if isinstance(reply.body, bytes):
            # The closing of the stream, which the flush brings, must not cancel this task.
            stream.task = None
            body = b"" if empty else reply.body
            if (refusal := self._without_room(len(body))) is not None:
                reply = refusal
                assert isinstance(reply.body, bytes)
                body = reply.body
            self._send(stream_id, reply, body)
            return
        await self._stream(stream_id, reply, empty=empty)

    def _without_room(self, size: int) -> Reply | None:
        """What to say instead of a reply of this size, if too much is unread already."""
        mine, everybodys = self._unread, self._shared.unread
        if size <= self._limits.small_bytes_max:
            if not mine.bytes:
                return None  # whoever reads gets all that is small
        else:
            unread = self._connection.queued_body_size()
            if unread and unread + size > self._limits.h2_unread_bytes_max:
                return UNREAD
        if not everybodys.has_room(size):
            return UNREAD_BY_OTHERS
        mine.set(mine.bytes + size)  # until the next flush finds out how much is left of it
        return None

    def _send(self, stream_id: int, reply: Reply, body: bytes) -> None:
        try:
            self._head(stream_id, reply, end=not body, length=len(body))
            if body:
                self._connection.send_data(stream_id, body, end_stream=True)
        except ngh2.NGH2Error as error:
            _log.debug("a reply came too late: %s", error)
        self._flush_soon()

    def _head(self, stream_id: int, reply: Reply, *, end: bool, length: int | None = None) -> None:
        fields = [(b":status", _STATUS[reply.status]), *reply.headers, (b"date", date_header())]
        if length is not None and reply.status != 204:
            fields.append((b"content-length", b"%d" % length))
        self._connection.send_response(stream_id, fields, end_stream=end)

    async def _stream(self, stream_id: int, reply: Reply, *, empty: bool) -> None:
        try:
            self._head(stream_id, reply, end=empty)
            if not empty:
                await self._send_chunks(stream_id, reply)
        except ngh2.NGH2Error as error:
            _log.debug("a reply came too late: %s", error)
        except Exception:  # noqa: BLE001 - whatever it was, the client must not take it for the end
            _log.exception("a reply broke off")
            with contextlib.suppress(ngh2.NGH2Error):
                self._connection.reset_stream(stream_id, ErrorCode.INTERNAL_ERROR)
        self._flush_soon()

    async def _send_chunks(self, stream_id: int, reply: Reply) -> None:
        assert not isinstance(reply.body, bytes)
        async for chunk in reply.body:
            if stream_id not in self._streams:
                return
            self._connection.send_data(stream_id, chunk)
            self._flush_soon()
            while self._connection.queued_body_size(stream_id) > self._limits.send_buffer_bytes:
                self._room.clear()
                await self._room.wait()
                if stream_id not in self._streams:
                    return
        if stream_id in self._streams:
            self._streams[stream_id].task = None
            self._connection.end_stream(stream_id)

    def _refuse(self, stream_id: int, stream: Stream, reply: Reply) -> None:
        """Answer before the request is complete; what is still sent is dropped."""
        stream.refused = True
        stream.body = []
        stream.share.give_back()
        assert isinstance(reply.body, bytes)
        self._send(stream_id, reply, reply.body)

    # --- time ------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Set the deadline of what the connection waits for now."""
        if self._paused or self._closing:
            return
        if self._arriving:
            self._deadline.set(self._limits.body_idle_timeout_s)
        elif self._unread.bytes:
            self._deadline.set(self._limits.write_timeout_s)
        elif not self._streams:
            self._deadline.set(self._limits.idle_timeout_s)
        else:
            self._deadline.set(None)

    def _expired(self) -> None:
        """Nothing came for as long as the deadline says."""
        if self._paused or self._closing:
            self._transport.abort()
        elif self._arriving:
            self._reset_slow()
        elif self._connection.queued_body_size():  # the client does not read its replies
            self._transport.abort()
        else:
            self._close()

    def _reset_slow(self) -> None:
        oldest = self._loop.time() - self._limits.body_idle_timeout_s / 2
        for stream_id in sorted(self._arriving):
            if self._streams[stream_id].last < oldest:
                self._connection.reset_stream(stream_id, ErrorCode.CANCEL)
        self._flush()

    def _close(self) -> None:
        """Say farewell and close when it is sent, or when that takes too long."""
        if self._connection.want_write or self._connection.want_read:
            self._connection.terminate_connection(ErrorCode.NO_ERROR)
            self._flush()
        self._closing = True
        self._transport.close()
        self._deadline.set(self._limits.write_timeout_s)

    def stop(self) -> None:
        """Close when the last request under way is answered.

        GOAWAY is kept until then: to Python's h2, hence to httpx, it is the end of everything.
        """
        if not self._closing and not self._streams:
            self._close()

    def abort(self) -> None:
        self._transport.abort()

"""An HTTP/2 connection to a deployment: many exchanges on one socket.

Everything happens in protocol callbacks. Whatever the exchanges send in one turn of the loop
leaves in one `write`; one timer per connection watches for silence.

A connection retires, that is, takes no new streams and closes after its last one, when it has
carried its share of requests or the peer says GOAWAY.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from rtour.server.transport.codec import (
    CANCEL,
    HTTP_1_1_REQUIRED,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    CodecFactory,
)
from rtour.server.transport.errors import BadPeer, ConnectFailed, Http1Only, TransportError
from rtour.server.transport.exchange import HttpExchange
from rtour.server.transport.interface import TransportLimits
from rtour.server.transport.request import Field, joined, response_head

_FRAME_HEADER_BYTES = 9
_SETTINGS_FRAME = 0x4


class Http2Stream:
    """The `Channel` of one exchange."""

    __slots__ = ("connection", "exchange", "received_before", "reused", "stream_id", "unread")

    def __init__(self, connection: Http2Connection, exchange: HttpExchange, stream_id: int) -> None:
        self.connection = connection
        self.exchange = exchange
        self.stream_id = stream_id
        self.received_before = connection.received_count
        self.reused = connection.settled and connection.request_count > 0
        self.unread = 0

    def send(self, data: bytes) -> None:
        self.connection.send(self.stream_id, data, end=False)

    def end(self) -> None:
        self.connection.send(self.stream_id, b"", end=True)

    def abort(self) -> None:
        self.connection.cancel(self)

    def consumed(self, amount: int) -> None:
        self.connection.consumed(self, amount)

    def writable(self) -> bool:
        return self.connection.writable(self)


class Http2Connection(asyncio.Protocol):
    """The protocol behind the socket; a `codec.Sink`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: TransportLimits,
        codec_factory: CodecFactory,
        on_change: Callable[[Http2Connection], None],
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._on_change = on_change
        self._codec = codec_factory(self, limits)
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, Http2Stream] = {}
        self._draining: dict[int, Http2Stream] = {}
        # The peer's first bytes, until they prove to be HTTP/2.
        self._opening: bytes | None = b""
        self.settled = False
        self._flush_due = False
        self._paused = False
        self.request_count = 0
        self._unread = 0
        self._window_for_unread = 0
        self._pinged = False
        self._violation: BadPeer | None = None
        self._received_at_tick = -1
        self._shut_down = False
        self._idle_since = loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self.received_count = 0
        self.streams_max = limits.h2_streams_max
        self.retired = False
        self.failure: TransportError | None = None
        self.closed = loop.create_future()

    # What the pool asks ------------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether another exchange may start here."""
        return len(self._streams) < self.streams_max and self.usable

    @property
    def usable(self) -> bool:
        """Whether the connection takes exchanges, room permitting."""
        return not self.retired and self._codec.can_request()

    @property
    def stream_count(self) -> int:
        """How many exchanges run here."""
        return len(self._streams)

    def start(self, exchange: HttpExchange) -> None:
        """Open a stream for an exchange and send all it has so far."""
        assert not self.retired, "ask has_room first"
        body = exchange.body_so_far()
        end = exchange.request_ended
        stream_id = self._codec.request(exchange.request, end=end and not body)
        if body:
            self._codec.send(stream_id, body, end=end)
        stream = self._streams[stream_id] = Http2Stream(self, exchange, stream_id)
        exchange.attach(stream)
        self.request_count += 1
        if self.request_count >= self._limits.h2_requests_per_connection_max:
            self._retire()
        self._schedule_flush()

    def close(self, reason: str) -> None:
        """Say goodbye and close; exchanges still open are lost."""
        self._shut(reason)

    # What the streams ask ----------------------------------------------------------------

    def send(self, stream_id: int, data: bytes, *, end: bool) -> None:
        self._codec.send(stream_id, data, end=end)
        self._schedule_flush()

    def cancel(self, stream: Http2Stream) -> None:
        if self._forget(stream.stream_id) is not None:
            self._codec.reset(stream.stream_id, CANCEL)
            self._schedule_flush()

    def consumed(self, stream: Http2Stream, amount: int) -> None:
        stream.unread -= amount
        self._return_credit(stream.stream_id, amount)
        self._schedule_flush()

    def writable(self, stream: Http2Stream) -> bool:
        if self._is_drained(stream.stream_id):
            return True
        self._draining[stream.stream_id] = stream
        return False

    # asyncio.Protocol --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._schedule_flush()
        self._timer = self._loop.call_later(self._limits.connect_timeout_s, self._give_up_unsettled)

    def data_received(self, data: bytes) -> None:
        self.received_count += 1
        if self._opening is not None:
            data = self._check_opening(data)
        if data:
            self._codec.receive(data)
            if self._codec.can_request():
                self._schedule_flush()
            else:  # it may be over: find out before anyone starts an exchange here
                self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._shut(f"connection lost: {exc or 'closed by the peer'}", write=False)
        if not self.closed.done():
            self.closed.set_result(None)
        self._on_change(self)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._flush()

    # codec.Sink --------------------------------------------------------------------------

    def on_settings(self, streams_max: int) -> None:
        if not self.settled:
            self.settled = True
            self._tick()
        self.streams_max = min(self._limits.h2_streams_max, streams_max)
        self._on_change(self)

    def on_head(self, stream_id: int, fields: tuple[Field, ...]) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        try:
            head = response_head(fields)
        except ValueError as error:
            self.cancel(stream)
            stream.exchange.on_lost(BadPeer(str(error)), unseen=False)
        else:
            stream.exchange.on_head(head)

    def on_trailers(self, stream_id: int, fields: tuple[Field, ...]) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.exchange.on_trailers(joined(fields))

    def on_data(self, stream_id: int, data: bytes) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:  # cancelled meanwhile: hand the credit straight back
            self._codec.consumed(stream_id, len(data))
            return
        stream.unread += len(data)
        self._unread += len(data)
        # Unread bytes of slow readers must not use up the window that all streams share.
        if self._unread > self._window_for_unread + self._limits.h2_connection_window_bytes // 4:
            self._window_for_unread = self._unread
            self._codec.widen(self._unread)
        stream.exchange.on_data(data)

    def on_end(self, stream_id: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if not stream.exchange.request_ended or self._codec.queued(stream_id):
            # The answer is complete: nobody will read the rest of the request.
            self._codec.reset(stream_id, CANCEL)
        self._forget(stream_id)
        stream.exchange.on_end()

    def on_reset(self, stream_id: int, code: int, *, by_peer: bool) -> None:
        stream = self._forget(stream_id)
        if stream is None:
            return
        who = "the peer" if by_peer else "the connection"
        reason: str | TransportError = f"stream reset by {who} with HTTP/2 error {code}"
        if code == HTTP_1_1_REQUIRED:
            reason = Http1Only("the peer wants HTTP/1.1 for this request")
        elif code == PROTOCOL_ERROR and not by_peer:
            reason = BadPeer("the response is not valid HTTP/2")
        stream.exchange.on_lost(reason, unseen=code == REFUSED_STREAM)

    def on_closed(self, stream_id: int) -> None:
        stream = self._forget(stream_id)
        if stream is not None:
            stream.exchange.on_lost("stream closed before the response was complete", unseen=False)

    def on_goaway(self, last_stream_id: int) -> None:
        self._retire()
        for stream_id in [sid for sid in self._streams if sid > last_stream_id]:
            self.on_reset(stream_id, REFUSED_STREAM, by_peer=True)

    def on_violation(self, reason: str) -> None:
        self._violation = BadPeer(f"the peer broke HTTP/2: {reason}")

    # -------------------------------------------------------------------------------------

    def _check_opening(self, data: bytes) -> bytes:
        """Return the peer's first bytes once they look like a SETTINGS frame."""
        assert self._opening is not None, "called until the opening is known"
        opening = self._opening + data
        if opening.startswith(b"HTTP/1.1"):
            self._shut(Http1Only("the peer speaks HTTP/1.1, not HTTP/2 with prior knowledge"))
        elif len(opening) < _FRAME_HEADER_BYTES:
            self._opening = opening
        elif opening.startswith(b"HTTP/1."):
            self._shut(BadPeer("the peer speaks HTTP/1.0"))
        elif opening[3] != _SETTINGS_FRAME:
            self._shut(BadPeer(f"the peer does not speak HTTP/2: it sent {opening[:24]!r}"))
        else:
            self._opening = None
            return opening
        return b""

    def _schedule_flush(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._shut_down or self._transport is None:
            return
        if not self._paused:
            self._write_out(self._transport)
        if self._violation is not None:
            self._shut(self._violation)
        elif self.retired and not self._streams:
            self._shut("retired")

    def _write_out(self, transport: asyncio.Transport) -> None:
        data = self._codec.output()
        if data:
            transport.write(data)
        for stream in [*self._draining.values()]:
            if self._is_drained(stream.stream_id):
                del self._draining[stream.stream_id]
                stream.exchange.on_writable()

    def _is_drained(self, stream_id: int) -> bool:
        """What left the stream may still be before the socket, if the peer's window is large."""
        if self._paused:
            return False
        return self._codec.queued(stream_id) <= self._limits.send_buffer_bytes

    def _forget(self, stream_id: int) -> Http2Stream | None:
        stream = self._streams.pop(stream_id, None)
        if stream is None:
            return None
        self._draining.pop(stream_id, None)
        if stream.unread:
            self._return_credit(stream_id, stream.unread)
        if not self._streams:
            self._idle_since = self._loop.time()
            if self.retired:
                self._schedule_flush()
        return stream

    def _return_credit(self, stream_id: int, amount: int) -> None:
        self._unread -= amount
        self._codec.consumed(stream_id, amount)
        if self._window_for_unread and not self._unread:
            self._window_for_unread = 0
            self._codec.widen(0)

    def _retire(self) -> None:
        if not self.retired:
            self.retired = True
            self._on_change(self)
            self._schedule_flush()

    def _shut(self, reason: str | TransportError, *, write: bool = True) -> None:
        """End the connection, once; every exchange on it is told."""
        if self._shut_down:
            return
        self._shut_down = self.retired = True
        self.failure = ConnectFailed(reason) if isinstance(reason, str) else reason
        if self._timer is not None:
            self._timer.cancel()
        if write and self._transport is not None:
            self._say_goodbye(self._transport)
        streams, self._streams = self._streams, {}
        self._draining.clear()
        for stream in streams.values():
            self._lose(stream, reason)
        self._on_change(self)

    def _say_goodbye(self, transport: asyncio.Transport) -> None:
        if not self._paused:
            self._codec.goaway()
            transport.write(self._codec.output())
        if transport.get_write_buffer_size():
            transport.abort()  # a peer that does not read must not keep the socket
        else:
            transport.close()

    def _lose(self, stream: Http2Stream, reason: str | TransportError) -> None:
        # An idle connection may be closed by the peer just as we reuse it. If nothing at all
        # arrived since the request left, the peer has not answered anything: send it again.
        untouched = stream.received_before == self.received_count
        if not self.settled and isinstance(reason, str):
            reason = ConnectFailed(f"{reason}, before it said anything in HTTP/2")
        unseen = stream.reused and untouched and isinstance(reason, str)
        stream.exchange.on_lost(reason, unseen=unseen)

    def _give_up_unsettled(self) -> None:
        seconds = self._limits.connect_timeout_s
        self._shut(ConnectFailed(f"the peer said nothing for {seconds:g} s after connecting"))

    def _tick(self) -> None:
        """Close when idle for long; ask with PING when an exchange runs in silence."""
        if self._timer is not None:
            self._timer.cancel()
        limits = self._limits
        idle_left_s = self._idle_since + limits.idle_timeout_s - self._loop.time()
        delay_s = min(limits.ping_interval_s, limits.idle_timeout_s)
        if not self._streams:
            if idle_left_s <= 0:
                self._shut("idle")
                return
            delay_s = min(delay_s, idle_left_s)
            self._pinged = False
        elif self.received_count != self._received_at_tick:
            self._pinged = False
        elif self._pinged:
            self._shut(f"no answer to PING within {limits.ping_timeout_s:g} s")
            return
        else:
            self._pinged = True
            self._codec.ping()
            self._schedule_flush()
            delay_s = limits.ping_timeout_s
        self._received_at_tick = self.received_count
        self._timer = self._loop.call_later(delay_s, self._tick)

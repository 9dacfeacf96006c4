"""HTTP/2 by h2, for platforms without an ngh2 wheel: the same behaviour, slower.

h2 leaves flow control of the sending side to its user: bodies wait here for the window.
"""

from __future__ import annotations

from collections import deque

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from h2.settings import SettingCodes
from hyperframe.frame import Frame, GoAwayFrame

from rtour.server.transport.codec import Sink, request_fields
from rtour.server.transport.interface import TransportLimits
from rtour.server.transport.request import Request

_UNLIMITED = 0xFFFFFFFF
_INITIAL_WINDOW_BYTES = 65_535


class _Body:
    """What of a request body has not been framed yet."""

    __slots__ = ("chunks", "end", "size")

    def __init__(self) -> None:
        self.chunks: deque[bytes] = deque()
        self.size = 0
        self.end = False


class _DrainingConnection(h2.connection.H2Connection):
    """An `H2Connection` that lets open streams end after the peer's GOAWAY.

    h2 closes the whole connection then, and takes the rest of the responses for a violation.
    """

    def _receive_goaway_frame(
        self, frame: GoAwayFrame
    ) -> tuple[list[Frame], list[h2.events.Event]]:
        event = h2.events.ConnectionTerminated()
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class HyperH2Codec:
    """`H2Codec` on h2."""

    def __init__(self, sink: Sink, limits: TransportLimits) -> None:
        self._sink = sink
        self._connection = _DrainingConnection(
            h2.config.H2Configuration(client_side=True, header_encoding=None)
        )
        self._connection.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: limits.h2_stream_window_bytes,
                SettingCodes.MAX_HEADER_LIST_SIZE: limits.head_bytes_max,
            },
        )
        self._connection.initiate_connection()
        self._connection.increment_flow_control_window(
            limits.h2_connection_window_bytes - _INITIAL_WINDOW_BYTES
        )
        self._widened = 0
        self._bodies: dict[int, _Body] = {}
        self._dead = False

    def can_request(self) -> bool:
        return not self._dead

    def request(self, request: Request, *, end: bool) -> int:
        stream_id = self._connection.get_next_available_stream_id()
        self._connection.send_headers(stream_id, request_fields(request), end_stream=end)
        if not end:
            self._bodies[stream_id] = _Body()
        return stream_id

    def send(self, stream_id: int, data: bytes, *, end: bool) -> None:
        body = self._bodies[stream_id]
        if data:
            body.chunks.append(data)
            body.size += len(data)
        body.end = body.end or end

    def reset(self, stream_id: int, code: int) -> None:
        self._bodies.pop(stream_id, None)
        if self._dead:
            return
        try:
            self._connection.reset_stream(stream_id, code)
        except h2.exceptions.StreamClosedError:
            return  # the peer was faster

    def consumed(self, stream_id: int, amount: int) -> None:
        if not self._dead:
            self._connection.acknowledge_received_data(amount, stream_id)

    def widen(self, unread: int) -> None:
        # h2 only grows a window; it stays as wide as it was ever needed.
        if unread > self._widened and not self._dead:
            self._connection.increment_flow_control_window(unread - self._widened)
            self._widened = unread

    def queued(self, stream_id: int) -> int:
        body = self._bodies.get(stream_id)
        return body.size if body is not None else 0

    def ping(self) -> None:
        if not self._dead:
            self._connection.ping(b"rtour\0\0\0")

    def receive(self, data: bytes) -> None:
        if self._dead:
            return
        try:
            events = self._connection.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self._dead = True
            self._sink.on_violation(str(error))
            return
        for event in events:
            self._dispatch(event)

    def output(self) -> bytes:
        if not self._dead:
            for stream_id in [*self._bodies]:
                self._frame(stream_id, self._bodies[stream_id])
        return self._connection.data_to_send()

    def goaway(self) -> None:
        if not self._dead:
            self._dead = True
            self._connection.close_connection()

    def _frame(self, stream_id: int, body: _Body) -> None:
        """Turn as much of a body into DATA frames as the windows allow."""
        connection = self._connection
        while body.chunks:
            room = min(
                connection.local_flow_control_window(stream_id),
                connection.max_outbound_frame_size,
            )
            if room <= 0:
                return
            chunk = body.chunks.popleft()
            if len(chunk) > room:
                body.chunks.appendleft(chunk[room:])
                chunk = chunk[:room]
            body.size -= len(chunk)
            connection.send_data(stream_id, chunk, end_stream=body.end and not body.chunks)
            if body.end and not body.chunks:
                del self._bodies[stream_id]
                return
        if body.end:
            del self._bodies[stream_id]
            connection.end_stream(stream_id)

    def _dispatch(self, event: h2.events.Event) -> None:
        sink = self._sink
        match event:
            case h2.events.DataReceived(stream_id=stream_id, data=data):
                padding = event.flow_controlled_length - len(data)
                if padding:
                    self.consumed(stream_id, padding)
                if data:
                    sink.on_data(stream_id, data)
            case h2.events.ResponseReceived(stream_id=stream_id, headers=headers):
                sink.on_head(stream_id, tuple(headers))
            case h2.events.TrailersReceived(stream_id=stream_id, headers=headers):
                sink.on_trailers(stream_id, tuple(headers))
            case h2.events.StreamEnded(stream_id=stream_id):
                sink.on_end(stream_id)
            case h2.events.StreamReset(stream_id=stream_id, error_code=code):
                self._bodies.pop(stream_id, None)
                sink.on_reset(stream_id, int(code or 0), by_peer=event.remote_reset)
            case h2.events.ConnectionTerminated(last_stream_id=last):
                sink.on_goaway(last if last is not None else _UNLIMITED)
            case h2.events.RemoteSettingsChanged():
                sink.on_settings(self._connection.remote_settings.max_concurrent_streams)
            case _:
                return

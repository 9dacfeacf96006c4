"""HTTP/2 by ngh2, the binding of libnghttp2."""

from __future__ import annotations

from collections.abc import Callable

import ngh2
from ngh2 import ConnectionStateError, NGH2Error, Setting, StreamProtocolError

from rtour.server.transport.codec import INTERNAL_ERROR, Sink, request_fields
from rtour.server.transport.interface import TransportLimits
from rtour.server.transport.request import Request

_UNLIMITED = 0xFFFFFFFF


class Ngh2Codec:
    """`H2Codec` on ngh2."""

    def __init__(self, sink: Sink, limits: TransportLimits) -> None:
        self._sink = sink
        self._window = limits.h2_connection_window_bytes
        self._connection = ngh2.Connection(
            ngh2.Role.CLIENT,
            ngh2.Configuration(
                auto_window_update=False,
                max_inbound_header_list_size=limits.head_bytes_max,
            ),
        )
        self._connection.initiate_connection(
            {
                Setting.ENABLE_PUSH: 0,
                Setting.INITIAL_WINDOW_SIZE: limits.h2_stream_window_bytes,
                Setting.MAX_HEADER_LIST_SIZE: limits.head_bytes_max,
            }
        )
        self._connection.set_local_window_size(self._window)
        self._handlers: dict[type[ngh2.Event], Callable[..., None]] = {
            ngh2.SettingsReceived: self._on_settings,
            ngh2.ResponseReceived: self._on_response,
            ngh2.TrailersReceived: self._on_trailers,
            ngh2.DataReceived: self._on_data,
            ngh2.StreamReset: self._on_stream_reset,
            ngh2.StreamClosed: self._on_stream_closed,
            ngh2.GoAwayReceived: self._on_goaway,
            ngh2.ConnectionClosed: self._on_connection_closed,
        }

    # libnghttp2 ends a session as soon as its last frame is read, ahead of the events that tell
    # of it; from then on ngh2 raises. What can be asked meanwhile is answered with "too late".

    def can_request(self) -> bool:
        try:
            return self._connection.can_send_request
        except ConnectionStateError:
            return False

    def request(self, request: Request, *, end: bool) -> int:
        return self._connection.send_request(request_fields(request), end_stream=end)

    def send(self, stream_id: int, data: bytes, *, end: bool) -> None:
        try:
            self._connection.send_data(stream_id, data, end_stream=end)
        except (ConnectionStateError, StreamProtocolError):
            return

    def reset(self, stream_id: int, code: int) -> None:
        try:
            self._connection.reset_stream(stream_id, code)
        except ConnectionStateError:
            return

    def consumed(self, stream_id: int, amount: int) -> None:
        try:
            self._connection.acknowledge_received_data(amount, stream_id)
        except (ConnectionStateError, StreamProtocolError):
            return

    def widen(self, unread: int) -> None:
        # libnghttp2 returns credit when half a window of it has come together: with twice as much
        # that half is never what the peer waits for.
        try:
            self._connection.set_local_window_size(self._window + 2 * unread)
        except ConnectionStateError:
            return

    def queued(self, stream_id: int) -> int:
        try:
            return self._connection.queued_body_size(stream_id)
        except ConnectionStateError:
            return 0

    def ping(self) -> None:
        try:
            self._connection.ping()
        except ConnectionStateError:
            return

    def receive(self, data: bytes) -> None:
        reason = None
        try:
            self._connection.receive_data(data)
        except NGH2Error as error:
            reason = str(error)
        self._dispatch()
        if reason is not None:
            self._sink.on_violation(reason)

    def output(self) -> bytes:
        try:
            data = self._connection.data_to_send()
        except ConnectionStateError:
            return b""
        self._dispatch()
        return data

    def goaway(self) -> None:
        try:
            self._connection.send_goaway(0)
        except ConnectionStateError:
            return

    def _dispatch(self) -> None:
        for event in self._connection.events():
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(event)

    def _on_settings(self, _event: ngh2.SettingsReceived) -> None:
        # Read the effective value: a later SETTINGS need not repeat it.
        try:
            settings = self._connection.remote_settings
        except ConnectionStateError:
            return
        self._sink.on_settings(settings.get(Setting.MAX_CONCURRENT_STREAMS, _UNLIMITED))

    def _on_response(self, event: ngh2.ResponseReceived) -> None:
        self._sink.on_head(event.stream_id, event.headers)
        if event.end_stream:
            self._sink.on_end(event.stream_id)

    def _on_trailers(self, event: ngh2.TrailersReceived) -> None:
        self._sink.on_trailers(event.stream_id, event.headers)
        self._sink.on_end(event.stream_id)

    def _on_data(self, event: ngh2.DataReceived) -> None:
        if event.data:
            self._sink.on_data(event.stream_id, event.data)
        if event.end_stream:
            self._sink.on_end(event.stream_id)

    def _on_stream_reset(self, event: ngh2.StreamReset) -> None:
        self._sink.on_reset(event.stream_id, event.error_code, by_peer=True)

    def _on_stream_closed(self, event: ngh2.StreamClosed) -> None:
        if event.local_error is not None:
            # Ours to blame, whatever code libnghttp2 gives it: not to be sent again.
            self._sink.on_reset(event.stream_id, INTERNAL_ERROR, by_peer=False)
        elif event.error_code:
            self._sink.on_reset(event.stream_id, event.error_code, by_peer=False)
        else:
            self._sink.on_closed(event.stream_id)

    def _on_goaway(self, event: ngh2.GoAwayReceived) -> None:
        self._sink.on_goaway(event.last_stream_id)

    def _on_connection_closed(self, event: ngh2.ConnectionClosed) -> None:
        if not event.error_code:  # a farewell after all work is done
            self._sink.on_goaway(_UNLIMITED)
            return
        reason = event.debug_data.decode("utf-8", "replace") or f"error {event.error_code}"
        self._sink.on_violation(reason)

"""HTTP/2 by ngh2, the binding of libnghttp2."""

from __future__ import annotations

from collections.abc import Callable

import ngh2
from ngh2 import Setting

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

    def request(self, request: Request, *, end: bool) -> int:
        return self._connection.send_request(request_fields(request), end_stream=end)

    def send(self, stream_id: int, data: bytes, *, end: bool) -> None:
        self._connection.send_data(stream_id, data, end_stream=end)

    def reset(self, stream_id: int, code: int) -> None:
        self._connection.reset_stream(stream_id, code)

    def consumed(self, stream_id: int, amount: int) -> None:
        self._connection.acknowledge_received_data(amount, stream_id)

    def widen(self, unread: int) -> None:
        self._connection.set_local_window_size(self._window + unread)

    def queued(self, stream_id: int) -> int:
        return self._connection.queued_body_size(stream_id)

    def ping(self) -> None:
        self._connection.ping()

    def receive(self, data: bytes) -> None:
        try:
            self._connection.receive_data(data)
        except ngh2.NGH2Error as error:
            self._dispatch()
            self._sink.on_violation(str(error))
        else:
            self._dispatch()

    def output(self) -> bytes:
        data = self._connection.data_to_send()
        self._dispatch()
        return data

    def goaway(self) -> None:
        self._connection.send_goaway(0)

    def _dispatch(self) -> None:
        for event in self._connection.events():
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(event)

    def _on_settings(self, _event: ngh2.SettingsReceived) -> None:
        # Read the effective value: a later SETTINGS need not repeat it.
        settings = self._connection.remote_settings
        self._sink.on_settings(settings.get(Setting.MAX_CONCURRENT_STREAMS, _UNLIMITED))

    def _on_response(self, event: ngh2.ResponseReceived) -> None:
        self._sink.on_head(event.stream_id, event.headers)
        if event.end_stream:
            self._sink.on_end(event.stream_id)

    def _on_trailers(self, event: ngh2.TrailersReceived) -> None:
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
        reason = event.debug_data.decode("utf-8", "replace") or f"error {event.error_code}"
        self._sink.on_violation(reason)

"""The seam between the server and the network: what an attempt sees of a deployment.

`Transport` and `Exchange` are protocols so that a simulated network can stand in for sockets.
Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec


class Endpoint(msgspec.Struct, frozen=True):
    """Where a deployment listens: a URL, or the ARN of a Lambda function.

    `role` is to be assumed to call the function; `zstd` says that it understands large bodies
    compressed.
    """

    uri: str
    http_version: Literal["HTTP/1.1", "HTTP/2.0"] = "HTTP/2.0"
    role: str | None = None
    zstd: bool = False

    @property
    def is_lambda(self) -> bool:
        return self.uri.startswith("arn:")


class ResponseHead(msgspec.Struct, frozen=True):
    """Status and headers of a response; names are lower case, repeated fields joined by `, `.

    `trailers` are the fields behind the body, once it was read to its end; over HTTP/1.1 they are
    not kept.
    """

    status: int
    headers: dict[str, str]
    trailers: dict[str, str] = {}


class TransportLimits(msgspec.Struct, frozen=True):
    """Every queue, window and wait of the transport has one of these."""

    connect_timeout_s: float = 10.0
    ping_interval_s: float = 40.0
    ping_timeout_s: float = 20.0
    idle_timeout_s: float = 300.0
    # hypercorn kills the whole connection above 100 streams (pgjones/hypercorn#335) and after
    # 1 000 requests; streams stay open a while after our side is done, hence the distance.
    h2_streams_max: int = 90
    h2_requests_per_connection_max: int = 900
    h2_stream_window_bytes: int = 2 << 20
    h2_connection_window_bytes: int = 5 << 20
    h1_idle_connections_max: int = 200
    send_buffer_bytes: int = 256 << 10
    receive_buffer_bytes: int = 2 << 20
    head_bytes_max: int = 64 << 10
    # Body bytes kept until the response starts, so that a refused request can be sent again.
    resend_buffer_bytes: int = 1 << 20
    resends_max: int = 3


class Exchange(Protocol):
    """One request and its response; the two halves are independent.

    One reader at a time. Whoever opens an exchange reads it to its end, or calls `discard` or
    `abort`.
    """

    def send(self, data: bytes) -> None:
        """Queue body bytes; all that is queued in one turn of the loop is written at once."""

    def end_request(self) -> None:
        """Close our half: END_STREAM or the last chunk. Idempotent."""

    async def head(self) -> ResponseHead:
        """Wait for the response to start."""
        ...

    async def receive(self) -> bytes:
        """Return the next body bytes, `b""` at the end of the response."""
        ...

    def abort(self) -> None:
        """Give the exchange up and free what it holds. Idempotent."""

    def discard(self, within_s: float) -> None:
        """Close our half and let the rest of the response pass unread; abort it after a while.

        The last call on an exchange: it ends by itself, and its connection is used again.
        """

    async def drain_send(self) -> None:
        """Wait until little enough is queued to send more."""


class Transport(Protocol):
    """Opens exchanges with deployments."""

    async def open(
        self,
        endpoint: Endpoint,
        path: str,
        headers: Sequence[tuple[str, str]],
        *,
        body: bytes = b"",
        end: bool = False,
        method: str = "POST",
    ) -> Exchange:
        """Start a request; with `end` the body is complete and the request half closed."""
        ...

    async def close(self) -> None:
        """Close every connection; open exchanges end in `StreamLost`."""

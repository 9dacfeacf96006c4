"""What the transport needs of an HTTP/2 implementation, so that two can stand behind it.

`ngh2` (libnghttp2) is fast and young; `h2` is slow and old. Both are sans-IO: bytes in, bytes
out, and calls to a `Sink` while bytes are read. Neither knows about connections or time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from rtour.server.transport.interface import TransportLimits
from rtour.server.transport.request import Field, Request

# RFC 9113 §7
PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, HTTP_1_1_REQUIRED = 0x1, 0x2, 0x7, 0x8, 0xD


class Sink(Protocol):
    """Told what the peer did, in the order it did it."""

    def on_settings(self, streams_max: int) -> None:
        """The peer stated how many streams it allows at once."""

    def on_head(self, stream_id: int, fields: tuple[Field, ...]) -> None:
        """A final response head came (informational ones are dropped)."""

    def on_data(self, stream_id: int, data: bytes) -> None:
        """Body bytes came; they count against the windows until `consumed`."""

    def on_trailers(self, stream_id: int, fields: tuple[Field, ...]) -> None:
        """Fields came behind the body, which is at its end."""

    def on_end(self, stream_id: int) -> None:
        """The response is complete."""

    def on_reset(self, stream_id: int, code: int, *, by_peer: bool) -> None:
        """The stream is gone before its end."""

    def on_closed(self, stream_id: int) -> None:
        """Both halves of the stream are done."""

    def on_goaway(self, last_stream_id: int) -> None:
        """The peer takes no new streams; those above `last_stream_id` it has not looked at."""

    def on_violation(self, reason: str) -> None:
        """The peer broke HTTP/2; write what is left and close the connection."""


class H2Codec(Protocol):
    """One client connection's HTTP/2 state.

    Once the connection has failed, which the sink is told, every call does nothing.
    """

    def can_request(self) -> bool:
        """Whether the connection takes another stream."""
        ...

    def request(self, request: Request, *, end: bool) -> int:
        """Open a stream and return its id; `end`: there is no body."""
        ...

    def send(self, stream_id: int, data: bytes, *, end: bool) -> None:
        """Queue body bytes."""

    def reset(self, stream_id: int, code: int) -> None:
        """Give a stream up."""

    def consumed(self, stream_id: int, amount: int) -> None:
        """Return credit for `amount` received bytes, also of a stream that is closed by now."""

    def widen(self, unread: int) -> None:
        """Keep the connection window open in spite of `unread` bytes nobody has fetched."""

    def queued(self, stream_id: int) -> int:
        """Return how many body bytes wait for flow control."""
        ...

    def ping(self) -> None:
        """Queue a PING."""

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; calls the sink."""

    def output(self) -> bytes:
        """Return what may be written now; may call the sink."""
        ...

    def goaway(self) -> None:
        """Queue our farewell."""


CodecFactory = Callable[[Sink, TransportLimits], H2Codec]


def default_codec(sink: Sink, limits: TransportLimits) -> H2Codec:
    """Return an ngh2 codec, or one on h2 where ngh2 has no wheel."""
    try:
        from rtour.server.transport.codec_ngh2 import Ngh2Codec  # noqa: PLC0415
    except ImportError:
        from rtour.server.transport.codec_h2 import HyperH2Codec  # noqa: PLC0415

        return HyperH2Codec(sink, limits)
    return Ngh2Codec(sink, limits)


def request_fields(request: Request) -> list[Field]:
    """Return a request head as HTTP/2 fields, pseudo-headers first."""
    pseudo = _pseudo_headers(request.method, request.secure, request.authority, request.target)
    return [*pseudo, *request.fields]


@lru_cache(maxsize=1024)
def _pseudo_headers(
    method: bytes, secure: bool, authority: bytes, target: bytes
) -> tuple[Field, ...]:
    return (
        (b":method", method),
        (b":scheme", b"https" if secure else b"http"),
        (b":authority", authority),
        (b":path", target),
    )

"""The protocol's public face: frames on a stream, and messages in frames (service-protocol §3).

    bytes --Decoder.feed--> Decoder.next_frame() -> Frame --decode--> Message
    Message --encode--> bytes

No I/O here: the caller owns the stream and tells which protocol version was negotiated. Frames
are kept apart from messages so that a server can store the bytes a service sent, untouched.

A frame is an 8-byte big-endian header (type u16, flags u16, length u32) and a payload. The one
flag asks for an acknowledgement. A Decoder that failed stays failed: past a broken frame there is
no way to find the next one.
"""

from __future__ import annotations

import struct
from typing import Final

from rtour.errors import MessageTooLarge, ProtocolError
from rtour.protocol import messages as m
from rtour.protocol.decoding import decode
from rtour.protocol.decoding_values import MAX_FUTURE_DEPTH
from rtour.protocol.encoding import encode_payload
from rtour.protocol.values import Struct

__all__ = [
    "ACK_REQUESTED",
    "DEFAULT_MAX_MESSAGE_BYTES",
    "HEADER_BYTES",
    "MAX_FUTURE_DEPTH",
    "Decoder",
    "Frame",
    "decode",
    "encode",
    "encode_payload",
    "frame",
]

HEADER_BYTES: Final = 8
ACK_REQUESTED: Final = 0x8000
DEFAULT_MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
_HEADER: Final = struct.Struct(">HHI")
_CONTROL_TYPES: Final[dict[type, m.MessageType]] = {
    m.Start: m.MessageType.START,
    m.Suspension: m.MessageType.SUSPENSION,
    m.Error: m.MessageType.ERROR,
    m.End: m.MessageType.END,
    m.CommandAck: m.MessageType.COMMAND_ACK,
    m.ProposeRunCompletion: m.MessageType.PROPOSE_RUN_COMPLETION,
    m.AwaitingOn: m.MessageType.AWAITING_ON,
    m.ProposeRunCompletionAck: m.MessageType.PROPOSE_RUN_COMPLETION_ACK,
}
_TYPES: Final[dict[type, int]] = {
    message: int(code) for message, code in {**_CONTROL_TYPES, **m.COMMAND_TYPES}.items()
}


class Frame(Struct):
    """A frame as it came: its payload is not looked at yet."""

    type: int
    flags: int
    payload: bytes

    @property
    def ack_requested(self) -> bool:
        return bool(self.flags & ACK_REQUESTED)


def frame(type: int, payload: bytes, flags: int = 0) -> bytes:  # noqa: A002
    """A payload with its header in front."""
    return _HEADER.pack(type, flags, len(payload)) + payload


def encode(message: m.Message, version: int = 7, ack: bool = False) -> bytes:
    """A message as a whole frame; `ack` asks the receiver to confirm it."""
    code = message.type if isinstance(message, m.Notification) else _TYPES[type(message)]
    payload = encode_payload(message, version)
    return _HEADER.pack(code, ACK_REQUESTED if ack else 0, len(payload)) + payload


class Decoder:
    """Cuts a byte stream into frames; the stream may be split anywhere.

    `awaited` is the size of the frame that has begun, with its header; 0 while that is not known.
    It holds after `next_frame` said None.
    """

    __slots__ = ("_buffer", "_error", "_max_message_bytes", "awaited")

    def __init__(self, max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES) -> None:
        self._buffer = bytearray()
        self._error: ProtocolError | None = None
        self.awaited = 0
        self._max_message_bytes = max_message_bytes

    def feed(self, data: bytes) -> None:
        """Take bytes from the stream."""
        if self._error is None:
            self._buffer += data

    def next_frame(self) -> Frame | None:
        """The next whole frame, or None while more bytes are needed."""
        if self._error is not None:
            raise self._error
        buffer = self._buffer
        if len(buffer) < HEADER_BYTES:
            self.awaited = 0
            return None
        code, flags, size = _HEADER.unpack_from(buffer)
        if size > self._max_message_bytes:
            raise self._fail(code, size)
        end = HEADER_BYTES + size
        if len(buffer) < end:
            self.awaited = end
            return None
        payload = bytes(buffer[HEADER_BYTES:end])
        del buffer[:end]  # bytearrays drop a prefix without moving the rest
        return Frame(code, flags, payload)

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame not complete yet; above zero at the end of a stream, it was cut."""
        return len(self._buffer)

    def _fail(self, code: int, size: int) -> ProtocolError:
        self._error = MessageTooLarge(
            571,
            f"a message of type 0x{code:04x} has {size} bytes, "
            f"but at most {self._max_message_bytes} are allowed",
        )
        self._buffer.clear()
        return self._error

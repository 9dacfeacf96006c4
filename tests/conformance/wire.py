"""A few lines of the service protocol, written for the tests alone.

Independent of `rtour.protocol` on purpose: peers made from it show what is on the wire, not what
our own codec makes of it. Numbers are those of the service protocol, versions 5 and 6.
"""

from __future__ import annotations

import struct

# Message types.
SUSPENSION, ERROR, END = 0x0001, 0x0002, 0x0003
PROPOSE_RUN, AWAITING_ON = 0x0005, 0x0006
OUTPUT, SLEEP, RUN = 0x0401, 0x040C, 0x0411
ATTACH, GET_OUTPUT = 0x0412, 0x0413
NOTIFICATIONS = range(0x8000, 0x10000)

Value = int | str | bytes
Fields = dict[int, list[int | bytes]]


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def message(*fields: tuple[int, Value]) -> bytes:
    """A protobuf message from (field number, value) pairs; nested messages are bytes."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(raw)) + raw
    return bytes(out)


def frame(kind: int, *fields: tuple[int, Value]) -> bytes:
    body = message(*fields)
    return struct.pack(">HHI", kind, 0, len(body)) + body


def frames(stream: bytes) -> list[tuple[int, Fields]]:
    """All frames of a complete stream, each as its type and its fields."""
    found = []
    while stream:
        kind, _, length = struct.unpack(">HHI", stream[:8])
        found.append((kind, fields(stream[8 : 8 + length])))
        stream = stream[8 + length :]
    return found


def fields(raw: bytes) -> Fields:
    found: Fields = {}
    at = 0
    while at < len(raw):
        tag, at = _read_varint(raw, at)
        value: int | bytes
        if tag & 7 == 0:
            value, at = _read_varint(raw, at)
        else:
            length, at = _read_varint(raw, at)
            value, at = raw[at : at + length], at + length
        found.setdefault(tag >> 3, []).append(value)
    return found


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (raw[at] & 0x7F) << shift
        shift += 7
        at += 1
        if raw[at - 1] < 0x80:
            return number, at


def output(value: bytes) -> bytes:
    """An Output with a value, and End."""
    return frame(OUTPUT, (14, message((1, value)))) + frame(END)


def waiting_for(*completions: int) -> bytes:
    """A Suspension on these completions (a packed list) and on the cancel signal."""
    packed = b"".join(varint(each) for each in completions)
    return frame(SUSPENSION, (1, packed), (2, varint(1)))

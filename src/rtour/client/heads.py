"""Beginnings of values, for those who look at values again and again.

A value of 8 MB comes from the server as 30 MB of JSON, which stops a program for a second, and
the server for longer. So who shows values asks for the beginning of large ones: SQL cuts them, and
what comes back is a `Head`, which is bytes and knows how many there are in all.

Of a large journal entry the server gives what it is without its payload (`entry_lite_json`), and
the beginning of its bytes, in which the payload is the field that was cut.
"""

from __future__ import annotations

from typing import Self

WHOLE_BYTES = 64 * 1024
"""Entries up to this size are read whole."""
HEAD_BYTES = 16 * 1024

ENTRY_COLUMNS = (
    f"CASE WHEN sj.raw_length > {WHOLE_BYTES} THEN sj.entry_lite_json "
    "ELSE sj.entry_json END AS entry_json, "
    f"CASE WHEN sj.raw_length > {WHOLE_BYTES} "
    f"THEN substr(encode(sj.raw, 'hex'), 1, {2 * HEAD_BYTES}) END AS head"
)
"""Of `sys_journal sj`."""
STATE_COLUMNS = (
    f"service_name, service_key, key, substr(encode(value, 'hex'), 1, {2 * HEAD_BYTES}) AS value, "
    "length(encode(value, 'hex')) AS digits, md5(value) AS digest"
)
"""Rows of `state` with the beginnings of values."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Head(bytes):
    """The beginning of a value of `whole` bytes."""

    whole: int

    def __new__(cls, beginning: bytes, whole: int) -> Self:
        head = super().__new__(cls, beginning)
        head.whole = whole
        return head


def size_of(value: bytes) -> int:
    """How many bytes there are in all."""
    return value.whole if isinstance(value, Head) else len(value)


def cut_payload(message: bytes) -> Head | None:
    """The innermost field that goes on beyond the end of a protobuf message's beginning.

    A message within a message counts only if its own last field ends where it ends: arbitrary
    bytes, which a payload is, do not look like that.
    """
    found = _cut_field(message)
    if found is None:
        return None
    start, end = found
    while (inner := _cut_field(message[start:])) is not None and start + inner[1] == end:
        start += inner[0]
    return Head(message[start:], end - start)


def _cut_field(message: bytes) -> tuple[int, int] | None:
    """Start and end of the first field that ends beyond the message's end."""
    at = 0
    try:
        while at < len(message):
            tag, at = _varint(message, at)
            kind = tag & 7
            if kind == _VARINT:
                _, at = _varint(message, at)
            elif kind == _BYTES:
                size, at = _varint(message, at)
                if at + size > len(message):
                    return at, at + size
                at += size
            elif kind in (_FIXED32, _FIXED64):
                at += 4 if kind == _FIXED32 else 8
            else:
                return None
    except IndexError:
        return None
    return None


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at

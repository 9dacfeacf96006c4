"""The part of protobuf's wire format that the service protocol uses (proto3, no groups).

Knows varints, lengths and keys; knows no message. A *key* is what precedes each field on the
wire: field number << 3 | wire type, so 0x72 is "field 14, length-delimited". Callers compare keys
and not field numbers, hence a known number with a foreign wire type is skipped as unknown, as
protobuf asks.

This is the innermost loop of server and SDK: flat code, no classes, fit for mypyc.
"""

from __future__ import annotations

from typing import Any, Final

from rtour.errors import ProtocolError

PROTOCOL_VIOLATION: Final = 571
_U32: Final = 0xFFFF_FFFF
_U64: Final = 0xFFFF_FFFF_FFFF_FFFF
_ONE_BYTE: Final = tuple(bytes([n]) for n in range(128))


def malformed(what: str) -> ProtocolError:
    return ProtocolError(PROTOCOL_VIOLATION, f"malformed message: {what}")


# --- reading -----------------------------------------------------------------------------------


def fields(data: bytes) -> list[tuple[int, Any]]:
    """All fields in order as (key, value): an int for varints, bytes for everything else."""
    found: list[tuple[int, Any]] = []
    pos = 0
    end = len(data)
    try:
        while pos < end:
            key = data[pos]
            pos += 1
            if key > 127:
                key, pos = _long_varint(data, pos - 1)
            wire = key & 7
            value = data[pos] if wire in {0, 2} else 0
            if wire == 2:
                pos += 1
                if value > 127:
                    value, pos = _long_varint(data, pos - 1)
                found.append((key, data[pos : pos + value]))
                pos += value
            elif wire == 0:
                pos += 1
                if value > 127:
                    value, pos = _long_varint(data, pos - 1)
                found.append((key, value))
            else:
                pos = _skip_fixed(wire, pos)
            if key < 8 or key > _U32:
                raise malformed(f"field number {key >> 3}")
    except IndexError:
        raise malformed("it ends within a field") from None
    if pos > end:
        raise malformed("it ends within a field")
    return found


def _long_varint(data: bytes, pos: int) -> tuple[int, int]:
    """The varint at `pos`, cut to 64 bits, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[pos]
        pos += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & _U64, pos
    raise malformed("a number longer than 10 bytes")


def _skip_fixed(wire: int, pos: int) -> int:
    """Pass over a fixed-size field: the protocol has none, but unknown ones may come."""
    if wire == 1:
        return pos + 8
    if wire == 5:
        return pos + 4
    raise malformed(f"wire type {wire}")


def numbers(data: bytes) -> list[int]:
    """The content of a packed repeated uint32."""
    found: list[int] = []
    pos = 0
    end = len(data)
    try:
        while pos < end:
            value = data[pos]
            pos += 1
            if value > 127:
                value, pos = _long_varint(data, pos - 1)
            found.append(value & _U32)
    except IndexError:
        raise malformed("it ends within a number") from None
    return found


# --- writing -----------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    if 0 <= value < 128:
        return _ONE_BYTE[value]
    assert 0 <= value <= _U64, f"{value} is no unsigned 64-bit number"
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def block(key: bytes, content: bytes) -> bytes:
    """A length-delimited field, written even when empty: nested messages, oneofs, optionals."""
    size = len(content)
    return key + (_ONE_BYTE[size] if size < 128 else varint(size)) + content


def blob(key: bytes, content: bytes) -> bytes:
    """A plain bytes field: left out when empty."""
    return block(key, content) if content else b""


def text(key: bytes, content: str) -> bytes:
    """A plain string field: left out when empty."""
    return block(key, content.encode()) if content else b""


def optional_text(key: bytes, content: str | None) -> bytes:
    """A string field with presence: the empty string is written, None is not."""
    return b"" if content is None else block(key, content.encode())


def number(key: bytes, value: int) -> bytes:
    """A plain number field: left out when zero."""
    return key + varint(value) if value else b""


def optional_number(key: bytes, value: int | None) -> bytes:
    """A number field with presence: zero is written, None is not."""
    return b"" if value is None else key + varint(value)


def packed(key: bytes, values: tuple[int, ...]) -> bytes:
    """A repeated number field."""
    return block(key, b"".join(map(varint, values))) if values else b""

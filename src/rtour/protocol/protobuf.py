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
_MAX_VARINT_BYTES: Final = 10
_FIXED_SIZES: Final = {1: 8, 5: 4}
_ONE_BYTE: Final = tuple(bytes([n]) for n in range(128))


def malformed(what: str) -> ProtocolError:
    return ProtocolError(PROTOCOL_VIOLATION, f"malformed message: {what}")


# --- reading -----------------------------------------------------------------------------------


def fields(data: bytes | memoryview) -> dict[int, Any]:
    """The fields by key: an int for a varint, bytes for everything else (of a view, views).

    A key that comes again holds its last value, as protobuf asks; `every` has them all.
    """
    got: dict[int, Any] = {}
    value: Any
    pos = 0
    end = len(data)
    try:
        while pos < end:
            key = data[pos]
            pos += 1
            if key > 127:
                key, pos = _long_key(data, pos - 1)
            elif key < 8:
                raise malformed("field number 0")
            wire = key & 7
            if wire == 2:
                size = data[pos]
                pos += 1
                if size > 127:
                    size, pos = _long_varint(data, pos - 1)
                value = data[pos : pos + size]
                pos += size
            elif wire == 0:
                value = data[pos]
                pos += 1
                if value > 127:
                    value, pos = _long_varint(data, pos - 1)
            else:
                value, pos = _fixed(data, wire, pos)
            if key in got:
                got.setdefault(-key, [got[key]]).append(value)
            got[key] = value
    except IndexError:
        raise malformed("it ends within a field") from None
    if pos > end:
        raise malformed("it ends within a field")
    return got


def every(got: dict[int, Any], key: int) -> list[Any]:
    """All values of a repeated field, in order."""
    if -key in got:
        return got[-key]  # type: ignore[no-any-return]
    return [got[key]] if key in got else []


def _long_varint(data: bytes | memoryview, pos: int) -> tuple[int, int]:
    """The varint of two bytes or more at `pos`, cut to 64 bits, and the position after it."""
    if pos + 1 < len(data) and data[pos + 1] < 128:
        return data[pos] & 127 | data[pos + 1] << 7, pos + 2  # lengths and codes, mostly
    value = 0
    shift = 0
    for byte in data[pos : pos + _MAX_VARINT_BYTES]:
        pos += 1
        if byte < 128:
            return (value + (byte << shift)) & _U64, pos
        value += (byte - 128) << shift
        shift += 7
    if shift == 7 * _MAX_VARINT_BYTES:
        raise malformed("a number longer than 10 bytes")
    raise malformed("it ends within a number")


def _long_key(data: bytes | memoryview, pos: int) -> tuple[int, int]:
    """The key at `pos` that takes more than a byte, and the position after it."""
    key, pos = _long_varint(data, pos)
    if key < 8 or key > _U32:
        raise malformed(f"field number {key >> 3}")
    return key, pos


def _fixed(data: bytes | memoryview, wire: int, pos: int) -> tuple[bytes | memoryview, int]:
    """A fixed-size field: the protocol has none, but unknown ones may come."""
    if wire not in _FIXED_SIZES:
        raise malformed(f"wire type {wire}")
    end = pos + _FIXED_SIZES[wire]
    return data[pos:end], end


def pair(data: bytes) -> tuple[bytes, bytes]:
    """Fields 1 and 2, both bytes: the layout of state entries, headers and metadata."""
    end = len(data)
    if end > 3 and data[0] == 0x0A and data[1] < 128:
        middle = 2 + data[1]
        if middle + 1 < end and data[middle] == 0x12 and data[middle + 1] == end - middle - 2 < 128:
            return data[2:middle], data[middle + 2 :]  # nearly always: both there, and short
    got = fields(data)
    return got.get(0x0A, b""), got.get(0x12, b"")


def numbers(data: bytes) -> list[int]:
    """The content of a packed repeated uint32."""
    if data.isascii():
        return list(data)  # nearly always: each number is one byte
    found: list[int] = []
    pos = 0
    while pos < len(data):
        value = data[pos]
        if value < 128:
            pos += 1
        else:
            value, pos = _long_varint(data, pos)
        found.append(value & _U32)
    return found


# --- writing -----------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    if 0 <= value < 128:
        return _ONE_BYTE[value]
    assert 0 <= value <= _U64, f"{value} is no unsigned 64-bit number"
    out = []
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


def text_pair(key: bytes, first: str, second: str) -> bytes:
    """A nested message whose fields 1 and 2 are strings: what `pair` reads."""
    one, two = first.encode(), second.encode()
    size = len(one) + len(two) + 4
    if one and two and size < 128:  # nearly always
        return b"%b%c\x0a%c%b\x12%c%b" % (key, size, len(one), one, len(two), two)
    return block(key, blob(b"\x0a", one) + blob(b"\x12", two))


def number(key: bytes, value: int) -> bytes:
    """A plain number field: left out when zero."""
    return key + varint(value) if value else b""


def optional_number(key: bytes, value: int | None) -> bytes:
    """A number field with presence: zero is written, None is not."""
    return b"" if value is None else key + varint(value)


def packed(key: bytes, values: tuple[int, ...]) -> bytes:
    """A repeated number field."""
    return block(key, b"".join(map(varint, values))) if values else b""

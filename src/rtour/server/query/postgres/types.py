"""Values as PostgreSQL's clients read and write them, in text and in binary."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec

from rtour.server.query import failures
from rtour.server.query.dialect.kinds import Kind
from rtour.server.query.functions.numbers import to_bool, to_float, to_integer
from rtour.server.query.functions.times import (
    instant,
    iso_date,
    read_instant,
    read_interval,
)
from rtour.server.query.postgres.oids import (
    BOOL,
    BYTEA,
    DATE,
    FLOAT4,
    FLOAT8,
    FLOAT8_ARRAY,
    INT2,
    INT4,
    INT8,
    INT8_ARRAY,
    INTERVAL,
    NUMERIC,
    OID,
    OID_ARRAY,
    TEXT,
    TEXT_ARRAY,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
)

OIDS: Final[dict[Kind, int]] = {
    "null": TEXT,
    "bool": BOOL,
    "i64": INT8,
    "u32": INT8,
    "u64": INT8,  # there is no unsigned type: the same 64 bits, as Restate's own port had it
    "f64": FLOAT8,
    "text": TEXT,
    "binary": BYTEA,
    "timestamp": TIMESTAMPTZ,
    "date": DATE,
    "duration": INTERVAL,
    "list<u32>": INT8_ARRAY,
    "list<i64>": INT8_ARRAY,
    "list<f64>": FLOAT8_ARRAY,
    "list<text>": TEXT_ARRAY,
    "oid": OID,
    "list<oid>": OID_ARRAY,
}

# PostgreSQL counts from the year 2000.
_EPOCH_MS: Final = 946_684_800_000
_DAY_MS: Final = 86_400_000

Encode = Callable[[Any], bytes]


# --- out, as text --------------------------------------------------------------------------------


def _timestamp_text(ms: int) -> str:
    text = instant(ms).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{ms % 1000:03d}+00" if ms % 1000 else f"{text}+00"


def _interval_text(ms: int) -> str:
    sign, ms = ("-", -ms) if ms < 0 else ("", ms)
    seconds, rest = divmod(ms, 1000)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{sign}{clock}.{rest:03d}" if rest else sign + clock


def _item_text(item: Any) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, int | float):
        return str(item)
    escaped = str(item).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _list_text(text: str) -> str:
    return "{" + ",".join(_item_text(item) for item in msgspec.json.decode(text)) + "}"


_TEXTS: dict[Kind, Callable[[Any], str]] = {
    "bool": lambda value: "t" if value else "f",
    "f64": lambda value: repr(float(value)),
    "binary": lambda value: "\\x" + _bytes(value).hex(),
    "timestamp": _timestamp_text,
    "date": iso_date,
    "duration": _interval_text,
    "list<u32>": _list_text,
    "list<i64>": _list_text,
    "list<f64>": _list_text,
    "list<text>": _list_text,
    "list<oid>": _list_text,
}


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _plain(value: Any) -> str:
    """PostgreSQL's texts hold no NUL."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")


# --- out, in binary ------------------------------------------------------------------------------

_int4 = struct.Struct(">i").pack
_int8 = struct.Struct(">q").pack
_float8 = struct.Struct(">d").pack
_interval = struct.Struct(">qii").pack


def _list_binary(oid: int, item: Encode) -> Encode:
    def encode(text: str) -> bytes:
        items = msgspec.json.decode(text)
        if not items:
            return struct.pack(">iii", 0, 0, oid)
        nulls = any(each is None for each in items)
        parts = [struct.pack(">iiiii", 1, nulls, oid, len(items), 1)]
        for each in items:
            raw = b"" if each is None else item(each)
            parts.append(_int4(-1 if each is None else len(raw)) + raw)
        return b"".join(parts)

    return encode


def _text_binary(value: Any) -> bytes:
    return _plain(value).encode()


_INTEGER: Encode = lambda value: _int8(int(value))  # noqa: E731 - one of many alike
_OID: Encode = lambda value: struct.pack(">I", value)  # noqa: E731 - the same
_BINARIES: dict[Kind, Encode] = {
    "bool": lambda value: b"\x01" if value else b"\x00",
    "i64": _INTEGER,
    "u32": _INTEGER,
    "u64": _INTEGER,
    "f64": lambda value: _float8(float(value)),
    "binary": _bytes,
    "timestamp": lambda ms: _int8((ms - _EPOCH_MS) * 1000),
    "date": lambda ms: _int4((ms - _EPOCH_MS) // _DAY_MS),
    "duration": lambda ms: _interval(ms * 1000, 0, 0),
    "list<u32>": _list_binary(INT8, _INTEGER),
    "list<i64>": _list_binary(INT8, _INTEGER),
    "list<f64>": _list_binary(FLOAT8, _float8),
    "list<text>": _list_binary(TEXT, _text_binary),
    "oid": _OID,
    "list<oid>": _list_binary(OID, _OID),
}


def encoder(kind: Kind, format_: int) -> Encode:
    """Bytes of a value that is not NULL; format 1 is binary."""
    if format_ == 1:
        return _BINARIES.get(kind, _text_binary)
    to_text = _TEXTS.get(kind, _plain)
    return lambda value: to_text(value).encode()


# --- in ------------------------------------------------------------------------------------------

_Decode = Callable[[bytes], Any]


def _utf8(raw: bytes) -> str:
    return raw.decode()


def _unpacked(form: str) -> _Decode:
    unpack = struct.Struct(form).unpack
    return lambda raw: unpack(raw)[0]


def _numeric(raw: bytes) -> float:
    count, weight, sign, _ = struct.unpack(">hhHh", raw[:8])
    digits = struct.unpack(f">{count}h", raw[8 : 8 + 2 * count])
    value: float = sum(digit * 10000.0 ** (weight - place) for place, digit in enumerate(digits))
    return -value if sign == 0x4000 else value


def _instant_in(raw: bytes) -> int:
    return int(_unpacked(">q")(raw)) // 1000 + _EPOCH_MS


def _interval_in(raw: bytes) -> int:
    microseconds, days, months = struct.unpack(">qii", raw)
    return int(microseconds // 1000 + (days + months * 30) * _DAY_MS)


_DECODERS: dict[int, _Decode] = {
    BOOL: lambda raw: raw != b"\x00",
    BYTEA: bytes,
    INT2: _unpacked(">h"),
    INT4: _unpacked(">i"),
    OID: _unpacked(">I"),
    INT8: _unpacked(">q"),
    FLOAT4: _unpacked(">f"),
    FLOAT8: _unpacked(">d"),
    NUMERIC: _numeric,
    TIMESTAMP: _instant_in,
    TIMESTAMPTZ: _instant_in,
    DATE: lambda raw: int(_unpacked(">i")(raw)) * _DAY_MS + _EPOCH_MS,
    INTERVAL: _interval_in,
}
_TEXT_DECODERS: dict[int, Callable[[str], Any]] = {
    BOOL: to_bool,
    BYTEA: lambda text: bytes.fromhex(text[2:]) if text.startswith("\\x") else text.encode(),
    INT2: to_integer,
    INT4: to_integer,
    INT8: to_integer,
    OID: to_integer,
    FLOAT4: to_float,
    FLOAT8: to_float,
    NUMERIC: to_float,
    TIMESTAMP: read_instant,
    TIMESTAMPTZ: read_instant,
    DATE: read_instant,
    INTERVAL: lambda text: read_interval(text)[1],
}
_ARRAYS = {1016: INT8, 1007: INT4, 1005: INT2, 1009: TEXT, 1015: TEXT, OID_ARRAY: OID}


def parameter(raw: bytes | None, oid: int, format_: int, kind: Kind) -> Any:
    """A parameter as SQLite takes it. Raises QueryFailed for what does not fit its type."""
    if raw is None:
        return None
    oid = OIDS[kind] if oid in {0, UNKNOWN} and format_ == 0 else oid
    try:
        if oid in _ARRAYS:
            return _array(raw, _ARRAYS[oid], format_)
        if format_ == 1:
            decode = _DECODERS.get(oid)
            value = raw.decode() if decode is None else decode(raw)
        else:
            read = _TEXT_DECODERS.get(oid)
            value = raw.decode() if read is None else read(raw.decode())
        return _fitted(value, kind)
    except (ValueError, struct.error, UnicodeDecodeError) as error:
        raise failures.execution(f"a parameter does not fit its type: {error}") from error


def _fitted(value: Any, kind: Kind) -> Any:
    """A text where the statement compares with something else."""
    if isinstance(value, str) and kind in {"timestamp", "date"}:
        return read_instant(value)
    if isinstance(value, str) and kind == "duration":
        return read_interval(value)[1]
    return value


def _array(raw: bytes, item_oid: int, format_: int) -> str:
    """A JSON array, as lists are in SQLite."""
    if format_ == 0:
        inner = raw.decode().strip("{}")
        items = [each.strip('"') for each in inner.split(",")] if inner else []
        numbers = item_oid != TEXT
        return msgspec.json.encode([int(i) if numbers else i for i in items]).decode()
    dimensions, _, _ = struct.unpack(">iii", raw[:12])
    at, values = 12 + 8 * dimensions, []
    decode = _DECODERS.get(item_oid, _utf8)
    while at < len(raw):
        (length,) = struct.unpack(">i", raw[at : at + 4])
        at += 4
        values.append(None if length < 0 else decode(raw[at : at + length]))
        at += max(length, 0)
    return msgspec.json.encode(values).decode()

"""Bytes to the values messages are made of (§4.3), for `decoding` and `decoding_commands`."""

from __future__ import annotations

from typing import Any, Final

from rtour.errors import FutureTooDeep
from rtour.protocol import values as v
from rtour.protocol.protobuf import PROTOCOL_VIOLATION, every, fields, malformed, numbers, pair
from rtour.protocol.trees import fold

MAX_FUTURE_DEPTH: Final = 1000
"""How often a future may lie within another, as the official server counts: the outermost is 0."""

_U32: Final = 0xFFFF_FFFF
_U16: Final = 0xFFFF
_INTERNAL_ERROR: Final = 500
_COMBINATORS: Final = tuple(v.Combinator)


def text(got: dict[int, Any], key: int) -> str:
    if key in got:
        found: str = got[key].decode()
        return found
    return ""


def optional_text(got: dict[int, Any], key: int) -> str | None:
    return text(got, key) if key in got else None


def number(got: dict[int, Any], key: int) -> int:
    value: int = got.get(key, 0)
    return value & _U32


def optional_number(got: dict[int, Any], key: int) -> int | None:
    return number(got, key) if key in got else None


def content(data: bytes) -> bytes:
    """Field 1 of a Value."""
    if len(data) > 1 and data[0] == 0x0A and data[1] == len(data) - 2 < 128:
        return data[2:]  # nearly always: this field alone, and short
    found: bytes = fields(data).get(0x0A, b"")
    return found


def code(number_: int) -> int:
    """Codes are 16-bit numbers; Restate reads anything above as 500."""
    return number_ if number_ <= _U16 else _INTERNAL_ERROR


def failure(data: bytes) -> v.Failure:
    got = fields(data)
    metadata: tuple[tuple[str, str], ...] = ()
    if 0x1A in got:  # 3 metadata
        metadata = tuple([_text_pair(entry) for entry in every(got, 0x1A)])
    return v.Failure(code(number(got, 0x08)), text(got, 0x12), metadata)


def _text_pair(data: bytes) -> tuple[str, str]:
    name, value = pair(data)
    return name.decode(), value.decode()


def headers(got: dict[int, Any], key: int) -> tuple[v.Header, ...]:
    if key not in got:
        return ()
    return tuple([v.Header(*_text_pair(header)) for header in every(got, key)])


def value_or_failure(got: dict[int, Any], value: int, failed: int) -> v.Value | v.Failure:
    if value in got:
        return v.Value(content(got[value]))
    if failed in got:
        return failure(got[failed])
    raise malformed("neither value nor failure")


def keys(data: bytes) -> tuple[bytes, ...]:
    return tuple(every(fields(data), 0x0A))


def future(data: bytes) -> v.Future:
    """The tree of a Future, no node of it empty; FutureTooDeep beyond `MAX_FUTURE_DEPTH`."""
    # A view: what is nested is not copied once for each level that it lies below.
    return fold((fields(memoryview(data)), 0), _nested, _future)


_Parsed = tuple[dict[int, Any], int]


def _nested(parsed: _Parsed) -> list[_Parsed]:
    got, depth = parsed
    children = every(got, 0x22)
    if children and depth == MAX_FUTURE_DEPTH:
        raise FutureTooDeep(
            PROTOCOL_VIOLATION, f"awaited futures are nested deeper than {MAX_FUTURE_DEPTH}"
        )
    return [(fields(child), depth + 1) for child in children]


def _future(parsed: _Parsed, nested: list[v.Future]) -> v.Future:
    got, _ = parsed
    combinator = got.get(0x28, 0)
    return awaited(
        repeated_numbers(got, 1),
        repeated_numbers(got, 2),
        repeated_text(got, 0x1A),
        tuple(nested),
        _COMBINATORS[combinator] if combinator < len(_COMBINATORS) else v.Combinator.UNKNOWN,
    )


def awaited(
    completions: tuple[int, ...],
    signals: tuple[int, ...],
    names: tuple[str, ...],
    nested: tuple[v.Future, ...],
    combinator: v.Combinator,
) -> v.Future:
    """One node of a Future. What waits for nothing would never be woken: nobody may ask for it."""
    if not (completions or signals or names or nested):
        raise malformed("a future that awaits nothing")
    return v.Future(completions, signals, names, nested, combinator)


def repeated_numbers(got: dict[int, Any], field: int) -> tuple[int, ...]:
    """A repeated uint32, packed or not: readers must take both."""
    packed = field << 3 | 2
    if packed not in got and field << 3 not in got:
        return ()
    plain = [value & _U32 for value in every(got, field << 3)]
    for value in every(got, packed):
        plain += numbers(bytes(value))
    return tuple(plain)


def repeated_text(got: dict[int, Any], key: int) -> tuple[str, ...]:
    return tuple([str(value, "utf-8") for value in every(got, key)]) if key in got else ()

"""Rows as JSON, as the official server writes them: `{"rows":[…]}`, NULL columns left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from rtour.server.query.dialect.kinds import Kind, Output
from rtour.server.query.functions.times import iso_date, iso_duration, iso_instant

Row = Sequence[Any]
Convert = Callable[[Any], Any]

_U64 = 2**64
_encode = msgspec.json.Encoder().encode


def _list(text: str) -> Any:
    return msgspec.Raw(text.encode())


def _float(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


CONVERTERS: dict[Kind, Convert] = {
    "bool": bool,
    "u64": lambda value: value + _U64 if value < 0 else value,
    "f64": lambda value: _float(float(value)),
    "text": _text,
    "binary": lambda value: value.hex() if isinstance(value, bytes) else str(value).encode().hex(),
    "timestamp": iso_instant,
    "date": iso_date,
    "duration": iso_duration,
    "list<u32>": _list,
    "list<i64>": _list,
    "list<f64>": _list,
    "list<text>": _list,
    "list<oid>": _list,
}


def encode(columns: Sequence[Output], chunks: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    """The body, a piece per chunk of rows."""
    names = [column.name for column in columns]
    converters = [CONVERTERS.get(column.kind, _plain) for column in columns]
    opening = b'{"rows":['
    for chunk in chunks:
        rows = [
            {
                name: convert(value)
                for name, convert, value in zip(names, converters, row, strict=True)
                if value is not None
            }
            for row in chunk
        ]
        yield opening + _encode(rows)[1:-1]
        opening = b","
    yield b"]}" if opening == b"," else opening + b"]}"


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value

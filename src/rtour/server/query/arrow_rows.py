"""Rows as an Arrow IPC stream, with the official server's types."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import nanoarrow as na  # type: ignore[import-untyped]
from nanoarrow.c_array_stream import CArrayStream  # type: ignore[import-untyped]
from nanoarrow.ipc import StreamWriter  # type: ignore[import-untyped]

from rtour.server.query.dialect.kinds import Kind, Output, item_of

Row = Sequence[Any]

_U64 = 2**64
_DAY_MS = 86_400_000
_SCHEMAS: dict[Kind, Callable[..., Any]] = {
    "null": na.null,
    "bool": na.bool_,
    "i64": na.int64,
    "u32": na.uint32,
    "u64": na.uint64,
    "f64": na.float64,
    "text": na.large_string,
    "binary": na.large_binary,
    "timestamp": lambda **how: na.timestamp("ms", timezone="+00:00", **how),
    "date": na.date32,
    "duration": lambda **how: na.duration("ms", **how),
    "list<u32>": lambda **how: na.list_(na.uint32(), **how),
    "list<i64>": lambda **how: na.list_(na.int64(), **how),
    "list<f64>": lambda **how: na.list_(na.float64(), **how),
    "list<text>": lambda **how: na.list_(na.large_string(), **how),
    "oid": na.uint32,
    "list<oid>": lambda **how: na.list_(na.uint32(), **how),
}


def schema(columns: Sequence[Output]) -> Any:
    """The schema of a result; of several columns with one name the stream keeps all."""
    fields = [
        na.c_schema(_SCHEMAS[c.kind](nullable=c.nullable)).modify(name=c.name) for c in columns
    ]
    return na.struct(fields, nullable=False)


def encode(columns: Sequence[Output], chunks: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    """Schema, one batch per chunk, end of stream; a piece each."""
    wanted = schema(columns)
    sink = io.BytesIO()
    with StreamWriter.from_writable(sink) as writer:
        writer.write_stream(CArrayStream.from_c_arrays([], na.c_schema(wanted), validate=False))
        yield _taken(sink)
        for chunk in chunks:
            writer.write_array(_batch(columns, wanted, chunk))
            yield _taken(sink)
    yield _taken(sink)


def _taken(sink: io.BytesIO) -> bytes:
    piece = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return piece


def _batch(columns: Sequence[Output], wanted: Any, chunk: Sequence[Row]) -> Any:
    children = [
        _column(column, [row[place] for row in chunk]) for place, column in enumerate(columns)
    ]
    return na.c_array_from_buffers(wanted, len(chunk), buffers=[None], children=children)


def _column(column: Output, values: list[Any]) -> Any:
    wanted = _SCHEMAS[column.kind](nullable=column.nullable)
    if column.kind == "null":
        return na.c_array_from_buffers(wanted, len(values), buffers=[])
    if column.kind.startswith("list"):
        return _lists(wanted, column.kind, values)
    convert = _CONVERTERS[column.kind]
    return na.c_array([None if v is None else convert(v) for v in values], wanted)


def _lists(wanted: Any, kind: Kind, values: list[Any]) -> Any:
    items: list[Any] = []
    ends = [0]
    for value in values:
        items += [] if value is None else msgspec.json.decode(value)
        ends.append(len(items))
    item = _SCHEMAS[item_of(kind)]()
    bits = bytearray((len(values) + 7) // 8)
    for place, value in enumerate(values):
        if value is not None:
            bits[place // 8] |= 1 << place % 8
    offsets = na.c_buffer(ends, na.int32())
    return na.c_array_from_buffers(
        wanted,
        len(values),
        buffers=[na.c_buffer(bytes(bits)), offsets],
        children=[na.c_array(items, item)],
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


_CONVERTERS: dict[Kind, Callable[[Any], Any]] = {
    "bool": bool,
    "i64": int,
    "u32": int,
    "oid": int,
    "u64": lambda value: value + _U64 if value < 0 else value,
    "f64": float,
    "text": _text,
    "binary": lambda value: value if isinstance(value, bytes) else str(value).encode(),
    "timestamp": int,
    "date": lambda value: value // _DAY_MS,
    "duration": int,
}

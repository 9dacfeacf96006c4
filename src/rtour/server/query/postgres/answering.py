"""In the query process: a statement's shape, and its rows in PostgreSQL's messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from rtour.server.query import frames
from rtour.server.query.dialect import Statement
from rtour.server.query.frames import Bound
from rtour.server.query.postgres import types, wire
from rtour.server.query.running import Runner


def pieces(runner: Runner, question: frames.Question) -> Iterable[bytes]:
    """The answer's pieces. Raises QueryFailed."""
    assert question.bound is not None, "such questions only"
    statement = runner.statement(question.sql, postgres=True)
    if question.encoding == "describe":
        return [msgspec.msgpack.encode(_shape(statement, question.bound))]
    rows = runner.run(
        statement,
        _values(statement, question.bound) | {"now": question.now_ms},
        question.live,
        timeout_ms=question.timeout_ms,
        rows_max=question.rows_max,
    )
    return _messages(statement, question.bound, rows)


def _shape(statement: Statement, bound: Bound) -> frames.Shape:
    columns = [(column.name, types.OIDS[column.kind]) for column in statement.columns]
    parameters = []
    for place in range(max(len(statement.parameters), len(bound.types))):
        given = bound.types[place] if place < len(bound.types) else 0
        known = statement.parameters[place] if place < len(statement.parameters) else "null"
        parameters.append(given or types.OIDS[known])
    return frames.Shape(columns, parameters)


def _values(statement: Statement, bound: Bound) -> dict[str, Any]:
    """Parameters by their names in the translation."""
    values: dict[str, Any] = {}
    for place, kind in enumerate(statement.parameters):
        raw = bound.parameters[place] if place < len(bound.parameters) else None
        given = bound.types[place] if place < len(bound.types) else 0
        format_ = wire.format_of(bound.parameter_formats, place)
        values[f"p{place + 1}"] = types.parameter(raw, given or types.OIDS[kind], format_, kind)
    return values


def _messages(
    statement: Statement, bound: Bound, chunks: Iterable[Sequence[Sequence[Any]]]
) -> Iterator[bytes]:
    """Rows, and how it ended: complete, or suspended with more to come."""
    columns = [(column.name, types.OIDS[column.kind]) for column in statement.columns]
    if bound.described:
        yield wire.row_description(columns, bound.result_formats)
    encoders = [
        types.encoder(column.kind, wire.format_of(bound.result_formats, place))
        for place, column in enumerate(statement.columns)
    ]
    seen = 0
    for chunk in chunks:
        first, last = max(bound.skip - seen, 0), len(chunk)
        if bound.rows_wanted:
            last = min(last, bound.skip + bound.rows_wanted - seen)
        yield b"".join(_row(row, encoders) for row in chunk[first:last])
        seen += len(chunk)
        if last < len(chunk):
            yield wire.PORTAL_SUSPENDED
            return
    yield wire.complete(f"SELECT {max(seen - bound.skip, 0)}")


def _row(row: Sequence[Any], encoders: Sequence[types.Encode]) -> bytes:
    return wire.data_row(
        None if value is None else encode(value)
        for value, encode in zip(row, encoders, strict=True)
    )

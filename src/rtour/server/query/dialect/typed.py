"""Pieces of SQLite's SQL with the kind of their values, and how kinds are brought together."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlglot import exp

from rtour.server.query import failures
from rtour.server.query.dialect.kinds import INSTANTS, INTEGERS, NUMBERS, Kind
from rtour.server.query.functions import PREFIX
from rtour.server.query.functions.times import read_instant, read_interval

_U64 = 1 << 64


class Typed(msgspec.Struct, frozen=True):
    """An expression for SQLite, and what it yields."""

    node: Any
    kind: Kind
    nullable: bool = True
    origin: str | None = None
    """`table.column` where it is just that."""
    months: int = 0
    """Of an interval, beside its milliseconds."""


def call(name: str, *arguments: exp.Expression) -> exp.Expression:
    """A call of one of our functions."""
    return native(PREFIX + name, *arguments)


def native(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=list(arguments))


def integer(value: int) -> exp.Expression:
    """A literal; SQLite's integers end at 63 bits, a u64 beyond is the same bits with a sign."""
    if value >= _U64 // 2:
        value -= _U64
    literal = exp.Literal.number(str(abs(value)))
    return exp.Neg(this=literal) if value < 0 else literal


def column(source: str, name: str) -> exp.Column:
    table = exp.to_identifier(source, quoted=True) if source else None
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=table)


def literal_text(value: Typed) -> str | None:
    node = value.node
    return node.this if isinstance(node, exp.Literal) and node.is_string else None


def as_kind(value: Typed, kind: Kind) -> Typed:
    """The value for a place where `kind` is expected, as DataFusion's coercion has it."""
    if value.kind in {kind, "null"} or kind == "null":
        return value
    written = literal_text(value)
    if written is not None:
        known = _literal(written, kind)
        if known is not None:
            return known
    if value.kind == "text":
        reader = {"timestamp": "read_instant", "date": "read_instant", "duration": "read_duration"}
        if kind in reader:
            return Typed(call(reader[kind], value.node), kind)
        if kind == "binary":
            return Typed(exp.Cast(this=value.node, to=exp.DataType.build("blob")), kind)
    return value


def _literal(written: str, kind: Kind) -> Typed | None:
    """A text literal read as another kind; None where it stays what it is."""
    try:
        if kind in INSTANTS:
            return Typed(integer(read_instant(written)), "timestamp", nullable=False)
        if kind == "duration":
            months, ms = read_interval(written)
            return Typed(integer(ms), "duration", nullable=False, months=months)
        if kind == "binary":
            return Typed(exp.HexString(this=written.encode().hex()), "binary", nullable=False)
        if kind in INTEGERS:
            return Typed(integer(int(written)), kind, nullable=False)
        if kind == "f64":
            return Typed(exp.Literal.number(repr(float(written))), kind, nullable=False)
        if kind == "bool" and written.lower() in {"true", "false"}:
            return Typed(exp.Boolean(this=written.lower() == "true"), kind, nullable=False)
    except ValueError as error:
        raise failures.execution(str(error)) from error
    return None


def comparable(left: Typed, right: Typed) -> tuple[Typed, Typed]:
    """Both sides of a comparison in kinds that SQLite compares by value."""
    left, right = as_kind(left, right.kind), as_kind(right, left.kind)
    if left.kind == "text" and right.kind in NUMBERS:
        right = as_text(right)
    elif right.kind == "text" and left.kind in NUMBERS:
        left = as_text(left)
    return left, right


def as_text(value: Typed) -> Typed:
    """The value as `CAST(… AS STRING)` writes it."""
    node = value.node
    match value.kind:
        case "text" | "null" | "list<u32>" | "list<i64>" | "list<text>":
            return value
        case "bool":
            shown = native("iif", node, exp.Literal.string("true"), exp.Literal.string("false"))
            node = exp.Case(
                ifs=[exp.If(this=exp.Is(this=node, expression=exp.Null()), true=exp.Null())],
                default=shown,
            )
        case "timestamp":
            node = call("iso_instant", node)
        case "date":
            node = call("iso_date", node)
        case "duration":
            node = call("iso_duration", node)
        case "binary":
            node = call("utf8", node)
        case "u64":
            node = call("unsigned_text", node)
        case "f64":
            node = call("float_text", node)
        case _:
            node = exp.Cast(this=node, to=exp.DataType.build("text"))
    return Typed(node, "text", value.nullable)


def cast(value: Typed, kind: Kind, *, strict: bool) -> Typed:
    """`CAST`, or `TRY_CAST` if not strict."""
    if kind == "text":
        return as_text(value)
    if value.kind == kind:
        return value
    if value.kind.startswith("list") or (value.kind == "bool" and kind not in NUMBERS):
        raise failures.planning(f"Unsupported CAST from {value.kind} to {kind}")
    if value.kind == "f64" and kind in INSTANTS | {"duration"}:
        value = _cast_to_number(value, "i64", strict=strict)
    if kind in INSTANTS:
        return _cast_to_instant(value, kind)
    if kind in {"duration", "binary"}:
        coerced = as_kind(value, kind)
        return msgspec.structs.replace(coerced, kind=kind)
    if kind in INTEGERS | {"f64", "bool"}:
        return _cast_to_number(value, kind, strict=strict)
    return value


def _cast_to_instant(value: Typed, kind: Kind) -> Typed:
    coerced = as_kind(value, "timestamp")
    node = call("midnight", coerced.node) if kind == "date" else coerced.node
    return Typed(node, kind, value.nullable)


def _cast_to_number(value: Typed, kind: Kind, *, strict: bool) -> Typed:
    if value.kind in INTEGERS | INSTANTS | {"duration"} and kind in INTEGERS:
        return msgspec.structs.replace(value, kind=kind, months=0)
    name = "float" if kind == "f64" else "bool" if kind == "bool" else "integer"
    node = call(f"{'to' if strict else 'try'}_{name}", value.node)
    return Typed(node, kind, value.nullable or not strict)

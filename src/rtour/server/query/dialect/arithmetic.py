"""What + - * / mean for numbers, instants and durations; and what an invocation id looks like."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from rtour import ids
from rtour.errors import InvalidId
from rtour.server.query import failures
from rtour.server.query.dialect import typed
from rtour.server.query.dialect.kinds import INSTANTS, NUMBERS, Kind
from rtour.server.query.dialect.typed import Typed, as_kind, call
from rtour.server.query.functions.times import read_interval

__all__ = ["check_ids", "combine", "read_interval"]

# Where the official server looks an id up, and so refuses what is none.
_ID_COLUMNS = frozenset(
    f"{table}.id"
    for table in ("sys_invocation", "sys_invocation_status", "sys_journal", "sys_journal_events")
)


def check_ids(*sides: Typed) -> None:
    """Refuse a text that is compared with invocation ids and is none."""
    if not any(side.origin in _ID_COLUMNS for side in sides):
        return
    for side in sides:
        written = typed.literal_text(side)
        if written is None:
            continue
        try:
            ids.parse_invocation_id(written)
        except InvalidId:
            raise failures.invalid_id() from None


def combine(operator: Any, left: Typed, right: Typed) -> Typed:
    """The two sides under Add, Sub, Mul, Div or Mod."""
    nullable = left.nullable or right.nullable
    if left.kind in INSTANTS or right.kind in INSTANTS:
        return _with_instants(operator, left, right, nullable=nullable)
    if left.kind == "duration" or right.kind == "duration":
        return _with_durations(operator, left, right, nullable=nullable)
    left, right = _number(left), _number(right)
    kind: Kind = "f64" if "f64" in {left.kind, right.kind} else "i64"
    if left.kind == right.kind == "u64":
        kind = "u64"
    if operator in {exp.Div, exp.Mod}:
        name = "divide" if operator is exp.Div else "modulo"
        return Typed(call(name, left.node, right.node), kind, nullable)
    return Typed(operator(this=left.node, expression=right.node), kind, nullable)


def _number(value: Typed) -> Typed:
    if value.kind in NUMBERS | {"null"}:
        return value
    if value.kind != "text":
        raise failures.planning(f"Cannot coerce arithmetic expression of {value.kind}")
    read = as_kind(value, "f64")
    return read if read.kind == "f64" else Typed(call("to_float", value.node), "f64")


def _with_durations(operator: Any, left: Typed, right: Typed, *, nullable: bool) -> Typed:
    """Sums of durations, multiples and parts of one, and how often one is in another."""
    if operator in {exp.Add, exp.Sub}:
        left, right = as_kind(left, "duration"), as_kind(right, "duration")
        if left.kind == right.kind:
            months = right.months if operator is exp.Add else -right.months
            made = operator(this=left.node, expression=right.node)
            return Typed(made, "duration", nullable, months=left.months + months)
    elif operator is exp.Div and left.kind == right.kind:
        real = exp.Cast(this=left.node, to=exp.DataType.build("real"))
        return Typed(exp.Div(this=real, expression=right.node), "f64", nullable)
    elif operator is exp.Mul or (operator is exp.Div and left.kind == "duration"):
        other = right if left.kind == "duration" else left
        if other.kind in NUMBERS | {"null"}:
            made = operator(this=left.node, expression=right.node)
            whole = exp.Cast(this=made, to=exp.DataType.build("int"))
            return Typed(whole, "duration", nullable)
    raise failures.planning(
        f"Cannot coerce arithmetic expression {left.kind} and {right.kind} to valid types"
    )


def _with_instants(operator: Any, left: Typed, right: Typed, *, nullable: bool) -> Typed:
    if operator is exp.Sub and right.kind in INSTANTS | {"text"} and left.kind in INSTANTS:
        right = as_kind(right, "timestamp")
        if right.kind in INSTANTS:
            return Typed(exp.Sub(this=left.node, expression=right.node), "duration", nullable)
    if operator is exp.Add and left.kind not in INSTANTS:
        left, right = right, left
    if operator not in {exp.Add, exp.Sub} or right.kind not in {"duration", "text", "null"}:
        raise failures.planning(
            f"Cannot coerce arithmetic expression {left.kind} and {right.kind} to valid types"
        )
    right = as_kind(right, "duration")
    node = left.node
    if right.months:
        months = right.months if operator is exp.Add else -right.months
        node = call("add_months", node, typed.integer(months))
    return Typed(operator(this=node, expression=right.node), "timestamp", nullable)

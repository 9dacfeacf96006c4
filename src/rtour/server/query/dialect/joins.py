"""Joins that merge columns, and LIMIT as SQLite has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from rtour.server.query import failures
from rtour.server.query.dialect import typed
from rtour.server.query.dialect.scopes import Scope, Source, text


def merge(join: Any, scope: Scope, before: list[Source]) -> None:
    """Note the columns that USING or NATURAL makes one of two; the join becomes one with ON."""
    if str(join.args.get("kind") or "").upper() in {"SEMI", "ANTI"}:
        raise failures.unsupported("SEMI and ANTI joins; use EXISTS")
    right = scope.sources[len(before)]
    names = [text(column) for column in join.args.get("using") or []]
    if str(join.args.get("method") or "").upper() == "NATURAL":
        names = [c.name for c in right.columns if any(source.find(c.name) for source in before)]
        join.set("method", None)
    if not names:
        return
    conditions = [_equal(name, right, before) for name in names]
    scope.merged.update(names)
    join.set("using", None)
    join.set("on", exp.and_(*conditions))


def _equal(name: str, right: Source, before: list[Source]) -> exp.Expression:
    """Written as in the statement: the ON of a join is translated after."""
    left = next((source for source in before if source.find(name)), None)
    if left is None or right.find(name) is None:
        raise failures.schema(f"No field named {name} on both sides of the join")
    return exp.EQ(this=typed.column(left.name, name), expression=typed.column(right.name, name))


def limit(query: Any, translate: Callable[[Any], Any]) -> None:
    """LIMIT, FETCH and OFFSET; SQLite has no OFFSET without a LIMIT."""
    clause, offset = query.args.get("limit"), query.args.get("offset")
    if isinstance(clause, exp.Fetch):
        clause = exp.Limit(expression=clause.args.get("count") or exp.Literal.number(1))
    if clause is not None and isinstance(clause.expression, exp.Null):
        clause = None
    if clause is not None:
        clause.set("expression", translate(clause.expression))
    if offset is not None:
        offset.set("expression", translate(offset.expression))
        if clause is None:
            clause = exp.Limit(expression=typed.integer(-1))
    query.set("limit", clause)

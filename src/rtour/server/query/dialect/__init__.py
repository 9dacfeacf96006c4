"""Restate's SQL, which is DataFusion's, as SQL that SQLite runs.

`parsing` makes a tree of the text, `selects` goes through its queries and `expressions` through
their expressions. Both know the type of every column on the way, for in SQLite instants and
durations are integers and lists are JSON texts, and the client wants to see what they are.
"""

from __future__ import annotations

import msgspec
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from rtour.server.query import failures
from rtour.server.query.dialect.kinds import Kind, Output
from rtour.server.query.dialect.parsing import parse
from rtour.server.query.dialect.scopes import Tables
from rtour.server.query.dialect.selects import Selects

__all__ = ["Kind", "Output", "Statement", "Tables", "translate"]

_PLAN = (
    Output("plan_type", "text", nullable=False),
    Output("plan", "text", nullable=False),
)


class Statement(msgspec.Struct, frozen=True):
    """A statement for SQLite, and what its rows are made of."""

    sql: str
    columns: tuple[Output, ...]
    tables: frozenset[str]
    parameters: tuple[Kind, ...] = ()
    explained: bool = False
    """Its plan is wanted, not its rows."""


def translate(text: str, tables: Tables) -> Statement:
    """The statement for SQLite. Raises QueryFailed."""
    parsed = parse(text)
    selects = Selects(tables)
    try:
        outputs = selects.query(parsed.query, {})
        sql = _bare(parsed.query).sql(
            dialect="sqlite", identify=True, comments=False, unsupported_level=ErrorLevel.RAISE
        )
    except RecursionError as error:
        raise failures.syntax("the statement is nested too deeply") from error
    except SqlglotError as error:
        raise failures.unsupported(str(error).splitlines()[0]) from error
    count = max(selects.parameters, default=0)
    return Statement(
        sql,
        _PLAN if parsed.form == "explain" else tuple(outputs),
        frozenset(selects.used),
        tuple(selects.parameters.get(number, "null") for number in range(1, count + 1)),
        parsed.form == "explain",
    )


def _bare(query: exp.Expression) -> exp.Expression:
    """SQLite takes no parentheses around a whole statement."""
    while isinstance(query, exp.Subquery) and not query.args.get("alias"):
        query = query.this
    return query

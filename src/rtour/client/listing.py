"""A window of the list of invocations, and how many there are of each status.

Windows go by LIMIT and OFFSET, so that reading costs the same whether there are ten invocations or
a hundred thousand, and only the columns of the list are asked for.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from rtour.client.filtering import conditions
from rtour.client.model import Invocation
from rtour.client.query import Query, select

COLUMNS = (
    "id",
    "target",
    "target_service_name",
    "target_service_key",
    "target_handler_name",
    "target_service_ty",
    "status",
    "created_at",
    "modified_at",
    "scheduled_at",
    "scheduled_start_at",
    "retry_count",
    "next_retry_at",
    "last_failure",
    "completion_result",
    "completion_failure",
)


class Order(StrEnum):
    """How a list is sorted."""

    NEWEST = "newest"
    OLDEST = "oldest"
    CHANGED = "last change"
    TARGET = "target"
    STATUS = "status"
    TRIES = "tries"


_SQL = {
    Order.NEWEST: "inv.created_at DESC",
    Order.OLDEST: "inv.created_at ASC",
    Order.CHANGED: "inv.modified_at DESC",
    Order.TARGET: "inv.target ASC, inv.created_at DESC",
    Order.STATUS: "inv.status ASC, inv.created_at DESC",
    Order.TRIES: "COALESCE(inv.retry_count, 0) DESC, inv.created_at DESC",
}
# The order of a life, which is how people read the counts.
_LIFE = (
    "running",
    "backing-off",
    "paused",
    "pending",
    "ready",
    "suspended",
    "scheduled",
    "failed",
    "succeeded",
    "completed",
)


class Listing(msgspec.Struct, frozen=True):
    """Rows `first` to `first + count` of what a filter lets through."""

    filter: str
    order: Order
    first: int
    count: int

    def sql(self) -> str:
        """The statement that reads it."""
        columns = ", ".join(f"inv.{name}" for name in COLUMNS)
        order = f"{_SQL[self.order]}, inv.id"
        return select(
            columns,
            "sys_invocation inv",
            conditions(self.filter),
            order,
            self.count,
            self.first,
        )


class Census(msgspec.Struct, frozen=True):
    """How many there are, in all and of each status."""

    total: int
    by_status: dict[str, int]


async def listing(query: Query, wanted: Listing) -> list[Invocation]:
    """The invocations of a window."""
    return await query.typed(wanted.sql(), Invocation)


async def census(query: Query, text: str) -> Census:
    """Counts what a filter lets through."""
    rows = await query.counts(
        "inv.status, inv.completion_result",
        "sys_invocation inv",
        conditions(text),
        "inv.status, inv.completion_result",
    )
    found: dict[str, int] = {}
    for row in rows:
        name = {"failure": "failed", "success": "succeeded"}.get(
            row.get("completion_result", ""), str(row["status"])
        )
        found[name] = found.get(name, 0) + int(row["n"])
    ordered = sorted(found, key=lambda name: _LIFE.index(name) if name in _LIFE else 99)
    return Census(sum(found.values()), {name: found[name] for name in ordered})

"""How a server fares: counts, rates between two looks, slow handlers, keys with a backlog."""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec

from rtour.client.listing import Census, census
from rtour.client.model import Invocation
from rtour.client.query import Query, select

RECENT = 300
SHOWN = 8
_COLUMNS = (
    "id",
    "target",
    "target_service_name",
    "target_handler_name",
    "target_service_ty",
    "status",
    "created_at",
    "running_at",
    "completed_at",
)


class Slow(msgspec.Struct, frozen=True):
    """A handler, how often it ended lately, and how long that took."""

    handler: str
    count: int
    middle_s: float
    longest_s: float


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """One look."""

    at: datetime
    census: Census
    per_service: list[tuple[str, int]]
    slowest: list[Slow]
    backlog: list[tuple[str, int]]

    @property
    def ended(self) -> int:
        """How many have ended, of those still known."""
        names = ("succeeded", "failed", "completed")
        return sum(self.census.by_status.get(name, 0) for name in names)


async def pulse(query: Query, now: datetime) -> Pulse:
    """Looks at the server."""
    columns = ", ".join(f"inv.{name}" for name in _COLUMNS)
    recent = select(
        columns,
        "sys_invocation inv",
        ["inv.status = 'completed'"],
        "inv.completed_at DESC",
        RECENT,
    )
    counted, ended, services, inbox = await asyncio.gather(
        census(query, ""),
        query.typed(recent, Invocation),
        query.counts(
            "target_service_name",
            "sys_invocation_status",
            ["status != 'completed'"],
            "target_service_name",
        ),
        query.counts("service_name, service_key", "sys_inbox", [], "service_name, service_key"),
    )
    keys = [(f"{row['service_name']}/{row['service_key']}", int(row["n"])) for row in inbox]
    loads = [(str(row["target_service_name"]), int(row["n"])) for row in services]
    return Pulse(
        at=now,
        census=counted,
        per_service=_most(loads),
        slowest=slowest(ended),
        backlog=_most(keys),
    )


def slowest(ended: list[Invocation]) -> list[Slow]:
    """Handlers by the middle of their times, slowest first; waiting in line does not count."""
    times: dict[str, list[float]] = {}
    for each in ended:
        if each.completed_at is not None:
            name = f"{each.target_service_name}/{each.target_handler_name}"
            start = each.running_at or each.created_at
            times.setdefault(name, []).append((each.completed_at - start).total_seconds())
    found = [
        Slow(name, len(all_), sorted(all_)[len(all_) // 2], max(all_))
        for name, all_ in times.items()
    ]
    return sorted(found, key=lambda slow: -slow.middle_s)[:SHOWN]


def rate(before: int, after: int, seconds: float) -> float:
    """Per second; a count that fell, by retention or purging, is no negative rate."""
    return max(0.0, (after - before) / seconds) if seconds > 0 else 0.0


def _most(counts: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(counts, key=lambda each: -each[1])[:SHOWN]

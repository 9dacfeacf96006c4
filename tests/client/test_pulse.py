"""How a server fares."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rtour.client.model import Invocation
from rtour.client.pulse import rate, slowest

START = datetime(2026, 1, 1, tzinfo=UTC)


def ended(handler: str, waited_s: float, ran_s: float) -> Invocation:
    """An invocation that waited in line and then ran."""
    began = START + timedelta(seconds=waited_s)
    return Invocation(
        id="inv_1",
        target=f"S/{handler}",
        target_service_name="S",
        target_handler_name=handler,
        target_service_ty="service",
        status="completed",
        created_at=START,
        running_at=began,
        completed_at=began + timedelta(seconds=ran_s),
    )


def test_slowest_by_the_middle_of_the_times() -> None:
    """Handlers are ordered by their middle time, without the time in line."""
    seen = [ended("fast", 900, 1), *(ended("slow", 0, s) for s in (2, 3, 50))]
    told = slowest(seen)
    assert [each.handler for each in told] == ["S/slow", "S/fast"]
    assert (told[0].count, told[0].middle_s, told[0].longest_s) == (3, 3.0, 50.0)
    assert told[1].longest_s == 1.0


def test_a_count_that_falls_is_no_rate() -> None:
    """Purging does not make a negative rate, nor two looks at once an infinite one."""
    assert rate(10, 30, 2.0) == 10.0
    assert rate(30, 10, 2.0) == 0.0
    assert rate(0, 10, 0.0) == 0.0

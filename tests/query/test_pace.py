"""How queries leave the machine to invocations."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from rtour.clock import SystemClock
from rtour.server.query.engine import Queries, QueryLimits
from rtour.server.query.pace import Pace


def pace(*, commands: Callable[[], int], step_s: float) -> Pace:
    """A pace to whose clock each look adds `step_s`."""
    moments = itertools.count()
    return Pace(commands, lambda: next(moments) * step_s)


@pytest.mark.parametrize(
    ("commands_per_statement", "worked_s", "rest_s"),
    [
        pytest.param(0, 0.5, 0.0, id="nothing is invoked"),
        pytest.param(10, 0.5, 0.0, id="somebody tries things out"),
        pytest.param(1000, 0.01, 0.04, id="load: a fifth is work"),
        pytest.param(100_000, 30.0, 2.0, id="a long one, and nobody waits for long"),
    ],
)
def test_a_turn_rests_while_invocations_are_busy(
    commands_per_statement: int, worked_s: float, rest_s: float
) -> None:
    """The rest is a multiple of the work, and none where there is nothing to make way for."""
    counted = itertools.count(step=commands_per_statement)
    paced = pace(commands=lambda: next(counted), step_s=worked_s)
    assert paced.rest_s(paced.now()) == pytest.approx(rest_s)


async def test_the_next_statement_waits_for_the_rest(database: Path) -> None:
    """The answer comes at once, the turn is given on after the rest."""
    counted = itertools.count(step=1000)
    paced = pace(commands=lambda: next(counted), step_s=0.02)
    queries = Queries(database, list, SystemClock(), QueryLimits(processes=1), paced)
    answered: list[float] = []
    for _ in range(2):
        assert [piece async for piece in queries.ask("SELECT 1 AS one", "json")]
        answered.append(asyncio.get_running_loop().time())
    await queries.close()
    assert answered[1] - answered[0] >= 0.08

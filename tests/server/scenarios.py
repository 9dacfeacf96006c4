"""Scenarios on the rig: run in virtual time, with what most of them listen for and say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from rtour.protocol import messages as m
from rtour.protocol.messages import Combinator, Future
from tests.server.rig import Rig
from tests.server.scripted import ScriptedExchange
from tests.virtual_time import VirtualClock, run

Scenario = Callable[[Rig], Awaitable[None]]


def on_rig(scenario: Scenario, **options: int) -> None:
    async def main(clock: VirtualClock) -> None:
        await scenario(Rig(clock, **options))

    run(main)


def awaiting(*completions: int, signals: tuple[int, ...] = (1,)) -> Future:
    return Future(completions, signals, combinator=Combinator.FIRST_COMPLETED)


async def opening(exchange: ScriptedExchange) -> tuple[m.Start, list[m.Message]]:
    """Start and the replayed entries."""
    start = await exchange.hear()
    assert isinstance(start, m.Start)
    entries = [await exchange.hear() for _ in range(start.known_entries)]
    return start, [entry for entry in entries if entry is not None]

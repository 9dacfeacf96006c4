"""What the simulator takes for time that goes back, and what for the machine's doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rtour.clock import ClockState
from tests import virtual_time
from tests.simulation.clock import ServerClock, Shown, WallClock


def play(story: Callable[[WallClock, ServerClock], None]) -> list[str]:
    """The complaints about a clock that stands still at first."""
    complaints: list[str] = []

    async def main(true: virtual_time.VirtualClock) -> None:
        machine = WallClock(true)
        clock = ServerClock(machine, Shown(machine, complaints.append), lambda: False)
        clock.state = ClockState().frozen(machine.now_ms())
        clock.now_ms()
        story(machine, clock)
        clock.now_ms()

    virtual_time.run(main)
    return complaints


def test_a_clock_that_is_let_go_from_what_it_shows_is_fine() -> None:
    """However the machine was set back before."""

    def story(machine: WallClock, clock: ServerClock) -> None:
        machine.jump(-2_000)
        clock.now_ms()
        clock.state = clock.state.running(machine.now_ms())

    assert play(story) == []


def test_a_machine_set_back_while_a_change_is_stored_takes_the_clock_along() -> None:
    """Seeds 4413, 4834 and 5882: the machine jumped between the storing and the letting go."""

    def story(machine: WallClock, clock: ServerClock) -> None:
        stored = clock.state.running(machine.now_ms())
        machine.jump(-2_000)
        clock.now_ms()
        clock.state = stored

    assert play(story) == []


def test_a_clock_that_goes_back_by_itself_is_found() -> None:
    """Nobody set the machine's clock."""

    def story(machine: WallClock, clock: ServerClock) -> None:
        clock.state = ClockState().running(machine.now_ms() - 1)
        clock.now_ms()
        clock.state = ClockState(offset_ms=-1)

    assert len(play(story)) == 1


def test_work_that_goes_in_circles_at_one_moment_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer ever comes while the loop has always something to do."""
    monkeypatch.setattr(virtual_time, "TURNS_MAX", 100)

    async def spin(_: virtual_time.VirtualClock) -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(virtual_time.Deadlock, match="time stands still: 100 turns"):
        virtual_time.run(spin)

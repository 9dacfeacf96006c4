"""Clocks: what they show as they are skipped, stopped and let go."""

from __future__ import annotations

from rtour.clock import ClockState, SkippingClock, SystemClock, ahead_ms, wait_ms


class Machine:
    """A machine's clock, set by hand."""

    def __init__(self) -> None:
        self.at = 1_000_000

    def now_ms(self) -> int:
        return self.at


def test_a_fresh_clock_is_the_machines() -> None:
    """Nothing is off before somebody drives it."""
    machine = Machine()
    clock = SkippingClock(machine)
    assert clock.now_ms() == machine.at
    assert ahead_ms(clock) == 0


def test_a_skipped_clock_goes_on_ahead() -> None:
    """It keeps its distance while both run."""
    machine = Machine()
    clock = SkippingClock(machine)
    clock.state = clock.state.moved(900_000).moved(1)
    machine.at += 5
    assert clock.now_ms() == 1_900_006
    assert ahead_ms(clock) == 900_001


def test_a_stopped_clock_stands_until_it_is_let_go_from_there() -> None:
    """The machine gets ahead meanwhile; a skip moves it on while it stands."""
    machine = Machine()
    clock = SkippingClock(machine)
    clock.state = clock.state.moved(500).frozen(machine.at)
    machine.at += 300
    assert clock.now_ms() == 1_000_500
    assert ahead_ms(clock) == 200
    clock.state = clock.state.moved(50)
    assert clock.now_ms() == 1_000_550
    clock.state = clock.state.running(machine.at)
    machine.at += 10
    assert clock.now_ms() == 1_000_560
    assert clock.state == ClockState(250)


def test_only_one_that_stands_is_waited_for_in_vain() -> None:
    """What is due already is never waited for."""
    machine = Machine()
    clock = SkippingClock(machine)
    assert wait_ms(clock, machine.at + 7) == 7
    assert wait_ms(machine, machine.at + 7) == 7
    clock.state = clock.state.frozen(machine.at)
    assert wait_ms(clock, machine.at + 7) is None
    assert wait_ms(clock, machine.at) == 0
    assert wait_ms(clock, machine.at - 7) == 0


def test_the_machines_clock_is_never_ahead_of_itself() -> None:
    """Other clocks cannot be off."""
    assert ahead_ms(SystemClock()) == 0

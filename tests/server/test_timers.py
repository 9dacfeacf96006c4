"""Timers: never early, each once, whatever the window."""

from __future__ import annotations

import asyncio
import bisect

import pytest

from rtour.clock import SkippingClock
from rtour.engine.commands import Command, FireTimer
from rtour.engine.model import Timer, TimerKind
from rtour.server.timers import LOOK_AGAIN_MS, Timers
from tests.virtual_time import VirtualClock, run

MINUTE_MS = 60_000


class Stored:
    """A sorted store of timers; fired ones are deleted, as the engine does."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.rows: list[Timer] = []
        self.fired: list[tuple[int, Timer]] = []

    def put(self, timer: Timer) -> None:
        bisect.insort(self.rows, timer)

    def load(self, after: Timer | None, limit: int) -> list[Timer]:
        start = 0 if after is None else bisect.bisect_right(self.rows, after)
        return self.rows[start : start + limit]

    def propose(self, command: Command) -> None:
        assert isinstance(command, FireTimer)
        self.fired.append((self.clock.now_ms(), command.timer))
        self.rows.remove(command.timer)


def timer(at: int, number: int) -> Timer:
    return Timer(at, number, 1, TimerKind.SLEEP, f"inv_{number}")


@pytest.mark.parametrize("window", [1, 2, 3, 100])
def test_all_fire_once_in_order_and_never_early(window: int) -> None:
    """Timers stored before and set after the start fire at their time, in order."""

    async def main(clock: VirtualClock) -> None:
        stored = Stored(clock)
        now = clock.now_ms()
        for number in range(20):
            stored.put(timer(now + (number * 7 % 20) * MINUTE_MS, number))
        timers = Timers(stored.load, stored.propose, clock, window)
        timers.start()
        for number in range(20, 40):
            new = timer(now + (number * 3 % 20) * MINUTE_MS + 1, number)
            stored.put(new)
            timers.set(new)
        while stored.rows:
            await asyncio.sleep(MINUTE_MS / 1000)
        timers.stop()
        assert len(stored.fired) == 40
        assert all(at >= fired.at for at, fired in stored.fired)
        assert [fired for _, fired in stored.fired] == sorted(fired for _, fired in stored.fired)

    run(main)


def test_one_that_is_already_due_fires_at_once() -> None:
    """A timer in the past, as after a restart, fires in the next turn of the loop."""

    async def main(clock: VirtualClock) -> None:
        stored = Stored(clock)
        stored.put(timer(clock.now_ms() - 5, 1))
        timers = Timers(stored.load, stored.propose, clock)
        timers.start()
        await asyncio.sleep(0.001)
        timers.stop()
        assert len(stored.fired) == 1

    run(main)


def test_memory_holds_a_window_only() -> None:
    """A flood of set timers is left to storage, but for the next ones."""

    async def main(clock: VirtualClock) -> None:
        stored = Stored(clock)
        timers = Timers(stored.load, stored.propose, clock, window=10)
        timers.start()
        for number in range(1000):
            new = timer(clock.now_ms() + 1000 + number, number)
            stored.put(new)
            timers.set(new)
        assert len(timers._heap) <= 20
        while stored.rows:
            await asyncio.sleep(1)
        timers.stop()
        assert len(stored.fired) == 1000

    run(main)


class SetClock:
    """A wall clock that somebody sets while the loop's time goes on."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.offset_ms = 0

    def now_ms(self) -> int:
        return self._clock.now_ms() + self.offset_ms


@pytest.mark.parametrize("offset_ms", [-10 * MINUTE_MS, 10 * MINUTE_MS])
def test_a_clock_that_is_set_moves_what_is_due(offset_ms: int) -> None:
    """Back: nothing fires before the clock says so. Forward: what is due is soon found out."""

    async def main(clock: VirtualClock) -> None:
        wall = SetClock(clock)
        stored = Stored(clock)
        due = wall.now_ms() + 5 * MINUTE_MS
        stored.put(timer(due, 1))
        timers = Timers(stored.load, stored.propose, wall)
        timers.start()
        await asyncio.sleep(60)
        set_at, wall.offset_ms = wall.now_ms(), offset_ms
        while stored.rows:
            await asyncio.sleep(1)
        timers.stop()
        ((fired_at, _),) = stored.fired
        earliest = max(due, set_at + offset_ms)
        assert earliest <= fired_at + offset_ms <= earliest + LOOK_AGAIN_MS

    run(main)


def test_nothing_fires_while_the_clock_stands_still() -> None:
    """Not even a millisecond before its time; what is due at a skip fires there and then."""

    async def main(machine: VirtualClock) -> None:
        clock = SkippingClock(machine)
        stored = Stored(machine)
        now = machine.now_ms()
        for number, later in enumerate((1, MINUTE_MS, 2 * MINUTE_MS)):
            stored.put(timer(now + later, number))
        clock.state = clock.state.frozen(now)
        timers = Timers(stored.load, stored.propose, clock)
        timers.start()
        await asyncio.sleep(3600)
        assert stored.fired == []
        clock.state = clock.state.moved(MINUTE_MS)
        assert timers.clock_changed() == 2
        clock.state = clock.state.running(machine.now_ms())
        assert timers.clock_changed() == 0
        await asyncio.sleep(MINUTE_MS / 1000)
        assert stored.rows == []
        timers.stop()
        assert timers.clock_changed() == 0

    run(main)

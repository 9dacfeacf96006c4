"""The simulated disk itself, where it once told what the real storage does not."""

from __future__ import annotations

from random import Random

from rtour.engine.changes import DeleteTimer, PutTimer
from rtour.engine.model import Timer, TimerKind
from tests import virtual_time
from tests.simulation.clock import Shown, WallClock
from tests.simulation.disk import Disk
from tests.simulation.faults import CALM
from tests.simulation.invariants import Watch

TIMER = Timer(100, 1, 1, TimerKind.SLEEP, "inv_1")


class Nothing:
    """A world in which nothing happens."""

    faults = CALM

    def chance(self, _probability: float) -> bool:
        return False

    def fail(self, what: str) -> None:
        raise AssertionError(what)

    def crash(self, how: str) -> None:
        raise AssertionError(how)


def test_a_timer_whose_deletion_is_on_its_way_is_not_read() -> None:
    """Seed 174 of a world whose clock was skipped: it fired once more while a commit was slow."""

    async def main(true: virtual_time.VirtualClock) -> None:
        host, clock = Nothing(), WallClock(true)
        disk = Disk(host, Random(1), Watch(clock, Shown(clock, host.fail), host.fail))
        disk.durable.timers[TIMER] = None
        storage = disk.storage()
        assert storage.timers_after(None, 9) == [TIMER]
        storage.write([DeleteTimer(TIMER)], sequence=1, at=1)
        assert storage.timers_after(None, 9) == []
        storage.commit(lambda _: None)
        assert storage.timers_after(None, 9) == []

    virtual_time.run(main)


def test_a_timer_that_is_being_stored_is_not_read() -> None:
    """Whoever set it is told of it when the commit is over."""

    async def main(true: virtual_time.VirtualClock) -> None:
        host, clock = Nothing(), WallClock(true)
        disk = Disk(host, Random(1), Watch(clock, Shown(clock, host.fail), host.fail))
        storage = disk.storage()
        storage.write([PutTimer(TIMER)], sequence=1, at=1)
        storage.commit(lambda _: None)
        assert storage.timers_after(None, 9) == []

    virtual_time.run(main)

"""Wall clocks: the machine's, which can be set wrong, and the server's, which can be driven."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rtour.clock import ClockState, SkippingClock
from tests.virtual_time import VirtualClock

OFF_BY_MAX_MS = 90_000


class WallClock:
    """Virtual time plus an error that `jump` changes: the machine's and the services' clock."""

    def __init__(self, true: VirtualClock) -> None:
        self._true = true
        self._error_ms = 0
        self.jumps = 0
        self.on_jump: Callable[[int], None] = lambda _by_ms: None

    def now_ms(self) -> int:
        return self._true.now_ms() + self._error_ms

    def jump(self, ms: int) -> None:
        """Set the clock forward or back, but never further off than `OFF_BY_MAX_MS`."""
        before = self._error_ms
        self._error_ms = max(-OFF_BY_MAX_MS, min(self._error_ms + ms, OFF_BY_MAX_MS))
        self.jumps += 1
        self.on_jump(self._error_ms - before)


class Shown:
    """What the server's clock ever showed, over all its lives; it goes back with the machine only.

    `latest` is the highest, `driven_at` the instant of the loop at which it was last driven. After
    a machine's clock was set back, a life keeps to the records that it finds: what was shown since
    is written nowhere. And a clock that stood still while its machine was set back may go back when
    it is let go: how it goes on was stored before it did.
    """

    def __init__(self, machine: WallClock, fail: Callable[[str], None]) -> None:
        machine.on_jump = self._machine_jumped
        self._machine = machine
        self._fail = fail
        self._floor = 0
        self._set_back_ms = 0  # since it was last driven
        self.latest = 0
        self.now = 0
        self.driven_at = -1.0

    def saw(self, now: int) -> None:
        """Somebody in the living server looked at the clock."""
        if now < self._floor:
            self._fail(f"time never goes back: {self._floor} was shown, now it is {now}")
        self._floor = max(self._floor, now)
        self.latest = max(self.latest, now)
        self.now = now

    def life_begins(self, last_record_at: int) -> None:
        """What the clock showed to a life that is over binds the next one, too."""
        if self._machine.jumps:
            self._floor = min(self._floor, last_record_at)

    def driven(self, *, stood_still: bool) -> None:
        """Its state is another one from now on."""
        self.driven_at = asyncio.get_running_loop().time()
        if stood_still:
            self._floor -= self._set_back_ms
        self._set_back_ms = 0

    def _machine_jumped(self, by_ms: int) -> None:
        self._floor += min(by_ms, 0)
        self._set_back_ms -= min(by_ms, 0)


class ServerClock(SkippingClock):
    """The clock of one life of the server; `Shown` sees what it shows while that life lasts."""

    def __init__(self, machine: WallClock, shown: Shown, is_dead: Callable[[], bool]) -> None:
        self._shown = shown
        self._is_dead = is_dead
        self._state = ClockState()
        self.on_leap: Callable[[ClockState], None] = lambda _state: None
        self.machine = machine
        super().__init__(machine)

    def now_ms(self) -> int:
        now = super().now_ms()
        if not self._is_dead():
            self._shown.saw(now)
        return now

    @property
    def state(self) -> ClockState:
        return self._state

    @state.setter
    def state(self, state: ClockState) -> None:
        machine_ms = self.machine.now_ms()
        if state.shows(machine_ms) > self._state.shows(machine_ms):
            self.on_leap(state)
        if not self._is_dead():
            self._shown.driven(stood_still=self._state.frozen_at is not None)
        self._state = state


class PlainClock:
    """The same for a server whose clock is the machine's."""

    def __init__(self, machine: WallClock, shown: Shown, is_dead: Callable[[], bool]) -> None:
        self._machine = machine
        self._shown = shown
        self._is_dead = is_dead

    def now_ms(self) -> int:
        now = self._machine.now_ms()
        if not self._is_dead():
            self._shown.saw(now)
        return now

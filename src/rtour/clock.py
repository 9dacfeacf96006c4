"""Where the server's time comes from, so that tests and simulations can bring their own.

`SkippingClock` is the clock of development servers: it can be moved on, made to stand still, and
let go again, but never moved back. What moves it is `server.time_control`.
"""

from __future__ import annotations

import time
from typing import Protocol

import msgspec


class Clock(Protocol):
    """Milliseconds since the epoch."""

    def now_ms(self) -> int: ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class ClockState(msgspec.Struct, frozen=True):
    """How a clock stands to the machine's: `offset_ms` ahead of it (or behind, after a freeze), or
    still at `frozen_at`. With `auto` it is moved on whenever everybody waits for it.
    """

    offset_ms: int = 0
    frozen_at: int | None = None
    auto: bool = False

    def shows(self, machine_ms: int) -> int:
        """The time on this clock while the machine's shows `machine_ms`."""
        return machine_ms + self.offset_ms if self.frozen_at is None else self.frozen_at

    def moved(self, by_ms: int) -> ClockState:
        """Further on, running or not."""
        assert by_ms >= 0, "time never goes back"
        if self.frozen_at is None:
            return msgspec.structs.replace(self, offset_ms=self.offset_ms + by_ms)
        return msgspec.structs.replace(self, frozen_at=self.frozen_at + by_ms)

    def frozen(self, machine_ms: int) -> ClockState:
        """Still, at what it shows."""
        return ClockState(frozen_at=self.shows(machine_ms))

    def running(self, machine_ms: int, *, auto: bool = False) -> ClockState:
        """Going, from what it shows."""
        return ClockState(self.shows(machine_ms) - machine_ms, auto=auto)


class SkippingClock:
    """A clock over another one, by a `state` that may be replaced."""

    def __init__(self, machine: Clock) -> None:
        self.machine = machine
        self.state = ClockState()

    def now_ms(self) -> int:
        return self.state.shows(self.machine.now_ms())


def ahead_ms(clock: Clock) -> int:
    """How far `clock` is ahead of the machine's now; negative after it stood still."""
    if not isinstance(clock, SkippingClock):
        return 0
    machine_ms = clock.machine.now_ms()
    return clock.state.shows(machine_ms) - machine_ms


def wait_ms(clock: Clock, at: int) -> int | None:
    """How many milliseconds of real time until `clock` shows `at`; None if it stands still."""
    left = at - clock.now_ms()
    if left <= 0:
        return 0
    still = isinstance(clock, SkippingClock) and clock.state.frozen_at is not None
    return None if still else left

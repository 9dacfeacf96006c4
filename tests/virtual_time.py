"""An event loop whose time jumps: when nothing is ready, it is the time of the next timer.

The code under test runs unchanged and sleeps for days in milliseconds. A program that waits for
something that cannot come fails at once instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

START_MS = 1_700_000_000_000
TURNS_MAX = 100_000


class Deadlock(Exception):  # noqa: N818
    """Nothing is ready, no timer is set, and no I/O is under way; or time stands still for ever."""


class _JumpingSelector(selectors.SelectSelector):
    loop: VirtualLoop
    turns = 0  # of the loop, since time moved

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready or timeout == 0:
            self._turned()
            return ready
        self.turns = 0
        if timeout is None:
            if self.loop.waits_for_io:
                return super().select(1)
            raise Deadlock("no timer, no I/O: what is awaited cannot come")
        self.loop.now_s += timeout
        return []

    def _turned(self) -> None:
        self.turns += 1
        if self.turns > TURNS_MAX and not self.loop.waits_for_io:
            self.turns = 0  # for those who tidy up
            raise Deadlock(f"time stands still: {TURNS_MAX} turns of the loop at one moment")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Virtual time, in seconds since the loop was made."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waits_for_io = False
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)
        # Sums of floats may fall short of a timer by less than any jump can add.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self.now_s


class VirtualClock:
    """A Clock that reads the loop's virtual time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now_ms(self) -> int:
        return START_MS + int(self._loop.now_s * 1000 + 1e-3)


def run(main: Callable[[VirtualClock], Coroutine[Any, Any, None]]) -> None:
    """Run `main(clock)` to its end on a fresh virtual loop."""
    loop = VirtualLoop()
    try:
        loop.run_until_complete(main(VirtualClock(loop)))
    finally:
        while left := asyncio.all_tasks(loop):  # the end of one may begin another
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.wait(left))
        loop.close()

"""Due times: stored timers become FireTimer commands when their time has come.

Only the next timers are held in memory; the rest waits in storage behind the horizon. A timer may
fire late, never early, and firing is repeated after a restart until its command was applied.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from rtour.clock import Clock, wait_ms
from rtour.engine.commands import Command, FireTimer
from rtour.engine.model import Timer

WINDOW = 10_000
LOOK_AGAIN_MS = 10_000  # the wall clock may be set: look at it at least this often


class Timers:
    """Fires stored timers. `load(after, limit)` reads them from storage in order of time."""

    def __init__(
        self,
        load: Callable[[Timer | None, int], list[Timer]],
        propose: Callable[[Command], None],
        clock: Clock,
        window: int = WINDOW,
    ) -> None:
        self._load = load
        self._propose = propose
        self._clock = clock
        self._window = window
        self._heap: list[Timer] = []
        self._known: set[Timer] = set()
        self._horizon: Timer | None = None  # all stored timers up to it were loaded
        self._complete = False  # nothing is stored beyond the horizon
        self._handle: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        self._refill()
        self._arm()

    def stop(self) -> None:
        """Fire nothing more, also of what is still set: the storage may be closed."""
        self._stopped = True
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def set(self, timer: Timer) -> None:
        """A timer was stored. Beyond the horizon it is found again when the window moves."""
        if self._stopped:
            return
        if not self._complete and (self._horizon is None or timer > self._horizon):
            return
        first = self._heap[0] if self._heap else None
        self._push(timer)
        if len(self._heap) > 2 * self._window:
            self._shrink()
        if first is None or timer < first:
            self._arm()

    def _shrink(self) -> None:
        """Keep the next timers in memory and leave the later ones to storage."""
        self._heap = heapq.nsmallest(self._window, self._heap)
        self._known = set(self._heap)
        self._horizon = self._heap[-1]
        self._complete = False

    def _push(self, timer: Timer) -> None:
        if timer not in self._known:
            self._known.add(timer)
            heapq.heappush(self._heap, timer)

    def _refill(self) -> None:
        loaded = self._load(self._horizon, self._window)
        self._complete = len(loaded) < self._window
        if loaded:
            self._horizon = loaded[-1]
        for timer in loaded:
            self._push(timer)

    def clock_changed(self) -> int:
        """Fire what is due by now, and count it; wait anew for the rest."""
        return 0 if self._stopped else self._fire()

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if not self._heap:
            return
        delay_ms = wait_ms(self._clock, self._heap[0].at)
        if delay_ms is not None:
            delay_s = min(delay_ms, LOOK_AGAIN_MS) / 1000
            self._handle = asyncio.get_running_loop().call_later(delay_s, self._fire)

    def _fire(self) -> int:
        """Fire all that is due, moving the window when it runs empty."""
        now = self._clock.now_ms()
        fired = 0
        while True:
            while self._heap and self._heap[0].at <= now:
                timer = heapq.heappop(self._heap)
                self._known.discard(timer)
                self._propose(FireTimer(timer))
                fired += 1
            if self._heap or self._complete:
                break
            self._refill()
        self._arm()
        return fired

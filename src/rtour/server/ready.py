"""Who runs next: slots for attempts, shared between the places that attempts go to.

A place is a deployment. One alone may have as many slots as are configured; a few more are there
that it cannot get, and each further place gets its share of what is left. So an endpoint that
hangs, and fills all slots it can get, costs only itself. Places with waiting invocations take
turns; within a place the first to come is the first to run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from rtour.server.activation import Activation

# A place may have this many times the slots that are free: of 9 eighths, one alone gets 8.
_TIMES_FREE: Final = 8
# Callers are sent away when this many wait for a slot (or as many as there are slots, if those are
# more), and the first for this long. Few slots are a choice, and no reason to refuse callers.
_CROWD: Final = 1000
_LONG_S: Final = 1.0


class _Line:
    """What waits for one place, with the moments since when."""

    __slots__ = ("callers", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[tuple[float, bool, Activation]] = deque()
        self.callers = 0

    def put(self, now: float, activation: Activation) -> None:
        awaited = bool(activation.invocation.sinks)  # now; others may attach while it waits
        self.waiting.append((now, awaited, activation))
        self.callers += awaited

    def pop(self) -> Activation:
        _, awaited, activation = self.waiting.popleft()
        self.callers -= awaited
        return activation

    def skip_dropped(self) -> None:
        """Forget those at the head that were killed, paused or started anew meanwhile."""
        while self.waiting and not self.waiting[0][2].queued:
            self.pop()


class ReadyQueue:
    """`concurrent` slots for one place; `now` is the event loop's time in seconds."""

    def __init__(self, concurrent: int, now: Callable[[], float], crowd: int = _CROWD) -> None:
        self._crowd = max(concurrent, crowd)
        self._free = concurrent + concurrent // _TIMES_FREE
        self._now = now
        self._used: dict[str, int] = {}
        self._lines: dict[str, _Line] = {}  # of places where somebody waits, the next one first

    @property
    def running(self) -> int:
        """How many slots are taken."""
        return sum(self._used.values())

    def __len__(self) -> int:
        return sum(len(line.waiting) for line in self._lines.values())

    def begin(self, place: str) -> bool:
        """Take a slot, if this place may have one and nobody waits for it."""
        if place in self._lines or not self._may_begin(place):
            return False
        self._take_slot(place)
        return True

    def _may_begin(self, place: str) -> bool:
        return self._used.get(place, 0) < self._free * _TIMES_FREE

    def _take_slot(self, place: str) -> None:
        self._free -= 1
        self._used[place] = self._used.get(place, 0) + 1

    def put(self, place: str, activation: Activation) -> None:
        """Wait for a slot. An activation whose `queued` is taken back is passed over."""
        activation.queued = True
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = _Line()
        line.put(self._now(), activation)

    def end(self, place: str) -> None:
        """Give a slot back."""
        self._free += 1
        self._used[place] -= 1
        if not self._used[place]:
            del self._used[place]

    def next(self) -> tuple[Activation, str] | None:
        """Who may run now, with a slot; None if nobody."""
        for place, line in list(self._lines.items()):
            line.skip_dropped()
            if not line.waiting:
                del self._lines[place]
            elif self._may_begin(place):
                del self._lines[place]
                activation = line.pop()
                activation.queued = False
                if line.waiting:
                    self._lines[place] = line  # behind the others
                self._take_slot(place)
                return activation, place
        return None

    def overloaded(self, place: str) -> bool:
        """Whether one more caller would only make all others wait longer."""
        line = self._lines.get(place)
        if line is None or line.callers < self._crowd:
            return False
        line.skip_dropped()
        return bool(line.waiting) and self._now() - line.waiting[0][0] > _LONG_S

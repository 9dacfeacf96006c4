"""Who runs next: slots for attempts, shared between the places that attempts go to.

A place is a deployment. One alone may have as many slots as are configured; a few more are there
that it cannot get, and each further place gets its share of what is left. So an endpoint that
hangs, and fills all slots it can get, costs only itself. Places with waiting invocations take
turns; within a place the first to come is the first to run.

Of each place's line only the beginning is held in memory; the rest is left to storage, and brought
back when the beginning has gone, with what was known of earlier attempts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from rtour.server.activation import Activation
from rtour.server.backlog import Backlog, Left
from rtour.server.invoker_terms import InvokerLimits

# A place may have this many times the slots that are free: of 9 eighths, one alone gets 8.
_TIMES_FREE: Final = 8
# Callers are sent away when this many wait for a slot (or as many as there are slots, if those are
# more), and the first for this long. Few slots are a choice, and no reason to refuse callers.
_CROWD: Final = 1000
_LONG_S: Final = 1.0
_PAGE: Final = 100  # so many are brought back at once, or found to have gone: 2 ms

BringBack = Callable[[Left], Activation | None]


class _Line:
    """What waits for one place, with the moments since when."""

    __slots__ = ("callers", "left", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[tuple[float, bool, Activation]] = deque()
        self.left = Backlog()
        self.callers = 0  # those of whom somebody waits for the end

    def __len__(self) -> int:
        return len(self.waiting) + len(self.left)

    def put(self, now: float, activation: Activation, window: int) -> bool:
        """Whether it stays in memory."""
        awaited = bool(activation.invocation.sinks)  # now; others may attach while it waits
        self.callers += awaited
        stays = not self.left and len(self.waiting) < window
        if stays:
            self.waiting.append((now, awaited, activation))
        else:
            self.left.put(activation, now, awaited=awaited)
        activation.queued = stays
        return stays

    def pop(self) -> Activation:
        _, awaited, activation = self.waiting.popleft()
        self.callers -= awaited
        return activation

    def skip_dropped(self) -> None:
        """Forget those at the head that were killed, paused or started anew meanwhile."""
        while self.waiting and not self.waiting[0][2].queued:
            self.pop()

    def refill(self, bring_back: BringBack) -> None:
        """Read the next page. Some may have been killed or paused meanwhile, even all."""
        for _ in range(min(len(self.left), _PAGE)):
            left = self.left.take()
            activation = bring_back(left)
            if activation is None:
                self.callers -= left.awaited
            else:
                activation.queued = True
                self.waiting.append((left.since, left.awaited, activation))

    def since(self) -> float:
        """Since when the first one waits. There must be one."""
        return self.waiting[0][0] if self.waiting else self.left.first().since


class ReadyQueue:
    """Slots for attempts and lines for them; `now` is the event loop's time in seconds.

    `bring_back` reads what was left to storage, None if it needs no slot any more. `unfinished`
    says that more of that was to be looked through than one turn is for: ask again for the next.
    """

    def __init__(
        self,
        limits: InvokerLimits,
        now: Callable[[], float],
        bring_back: BringBack,
        crowd: int = _CROWD,
    ) -> None:
        self._crowd = max(limits.concurrent, crowd)
        self.window = limits.window
        self._free = limits.concurrent + limits.concurrent // _TIMES_FREE
        self._now = now
        self._bring_back = bring_back
        self._used: dict[str, int] = {}
        self._lines: dict[str, _Line] = {}  # of places where somebody waits, the next one first
        self.unfinished = False

    @property
    def running(self) -> int:
        """How many slots are taken."""
        return sum(self._used.values())

    def __len__(self) -> int:
        """How many wait, with those that were killed while they did and not yet passed over."""
        return sum(len(line) for line in self._lines.values())

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

    def put(self, place: str, activation: Activation) -> bool:
        """Wait for a slot. One whose `queued` is taken back is passed over.

        False if storage has all there is to know of it, and the activation may be forgotten.
        """
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = _Line()
        return line.put(self._now(), activation, self.window)

    def end(self, place: str) -> None:
        """Give a slot back."""
        self._free += 1
        self._used[place] -= 1
        if not self._used[place]:
            del self._used[place]

    def next(self) -> tuple[Activation, str] | None:
        """Who may run now, with a slot; None if nobody."""
        self.unfinished = False
        for place, line in list(self._lines.items()):
            if not self._may_begin(place):
                continue
            line.skip_dropped()
            if not line.waiting and line.left:
                line.refill(self._bring_back)
            if line.waiting:
                return self._first(place, line), place
            if line.left:
                self.unfinished = True
            else:
                del self._lines[place]
        return None

    def _first(self, place: str, line: _Line) -> Activation:
        """Out of the line, into a slot; the place goes behind the others."""
        del self._lines[place]
        activation = line.pop()
        activation.queued = False
        if len(line):
            self._lines[place] = line  # behind the others
        self._take_slot(place)
        return activation

    @property
    def crowded(self) -> bool:
        """Whether anybody waits."""
        return bool(self._lines)

    def overloaded(self, place: str) -> bool:
        """Whether one more caller would only make all others wait longer."""
        line = self._lines.get(place)
        if line is None or line.callers < self._crowd:
            return False
        line.skip_dropped()
        return len(line) > 0 and self._now() - line.since() > _LONG_S

"""Silent attempts: whose timers tell of them, and when those begin.

Each attempt has a limit on its silence, and nearly all end long before. So an attempt gets a timer
of its own only when it has lasted for a while; until then one timer is there for all newcomers.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

NEW_S: Final = 0.5


class Watched(Protocol):
    """An attempt, as its watch sees it."""

    def arm(self) -> None:
        """Begin to look after yourself."""


class Watch:
    """The newcomers of one invoker."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._newcomers: dict[Watched, None] = {}
        self._handle: asyncio.TimerHandle | None = None

    def begin(self, attempt: Watched, limit_s: float) -> None:
        """Look after an attempt that may be silent for `limit_s`."""
        if limit_s <= NEW_S:
            attempt.arm()
            return
        self._newcomers[attempt] = None
        if self._handle is None:
            self._handle = self.loop.call_later(NEW_S, self._arm)

    def end(self, attempt: Watched) -> None:
        """It is over. Idempotent."""
        self._newcomers.pop(attempt, None)

    def _arm(self) -> None:
        self._handle = None
        newcomers, self._newcomers = self._newcomers, {}
        for attempt in newcomers:
            attempt.arm()

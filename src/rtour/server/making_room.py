"""While invocations wait for a slot, attempts that only wait are asked to suspend.

An attempt holds its slot until its handler ends or its inactivity timeout closes its input, which
may be a minute in which it does nothing. Those that have been idle for long enough are asked
sooner, the longest idle first: a handler that waits suspends at once, one that works after all
loses nothing but a replay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from rtour.server.attempt import Attempt


class RoomMaker:
    """Looks each `idle_s` while `wanted` says how many slots are wanted."""

    def __init__(
        self, attempts: Callable[[], Iterable[Attempt]], wanted: Callable[[], int], idle_s: float
    ) -> None:
        self._attempts = attempts
        self._wanted = wanted
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Somebody waits. Idempotent."""
        if self._handle is None:
            self._handle = self._loop.call_later(self._idle_s, self._make_room)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _make_room(self) -> None:
        self._handle = None
        wanted = self._wanted()
        if not wanted:
            return
        latest = self._loop.time() - self._idle_s
        idle = [
            attempt
            for attempt in self._attempts()
            if attempt.input_open and attempt.active_at <= latest and not attempt.waiting
        ]
        for attempt in sorted(idle, key=lambda attempt: attempt.active_at)[:wanted]:
            attempt.close_input()
        self.start()

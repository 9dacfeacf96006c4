"""The server's and the services' wall clock: virtual time that can be set wrong."""

from __future__ import annotations

from tests.virtual_time import VirtualClock

OFF_BY_MAX_MS = 90_000


class WallClock:
    """Virtual time plus an error that `jump` changes; `latest` is the highest it ever showed."""

    def __init__(self, true: VirtualClock) -> None:
        self._true = true
        self._error_ms = 0
        self.latest = 0

    def now_ms(self) -> int:
        now = self._true.now_ms() + self._error_ms
        self.latest = max(self.latest, now)
        return now

    def jump(self, ms: int) -> None:
        """Set the clock forward or back, but never further off than `OFF_BY_MAX_MS`."""
        self._error_ms = max(-OFF_BY_MAX_MS, min(self._error_ms + ms, OFF_BY_MAX_MS))

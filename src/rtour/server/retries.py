"""When a failed attempt is made again, and when no more (server-semantics.md §7)."""

from __future__ import annotations

from random import Random

import msgspec

from rtour.engine.model import LATEST

JITTER = 0.3


class RetryPolicy(msgspec.Struct, frozen=True):
    """Merged from server default, service and handler. `max_attempts` counts the first one."""

    initial_interval_ms: int = 500
    exponentiation_factor: float = 2.0
    max_interval_ms: int | None = 60_000
    max_attempts: int | None = 70
    pause_on_max: bool = True

    def exhausted(self, attempts: int) -> bool:
        """Whether no attempt is left after this many."""
        return self.max_attempts is not None and attempts >= self.max_attempts

    def delay_ms(self, attempts: int, random: Random) -> int:
        """How long to wait after the given number of attempts, with up to 30 % added."""
        limit = LATEST if self.max_interval_ms is None else min(self.max_interval_ms, LATEST)
        try:
            delay = self.initial_interval_ms * self.exponentiation_factor ** (attempts - 1)
        except OverflowError:  # floats end where any interval has long met its limit
            delay = limit if self.initial_interval_ms else 0
        return int(min(max(delay, 0), limit) * (1 + JITTER * random.random()))

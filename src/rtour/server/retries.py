"""When a failed attempt is made again, and when no more (server-semantics.md §7)."""

from __future__ import annotations

from random import Random

import msgspec

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
        limit = float("inf") if self.max_interval_ms is None else self.max_interval_ms
        # The exponent is capped where any interval has long met its limit: floats overflow.
        factor = self.exponentiation_factor ** min(attempts - 1, 500)
        delay = min(self.initial_interval_ms * factor, limit)
        return int(delay * (1 + JITTER * random.random()))

"""When a failed `ctx.run` is tried again, and when its failure becomes final (§5.5)."""

from __future__ import annotations

import msgspec


class RunRetryPolicy(msgspec.Struct, frozen=True):
    """Exponential back-off between attempts of a run, with an optional end."""

    initial_interval_ms: int = 50
    factor: float = 2.0
    max_interval_ms: int | None = 10_000
    max_attempts: int | None = None
    max_duration_ms: int | None = None

    def gives_up(self, attempts: int, elapsed_ms: int) -> bool:
        """After `attempts` failures in `elapsed_ms`, is the last failure the result?"""
        if self.max_attempts is not None and self.max_attempts <= attempts:
            return True
        return self.max_duration_ms is not None and self.max_duration_ms <= elapsed_ms

    def delay_ms(self, attempts: int) -> int:
        """How long to wait after the `attempts`-th failure."""
        cap = self.max_interval_ms
        try:
            delay = int(self.initial_interval_ms * self.factor ** (attempts - 1))
        except OverflowError:  # long past any cap that anyone means
            return self.initial_interval_ms if cap is None else cap
        return delay if cap is None else min(cap, delay)


class RunFailure(msgspec.Struct, frozen=True):
    """What a run raised, as the wire will tell it."""

    message: str
    code: int = 500
    stacktrace: str = ""
    retry_after_ms: int | None = None

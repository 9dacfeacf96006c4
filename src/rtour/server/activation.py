"""What the invoker remembers of an invocation between its attempts."""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from rtour.engine.model import AttemptError, Invocation
from rtour.server.attempt import Attempt


class Tried(NamedTuple):
    """What of an activation no row tells: the fields of the same names, `started_at` 0 for None."""

    attempts: int = 0
    spent: int = 0
    failures: int = 0
    grown_at: int = 0
    started_at: int = 0


UNTRIED = Tried()


class Activation:
    """An invocation that runs, or waits for its next attempt, since it was last started.

    `attempts` counts attempts begun, `spent` those that count against the retry budget. `failed_at`
    is of the event loop's time, the other instants are of the server's clock.
    """

    __slots__ = (
        "attempt",
        "attempts",
        "deployment_id",
        "failed_at",
        "failures",
        "grown_at",
        "handle",
        "invocation",
        "last_error",
        "next_retry_at",
        "queued",
        "sdk",
        "spent",
        "started_at",
    )

    def __init__(self, invocation: Invocation, tried: Tried = UNTRIED) -> None:
        self.invocation = invocation
        self.attempt: Attempt | None = None
        self.attempts = tried.attempts
        self.spent = tried.spent
        self.failed_at = 0.0
        self.failures = tried.failures  # since the last stored command
        self.grown_at = tried.grown_at if tried.attempts else invocation.modified_at
        self.handle: asyncio.TimerHandle | None = None
        self.queued = False
        self.started_at: int | None = tried.started_at or None
        self.next_retry_at: int | None = None
        self.last_error: AttemptError | None = None
        self.deployment_id: str | None = None
        self.sdk: str | None = None

    def tried(self) -> Tried:
        """What is to be kept of it where only that can be kept."""
        return Tried(self.attempts, self.spent, self.failures, self.grown_at, self.started_at or 0)

    def stop_waiting(self) -> None:
        self.cancel_timer()
        self.next_retry_at = None

    def cancel_timer(self) -> None:
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None

    def tell(self, log: logging.Logger, what: str) -> None:
        """Log how an attempt went; after failures that is news to people, too."""
        about = {"invocation": self.invocation}
        if self.last_error is None:
            log.debug(what, extra=about)
        else:
            log.info("%s, in attempt %d", what, self.attempts, extra=about)

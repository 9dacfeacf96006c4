"""What the invoker remembers of an invocation between its attempts."""

from __future__ import annotations

import asyncio
import logging

from rtour.engine.model import AttemptError, Invocation
from rtour.server.attempt import Attempt


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

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation
        self.attempt: Attempt | None = None
        self.attempts = 0
        self.spent = 0
        self.failed_at = 0.0
        self.failures = 0  # since the last stored command
        self.grown_at = invocation.modified_at
        self.handle: asyncio.TimerHandle | None = None
        self.queued = False
        self.started_at: int | None = None
        self.next_retry_at: int | None = None
        self.last_error: AttemptError | None = None
        self.deployment_id: str | None = None
        self.sdk: str | None = None

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

"""What the invoker asks of others, and how much it may have at once."""

from __future__ import annotations

from typing import Protocol

import msgspec

from rtour.engine.model import Invocation
from rtour.server.attempt import Attempt
from rtour.server.attempt_terms import Route
from rtour.server.retries import RetryPolicy


class Routes(Protocol):
    """Finds deployments, and learns from how attempts went."""

    def route(self, invocation: Invocation) -> Route:
        """Where the next attempt goes. Raises AttemptFailure if there is no such place."""
        ...

    def place(self, invocation: Invocation) -> str:
        """With whom it shares slots: the deployment it would go to."""
        ...

    def retry_policy(self, invocation: Invocation) -> RetryPolicy: ...

    def learn(self, invocation: Invocation, attempt: Attempt, *, suspended: bool) -> None:
        """An attempt ended by itself: did it need its input open?"""


class InvokerLimits(msgspec.Struct, frozen=True):
    """`concurrent` attempts per deployment at most; more wait their turn as `ready`.

    While some do, an attempt that was idle for `idle_s` is asked to suspend. Of those that wait,
    `window` for each deployment are held in memory, the later ones are read again from storage. So
    are those that wait for their next try beyond `retries_held`.
    """

    concurrent: int = 1000
    idle_s: float = 1.0
    window: int = 1000
    retries_held: int = 10_000

"""How queries share the machine with invocations: a turn beside them is followed by a rest.

A lower priority does not keep queries from what two cores have: they wake, they touch the caches,
their clients and their answers cost too. So whoever queries in a loop gets a share that is bounded
by time: while invocations are busy, each turn is idle for a multiple of what its statement took. On
a server that has nothing else to do there is no rest, and a single question never waits for one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

# Of each turn's time, a fifth is work: two turns together take less than half a core.
_REST_PER_WORK = 4.0
# More than somebody who tries things out, less than a tenth of what the server can do.
_BUSY_COMMANDS_PER_S = 200.0
_REST_MAX_S = 2.0


class Moment(NamedTuple):
    """When a turn began, and how many commands there had been."""

    at: float
    commands: int


class Pace:
    """Tells how long a turn rests. `commands` counts what the server was asked to decide so far."""

    def __init__(
        self, commands: Callable[[], int], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._commands = commands
        self._monotonic = monotonic

    def now(self) -> Moment:
        """The moment at which a turn begins."""
        return Moment(self._monotonic(), self._commands())

    def rest_s(self, began: Moment) -> float:
        """Seconds for which a turn that began then is not given to another statement."""
        worked = self._monotonic() - began.at
        if self._commands() - began.commands <= worked * _BUSY_COMMANDS_PER_S:
            return 0.0
        return min(worked * _REST_PER_WORK, _REST_MAX_S)

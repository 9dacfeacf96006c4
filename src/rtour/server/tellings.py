"""Results that so many wait for that one commit does not tell them all: each commit tells some.

The next `Tell` is proposed when the last one is durable, and goes through the queue as everything
does: what comes meanwhile waits for some of those who are told, not for all.
"""

from __future__ import annotations

from collections.abc import Callable

from rtour.engine.actions import TellRest
from rtour.engine.commands import Command, Tell


class Tellings:
    """Goes on until all are told, or it is stopped: the next life takes up what is left."""

    def __init__(self, propose: Callable[[Command], None]) -> None:
        self._propose = propose
        self._left: list[Tell] = []
        self._stopped = False

    def load(self, left: list[Tell]) -> None:
        """What the server's last life left."""
        self._left = left

    def start(self) -> None:
        left, self._left = self._left, []
        for each in left:
            self._propose(each)

    def go_on(self, action: TellRest) -> None:
        if not self._stopped:
            self._propose(Tell(action.id, action.number))

    def stop(self) -> None:
        self._stopped = True

"""What has come of the journal's notifications, and which of them the handler has been shown.

They are looked at one by one, in the order of the journal, however many have come: an attempt that
is replayed sees the same one first. A signal that comes again waits until its value is taken.
"""

from __future__ import annotations

from collections import deque
from typing import cast

from rtour.protocol import messages as m
from rtour.sdk.vm.awaiting import Leaf, Outcome, Tree, evaluate


class Arrivals:
    """`ready` holds what was looked at and not taken; `unseen` what nobody has looked at."""

    __slots__ = ("_completions", "_late_signals", "ready", "unseen")

    def __init__(self) -> None:
        self.ready: dict[Leaf, m.Result] = {}
        self.unseen: deque[m.Notification] = deque()
        self._late_signals: dict[Leaf, deque[m.Result]] = {}
        self._completions: set[int] = set()

    def add(self, notification: m.Notification) -> None:
        """One more has come, behind the others."""
        self.unseen.append(notification)
        if notification.type != m.MessageType.SIGNAL:
            self._completions.add(cast("int", notification.id))

    def has_come(self, completion: int) -> bool:
        """Whether this completion is here, looked at or not."""
        return completion in self._completions

    def look(self) -> m.Notification:
        """Look at the next unseen one, which there must be."""
        notification = self.unseen.popleft()
        leaf: Leaf = notification.id
        if notification.type == m.MessageType.SIGNAL:
            if isinstance(leaf, int):
                leaf = -leaf
            if leaf in self.ready:
                self._late_signals.setdefault(leaf, deque()).append(notification.result)
                return notification
        self.ready[leaf] = notification.result
        return notification

    def is_done(self, tree: Tree) -> bool:
        """Whether those looked at so far resolve `tree`."""
        if type(tree) is int:  # nearly always
            return tree in self.ready
        return self.outcome(tree) is not Outcome.PENDING

    def outcome(self, tree: Tree) -> Outcome:
        """What those looked at so far make of `tree`."""
        return evaluate(tree, self.ready)

    def take(self, leaf: Leaf) -> m.Result | None:
        """The result of a leaf, once: a signal's next value comes up after it."""
        result = self.ready.pop(leaf, None)
        late = self._late_signals.get(leaf)
        if result is not None and late:
            self.ready[leaf] = late.popleft()
        return result

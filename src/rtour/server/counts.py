"""What rooms count as they go: plain numbers, read when somebody asks (`metrics`).

An increment is all that anything costs here; nobody is called and nothing is made.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import Final

# Upper ends in seconds: from a local call to a wait of minutes.
BOUNDS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0),
)


class Durations:
    """How many lasted how long; the last bucket is for what is longer than all bounds."""

    __slots__ = ("buckets", "total_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.total_s += seconds


class Spent:
    """How many took how long together."""

    __slots__ = ("count", "total_s")

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total_s += seconds


class IngressCounts:
    """Requests by service, call or send, and what became of them; and how long they took."""

    __slots__ = ("durations", "requests")

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.durations: defaultdict[tuple[str, str], Durations] = defaultdict(Durations)


class AttemptCounts:
    """Attempts, by how they went; answers and bytes of services, by how they are spoken to."""

    __slots__ = (
        "aborted",
        "answers",
        "completed",
        "durations",
        "enqueued",
        "exhausted",
        "failed",
        "received_bytes",
        "sent_bytes",
        "started",
        "suspended",
        "truncated_states",
    )

    def __init__(self) -> None:
        self.enqueued = 0
        self.started = 0
        self.completed = 0
        self.suspended = 0
        self.failed = 0
        self.exhausted = 0  # of the failed ones, those that are not tried again
        self.aborted = 0
        self.answers: defaultdict[tuple[str, int], int] = defaultdict(int)  # by status, too
        self.sent_bytes: defaultdict[str, int] = defaultdict(int)
        self.received_bytes: defaultdict[str, int] = defaultdict(int)
        self.truncated_states = 0
        self.durations = Durations()


class ConnectionCounts:
    """Connections to services that came up, that are gone, and that never came up."""

    __slots__ = ("closed", "failed", "opened")

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.failed = 0


class EngineCounts:
    """Commands with the time it took to decide them, what followed, and how long commits took.

    Actions are counted by type, answers by the type of the answer; entries by their message type.
    """

    __slots__ = ("actions", "commands", "commits", "entries", "messages")

    def __init__(self) -> None:
        self.commands: defaultdict[type, Spent] = defaultdict(Spent)
        self.actions: defaultdict[type, int] = defaultdict(int)
        self.messages = 0  # to other keys
        self.entries: defaultdict[int, int] = defaultdict(int)
        self.commits = Durations()

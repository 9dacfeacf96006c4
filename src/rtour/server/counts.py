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


class IngressCounts:
    """Requests by service, call or send, and what became of them; and how long they took."""

    __slots__ = ("durations", "requests")

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.durations = Durations()


class AttemptCounts:
    """Attempts, by how they went; commands, by type; bytes to and from services."""

    __slots__ = (
        "aborted",
        "commands",
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
        self.sent_bytes = 0
        self.received_bytes = 0
        self.truncated_states = 0
        self.commands: defaultdict[type, int] = defaultdict(int)
        self.durations = Durations()


class CommitCounts:
    """Batches that were made durable, and the time from the order to the answer."""

    __slots__ = ("commits", "durations")

    def __init__(self) -> None:
        self.commits = 0
        self.durations = Durations()

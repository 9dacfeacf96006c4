"""One request of an HTTP/2 connection, as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rtour.server.front.limits import Budget, Share
from rtour.server.web import Headers


class Stream:
    """A request as it arrives, then the task that answers it."""

    __slots__ = ("body", "headers", "last", "method", "refused", "share", "size", "target", "task")

    def __init__(self, now: float, budget: Budget) -> None:
        self.method = ""
        self.target = b""
        self.headers: Headers = []
        self.body: list[bytes] = []
        self.size = 0
        self.share = Share(budget)
        self.last = now
        self.refused = False
        self.task: asyncio.Task[None] | None = None

    def read_head(self, fields: Iterable[tuple[bytes, bytes]]) -> int:
        """Take a head apart; returns its size."""
        authority = None
        size = 0
        for name, value in fields:
            size += len(name) + len(value)
            if name[:1] != b":":
                self.headers.append((name, value))
            elif name == b":method":
                self.method = value.decode("ascii", "replace")
            elif name == b":path":
                self.target = value
            elif name == b":authority":
                authority = value
        if authority is not None:
            # It is what the client asked for, whatever a `host` beside it says (RFC 9113 §8.3.1).
            self.headers = [field for field in self.headers if field[0] != b"host"]
            self.headers.append((b"host", authority))
        return size

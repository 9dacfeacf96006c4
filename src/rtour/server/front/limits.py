"""The limits of a front, and what watches them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec


class FrontLimits(msgspec.Struct, frozen=True):
    """Every size, count and wait of a front."""

    body_bytes_max: int = 32 << 20
    # All requests in memory at one time; a client that would exceed it is told to come back. The
    # last of it is for small ones: whoever sends much, and slowly, does not keep them out.
    requests_bytes_max: int = 512 << 20
    kept_for_small_bytes: int = 64 << 20
    small_bytes_max: int = 64 << 10
    head_bytes_max: int = 64 << 10
    connections_max: int = 10_000
    pipelined_max: int = 16
    h2_streams_max: int = 200
    h2_window_bytes: int = 1 << 20
    h2_connection_window_bytes: int = 8 << 20
    # Of replies that a connection has not read: with more than this its next requests wait, and
    # those under way hear, instead of a large reply, that there is no room for it.
    h2_unread_bytes: int = 64 << 20
    h2_unread_bytes_max: int = 256 << 20
    # And of all connections together.
    unread_bytes_max: int = 512 << 20
    send_buffer_bytes: int = 256 << 10
    head_timeout_s: float = 10.0
    body_idle_timeout_s: float = 60.0
    idle_timeout_s: float = 120.0
    write_timeout_s: float = 60.0
    # A refused client may still be sending: it reads our answer only if we let it finish.
    linger_timeout_s: float = 2.0
    linger_bytes_max: int = 64 << 20


class Deadline:
    """One timer that is moved often and fires rarely."""

    def __init__(self, loop: asyncio.AbstractEventLoop, expire: Callable[[], None]) -> None:
        self._loop = loop
        self._expire = expire
        self._due: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def set(self, delay_s: float | None) -> None:
        """Fire after `delay_s`, or not at all; replaces what was set before."""
        if delay_s is None:
            self._due = None
            return
        self._due = self._loop.time() + delay_s
        if self._handle is not None:
            if self._handle.when() <= self._due:
                return
            self._handle.cancel()
        self._handle = self._loop.call_at(self._due, self._fire)

    def close(self) -> None:
        self._due = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._handle = self._loop.call_at(self._due, self._fire)
            return
        self._due = None
        self._expire()


class Budget:
    """How many bytes the requests of all connections of a front may hold together."""

    def __init__(self, limits: FrontLimits) -> None:
        self.left = limits.requests_bytes_max
        self.small_bytes_max = limits.small_bytes_max
        self.kept_for_small_bytes = min(limits.kept_for_small_bytes, limits.requests_bytes_max // 2)


class Unread:
    """Bytes of replies that the clients of a front have not taken, all connections together."""

    def __init__(self, limits: FrontLimits) -> None:
        self.bytes = 0
        self._bytes_max = limits.unread_bytes_max

    def has_room(self, amount: int) -> bool:
        return self.bytes + amount <= self._bytes_max


class UnreadShare:
    """What one connection has of it."""

    __slots__ = ("_all", "bytes")

    def __init__(self, everybodys: Unread) -> None:
        self._all = everybodys
        self.bytes = 0

    def set(self, amount: int) -> None:
        self._all.bytes += amount - self.bytes
        self.bytes = amount


class Share:
    """What one request holds of the budget."""

    __slots__ = ("_budget", "_taken")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._taken = 0

    def take(self, amount: int) -> bool:
        """Whether there was enough left."""
        budget, taken = self._budget, self._taken + amount
        kept = budget.kept_for_small_bytes if taken > budget.small_bytes_max else 0
        if amount > budget.left - kept:
            return False
        budget.left -= amount
        self._taken = taken
        return True

    def give_back(self) -> None:
        self._budget.left += self._taken
        self._taken = 0

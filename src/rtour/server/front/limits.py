"""The limits of a front, and what watches them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec


class FrontLimits(msgspec.Struct, frozen=True):
    """Every size, count and wait of a front."""

    body_bytes_max: int = 32 << 20
    # All request bodies in memory at one time; a client that would exceed it is told to come back.
    bodies_bytes_max: int = 512 << 20
    head_bytes_max: int = 64 << 10
    connections_max: int = 10_000
    pipelined_max: int = 16
    h2_streams_max: int = 200
    h2_window_bytes: int = 1 << 20
    h2_connection_window_bytes: int = 8 << 20
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
    """How many bytes all connections of a front may hold together."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, amount: int) -> bool:
        """Whether there was enough left."""
        if amount > self._left:
            return False
        self._left -= amount
        return True

    def give_back(self, amount: int) -> None:
        self._left += amount

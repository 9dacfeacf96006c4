"""Invocations that wait for a slot outside of memory: where to find each again, and little more.

Nearly all that the invoker knows of an invocation is in storage. So of those that wait behind the
first, only what leads back to them is held, and what is known of their attempts: 49 bytes.
"""

from __future__ import annotations

import logging
from struct import Struct
from typing import Final, NamedTuple

from rtour.engine.model import Invocation, Status
from rtour.server.activation import UNTRIED, Activation, Tried
from rtour.storage import Storage
from rtour.storage.failures import StorageError

log = logging.getLogger("rtour.invoker")

_PACKED: Final = Struct("=QI?dIIIQQ")
_PAGE: Final = 1024 * _PACKED.size  # so much that was taken is cut off at once


class Left(NamedTuple):
    """An invocation that was left to storage, `since` when by the event loop's time.

    It is worth running only as the attempt that it was to be: if it has another one now, then
    somebody else was told of that.
    """

    number: int
    attempt: int
    awaited: bool
    since: float
    tried: Tried = UNTRIED


class Backlog:
    """First in, first out."""

    __slots__ = ("_packed", "_taken")

    def __init__(self) -> None:
        self._packed = bytearray()
        self._taken = 0

    def __len__(self) -> int:
        return (len(self._packed) - self._taken) // _PACKED.size

    def put(self, activation: Activation, since: float, *, awaited: bool) -> None:
        invocation = activation.invocation
        self._packed += _PACKED.pack(
            invocation.number, invocation.attempt, awaited, since, *activation.tried()
        )

    def first(self) -> Left:
        """The one that came first. There must be one."""
        number, attempt, awaited, since, *tried = _PACKED.unpack_from(self._packed, self._taken)
        return Left(number, attempt, awaited, since, Tried(*tried))

    def take(self) -> Left:
        """The one that came first, which is then no longer here."""
        left = self.first()
        self._taken += _PACKED.size
        if self._taken >= _PAGE:
            del self._packed[: self._taken]
            self._taken = 0
        return left


def still_waiting(storage: Storage, left: Left) -> Invocation | None:
    """The invocation as it is durable; None if it ended, was paused, or was begun by others."""
    try:
        invocation = storage.stored(left.number)
    except StorageError:
        log.exception("An invocation that waits cannot be read; it is tried after a restart")
        return None
    if invocation is None or invocation.status is not Status.INVOKED:
        return None
    return invocation if invocation.attempt == left.attempt else None

"""Invocations that wait for a slot outside of memory: where to find each again, and no more.

All that the invoker knows of an invocation before its first attempt is in storage. So of those
that wait behind the first, only what leads back to them is held: four numbers, 32 bytes.
"""

from __future__ import annotations

import logging
from array import array
from typing import Final, NamedTuple

from rtour.engine.model import Invocation, Status
from rtour.storage import Storage
from rtour.storage.failures import StorageError

log = logging.getLogger("rtour.invoker")

_FIELDS: Final = 4
_PAGE: Final = 1024 * _FIELDS  # so much that was taken is cut off at once


class Left(NamedTuple):
    """An invocation that was left to storage, `since` when by the event loop's time.

    It is worth running only as the attempt that it was to be: if it has another one now, then
    somebody else was told of that.
    """

    number: int
    attempt: int
    awaited: bool
    since: float


class Backlog:
    """First in, first out."""

    __slots__ = ("_numbers", "_taken")

    def __init__(self) -> None:
        self._numbers = array("d")  # exact for integers up to 2 ** 53
        self._taken = 0

    def __len__(self) -> int:
        return (len(self._numbers) - self._taken) // _FIELDS

    def put(self, invocation: Invocation, since: float, *, awaited: bool) -> None:
        self._numbers.extend((invocation.number, invocation.attempt, awaited, since))

    def first(self) -> Left:
        """The one that came first. There must be one."""
        number, attempt, awaited, since = self._numbers[self._taken : self._taken + _FIELDS]
        return Left(int(number), int(attempt), bool(awaited), since)

    def take(self) -> Left:
        """The one that came first, which is then no longer here."""
        left = self.first()
        self._taken += _FIELDS
        if self._taken >= _PAGE:
            del self._numbers[: self._taken]
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

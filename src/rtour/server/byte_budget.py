"""Bytes that all attempts together may hold at one time, and who waits until there is room.

Large things alone are counted: what is `small` goes past the budget, and costs nothing. A
deployment holds half of it at most, so that one whose services stall keeps room from itself only;
whoever wants more than that is counted as half, and gets through when nothing else of its
deployment does. Those who wait go in their order; only who waits for its own deployment is passed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

SMALL_BYTES_MAX: Final = 64 << 10


class ByteBudget:
    """`bytes_max` for all deployments together; lives on one event loop."""

    def __init__(self, bytes_max: int) -> None:
        self.small = min(SMALL_BYTES_MAX, bytes_max // 16)
        self._half = max(bytes_max // 2, 1)
        self.left = max(bytes_max, 2)
        self._held: defaultdict[str, int] = defaultdict(int)  # by deployment
        self._waiting: dict[Claim, asyncio.Future[None]] = {}

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._waiting)

    def claim(self, deployment_id: str, amount: int) -> Claim:
        """What is wanted, which is not taken yet."""
        return Claim(self, deployment_id, min(amount, self._half))

    # --- for claims ------------------------------------------------------------------------------

    def line_up(self, claim: Claim) -> asyncio.Future[None]:
        """Take it now, or when there is room and those who came before have theirs."""
        room = self._waiting[claim] = asyncio.get_running_loop().create_future()
        self._serve()
        return room

    def leave(self, claim: Claim) -> None:
        """Wait no longer. Idempotent."""
        room = self._waiting.pop(claim, None)
        if room is not None:
            _wake(room)
            self._serve()  # others may have waited behind it

    def give_back(self, claim: Claim) -> None:
        claim.held = False
        self.left += claim.amount
        self._held[claim.deployment_id] -= claim.amount
        if not self._held[claim.deployment_id]:
            del self._held[claim.deployment_id]
        self._serve()

    def _serve(self) -> None:
        """Let in who fits, in their order."""
        full: set[str] = set()
        for claim, room in list(self._waiting.items()):
            if claim.deployment_id in full:
                continue
            if claim.amount > self._share_left(claim):
                full.add(claim.deployment_id)
            elif claim.amount > self.left:
                break
            else:
                del self._waiting[claim]
                self._take(claim)
                _wake(room)

    def _take(self, claim: Claim) -> None:
        claim.held = True
        self.left -= claim.amount
        self._held[claim.deployment_id] += claim.amount

    def _share_left(self, claim: Claim) -> int:
        return self._half - self._held.get(claim.deployment_id, 0)


class Claim:
    """What one attempt holds of a budget, or waits for."""

    __slots__ = ("_budget", "amount", "deployment_id", "held")

    def __init__(self, budget: ByteBudget, deployment_id: str, amount: int) -> None:
        self._budget = budget
        self.deployment_id = deployment_id
        self.amount = amount
        self.held = False

    def take_now(self) -> bool:
        """Whether there was room, and nobody before it."""
        self._budget.line_up(self)
        if not self.held:
            self._budget.leave(self)
        return self.held

    async def take(self) -> bool:
        """Wait for room; False if it was given up meanwhile."""
        room = self._budget.line_up(self)
        try:
            await room
        finally:
            self._budget.leave(self)  # if this task is cancelled
        return self.held

    def give_up(self) -> None:
        """Give back what is held, or wait no longer. Idempotent."""
        if self.held:
            self._budget.give_back(self)
        else:
            self._budget.leave(self)


def _wake(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)

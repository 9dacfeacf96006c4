"""What one attempt takes of the memory that all share: for its first bytes, and large messages.

Room for first bytes is taken before anything else, and never by who has room for a message: nobody
waits in a circle.
"""

from __future__ import annotations

import asyncio

from rtour.server.byte_budget import ByteBudget, Claim
from rtour.server.transport import Exchange, StreamLost, TransportError


class AttemptRoom:
    """`message` is the room that a message of the service has, from its announcement on."""

    __slots__ = ("_deployment_id", "_first", "_wanted", "_writing", "message")

    def __init__(self, deployment_id: str) -> None:
        self._deployment_id = deployment_id
        self._first: Claim | None = None
        self.message: Claim | None = None
        self._wanted: Claim | None = None  # the one of them that is waited for
        self._writing: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether the attempt waits for room, rather than for the service."""
        return self._wanted is not None

    def has_for_first(self, size: int, budget: ByteBudget) -> bool:
        """Whether first bytes of this size may go out at once; if not, wait for them."""
        self._first = budget.claim(self._deployment_id, size)
        return self._first.take_now()

    async def wait_for_first(self) -> None:
        """Raises StreamLost if the attempt is cancelled meanwhile."""
        assert self._first is not None, "ask has_for_first"
        await self._wait(self._first)

    def write(self, exchange: Exchange, loop: asyncio.AbstractEventLoop) -> None:
        """The first bytes are on their way: their room is free when the service has them."""
        if self._first is not None:
            claim, self._first = self._first, None
            self._writing = loop.create_task(_until_written(exchange, claim))

    async def take_for_message(self, size: int, budget: ByteBudget) -> None:
        """Raises StreamLost if the attempt is cancelled meanwhile."""
        self.message = budget.claim(self._deployment_id, size)
        await self._wait(self.message)

    def hand_on(self) -> None:
        """The message is somebody else's now."""
        assert self.message is not None, "there was one"
        self.message.give_up()
        self.message = None

    async def _wait(self, claim: Claim) -> None:
        self._wanted = claim
        try:
            held = await claim.take()
        finally:
            self._wanted = None
        if not held:
            raise StreamLost("aborted by us", before_response=claim is self._first)

    def cancel(self) -> None:
        """Wait no longer."""
        if self._wanted is not None:
            self._wanted.give_up()

    def end(self) -> None:
        """Give back all but what is still being written."""
        for claim in (self._first, self.message):
            if claim is not None:
                claim.give_up()


async def _until_written(exchange: Exchange, claim: Claim) -> None:
    """Give the room back when the service has taken what it was for, or never will."""
    try:
        await exchange.drain_send()
    except TransportError:
        pass  # who reads the exchange hears of it, too
    finally:
        claim.give_up()

"""Who waits for which answer of the engine.

A request proposes a command that carries its number, and waits for the `Respond` action with the
same number. Nothing of this is durable: a client that loses its server asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from rtour.engine.actions import Respond, Response
from rtour.engine.commands import Attach, Command, Detach, Invoke
from rtour.engine.model import RequestSink
from rtour.errors import RtourError


class Proposer(Protocol):
    """The processor, as the front rooms see it."""

    def propose(self, command: Command) -> None:
        """Queue a command; whatever follows comes as actions."""


class Overloaded(RtourError):  # noqa: N818 - reads as the fact it reports
    """Too many requests wait already."""

    def __init__(self) -> None:
        super().__init__("too many requests, the ingress is overloaded. Retry later.")


class Unavailable(RtourError):  # noqa: N818
    """No answer will come: the server cannot go on."""


class Requests:
    """Numbers and waiters of the requests under way.

    `first_id` must be above every number of the server's earlier lives, whose sinks may still be
    stored and answered. At most `pending_max` wait for the end of an invocation, and as many for
    the next commit, so that callers without number do not keep an operator out. `room` waits while
    too much is not yet durable.
    """

    def __init__(
        self,
        propose: Callable[[Command], None],
        first_id: int,
        *,
        pending_max: int = 10_000,
        room: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._propose = propose
        self._next = first_id
        self._pending_max = pending_max
        self._room = room
        self._waiting: dict[int, asyncio.Future[Response]] = {}
        self._callers = 0  # of those, who wait for the end of an invocation
        self._failure: str | None = None

    @property
    def pending(self) -> int:
        return len(self._waiting)

    async def ask(self, make: Callable[[int], Command]) -> Response:
        """Propose `make(number)` and wait.

        A cancelled waiter is forgotten, the command is not; if it left a waiter in the engine, that
        one is taken back.
        """
        if self._room is not None:
            await self._room()
        if self._failure is not None:
            raise Unavailable(self._failure)
        number = self._next
        self._next += 1
        command = make(number)
        id_ = None
        if isinstance(command, Invoke | Attach) and command.sink == RequestSink(number):
            id_ = command.id
        lasting = id_ is not None
        alike = self._callers if lasting else len(self._waiting) - self._callers
        if alike >= self._pending_max:
            raise Overloaded
        self._callers += lasting
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._propose(command)
            del make, command  # nobody keeps a body while it waits for the answer
            return await answer
        except BaseException:
            if id_ is not None:
                self._propose(Detach(id_, number))
            raise
        finally:
            del self._waiting[number]
            self._callers -= lasting

    def resolve(self, respond: Respond) -> None:
        """Give an answer to whoever waits for it, if they still do."""
        answer = self._waiting.get(respond.request_id)
        if answer is not None and not answer.done():
            answer.set_result(respond.response)

    def refuse(self, number: int, error: Exception) -> None:
        """Let one waiter fail: its command could not be carried out."""
        answer = self._waiting.get(number)
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def fail(self, error: Exception) -> None:
        """Let every waiter fail, now and later: no answer will come. The first reason stays."""
        self._failure = self._failure or str(error)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Unavailable(self._failure))

"""Who waits for which answer of the engine.

A request proposes a command that carries its number, and waits for the `Respond` action with the
same number. Nothing of this is durable: a client that loses its server asks again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from rtour.engine.actions import Respond, Response
from rtour.engine.commands import Attach, Command, Detach, Invoke
from rtour.engine.model import RequestSink
from rtour.errors import RtourError

_LASTING: Final = (Invoke, Attach)  # with a sink they wait for the end of an invocation


class Overloaded(RtourError):  # noqa: N818 - reads as the fact it reports
    """Too many requests wait already."""

    def __init__(self) -> None:
        super().__init__("too many requests, the ingress is overloaded. Retry later.")


class Unavailable(RtourError):  # noqa: N818
    """No answer will come: the server cannot go on."""


class Stopping(RtourError):  # noqa: N818
    """What clients are told whose invocation goes on in the server's next life."""

    def __init__(self) -> None:
        super().__init__("the server is stopping, the invocation goes on when it is back")


class StorageFailed(RtourError):  # noqa: N818
    """A commit failed or the data is damaged: the server stops, nothing more can be promised."""


def waiting_for(command: Command) -> Iterator[int]:
    """The numbers of the requests that wait for an answer to it."""
    sink = getattr(command, "sink", None)
    numbers = (
        getattr(command, "request_id", 0),
        getattr(command, "accept_request_id", 0),
        sink.request_id if isinstance(sink, RequestSink) else 0,
    )
    return filter(None, numbers)


class _Party:
    """Callers that wait for the end of one invocation, with one number in the engine.

    To the engine's answers it is what a single caller's future is.
    """

    def __init__(self, number: int, *, invokes: bool) -> None:
        self.number = number
        self.invokes = invokes  # whether it sees to it that there is such an invocation
        self.answers: set[asyncio.Future[Response]] = set()
        self._done = False

    def done(self) -> bool:
        return self._done

    def set_result(self, response: Response) -> None:
        self._done = True
        for answer in self.answers:
            if not answer.done():
                answer.set_result(response)

    def set_exception(self, error: Exception) -> None:
        self._done = True
        for answer in self.answers:
            if not answer.done():
                answer.set_exception(error)


class Requests:
    """Numbers and waiters of the requests under way.

    `first_id` must be above every number of the server's earlier lives, whose sinks may still be
    stored and answered. At most `pending_max` wait for the end of an invocation, and as many for
    the next commit, so that callers without number do not keep an operator out. `room` waits while
    too much is not yet durable.

    Those who wait for the end of the same invocation wait together, as one for the engine: it
    stores who waits, and each of them would cost a commit.
    """

    def __init__(
        self,
        propose: Callable[[Command], None],
        first_id: int,
        *,
        pending_max: int = 10_000,
        room: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._propose = propose
        self._next = first_id
        self._pending_max = pending_max
        self._room = room
        self._waiting: dict[int, asyncio.Future[Response] | _Party] = {}
        self._parties: dict[str, _Party] = {}  # by invocation, those that may be joined
        self._callers = 0  # who wait for the end of an invocation
        self._others = 0  # who wait for the next commit
        self._failure: str | None = None
        self.answered: Counter[str] = Counter()  # callers, by how their question was answered

    @property
    def pending(self) -> int:
        return self._callers + self._others

    async def ask(self, make: Callable[[int], Command]) -> Response:
        """Propose `make(number)` and wait.

        A cancelled waiter is forgotten, the command is not; if it left a waiter in the engine, that
        one is taken back.
        """
        if self._room is not None:
            await self._room()
        if self._failure is not None:
            self.answered["unavailable_error"] += 1
            raise Unavailable(self._failure)
        number = self._next
        self._next += 1
        command = make(number)
        id_ = None
        if isinstance(command, _LASTING) and command.sink is not None:
            id_ = command.id
            if self._callers < self._pending_max and _is_shared(command):
                together = self._ask_together(command, number)
                del make, command
                return await together
        lasting = id_ is not None
        if (self._callers if lasting else self._others) >= self._pending_max:
            self.answered["overloaded_error"] += 1
            raise Overloaded
        self._callers += lasting
        self._others += not lasting
        answer: asyncio.Future[Response] = self._loop.create_future()
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
            self._others -= not lasting

    async def _ask_together(self, command: Invoke | Attach, number: int) -> Response:
        """Join those who wait for the same invocation, or be the first of them."""
        id_, invokes = command.id, isinstance(command, Invoke)
        party = self._parties.get(id_)
        if party is None or party.done() or (invokes and not party.invokes):
            party = self._parties[id_] = self._waiting[number] = _Party(number, invokes=invokes)
            self._propose(command)
        del command
        self._callers += 1
        answer: asyncio.Future[Response] = self._loop.create_future()
        party.answers.add(answer)
        try:
            return await answer
        finally:
            self._callers -= 1
            party.answers.discard(answer)
            if not party.answers:
                self._break_up(id_, party)

    def _break_up(self, id_: str, party: _Party) -> None:
        """Nobody is left: the engine may forget them, if it has not answered them."""
        if self._parties.get(id_) is party:
            del self._parties[id_]
        del self._waiting[party.number]
        if not party.done():
            self._propose(Detach(id_, party.number))

    def resolve(self, respond: Respond) -> None:
        """Give an answer to whoever waits for it, if they still do."""
        answer = self._waiting.get(respond.request_id)
        if answer is not None and not answer.done():
            self._answered(answer, "completed")
            answer.set_result(respond.response)

    def refuse(self, number: int, error: Exception) -> None:
        """Let one waiter fail: its command could not be carried out."""
        answer = self._waiting.get(number)
        if answer is not None and not answer.done():
            self._answered(answer, "internal_error")
            answer.set_exception(error)

    def fail(self, error: Exception) -> None:
        """Let every waiter fail, now and later: no answer will come. The first reason stays."""
        self._failure = self._failure or str(error)
        for answer in self._waiting.values():
            if not answer.done():
                self._answered(answer, "unavailable_error")
                answer.set_exception(Unavailable(self._failure))

    def _answered(self, answer: asyncio.Future[Response] | _Party, status: str) -> None:
        """Count whoever is told this, in the official server's words."""
        self.answered[status] += len(answer.answers) if isinstance(answer, _Party) else 1


def _is_shared(command: Invoke | Attach) -> bool:
    """Whether others may ask for the same. Who comes second to a workflow's run is refused."""
    return isinstance(command, Attach) or not (command.fresh or command.target.is_workflow_run)

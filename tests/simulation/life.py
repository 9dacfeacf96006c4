"""One life of the real server: the composition root itself, without ports, and how it dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

import msgspec

from rtour.clock import ClockState
from rtour.engine import actions as a
from rtour.engine.commands import Command, FireTimer, ProposeRun, StoreDocuments
from rtour.engine.model import DocumentKind
from rtour.server.access import Access
from rtour.server.main import Server
from rtour.server.registration import NewDeployment
from rtour.server.settings import Limits, Settings
from rtour.server.timers import Timers
from rtour.server.transport import Transport
from rtour.server.web import Reply, Request
from rtour.storage import Storage
from rtour.storage.memory import Tables
from tests.simulation.clock import PlainClock, ServerClock, Shown, WallClock
from tests.simulation.faults import Faults
from tests.simulation.topics import WorldTopic

RETENTION_MS = 1_200_000
CLEANUP_MS = 120_000
FEW_SLOTS = 10
TIMER_WINDOW = 2  # small, so that timers leave memory and come back
READY_WINDOW = 2  # and those that wait for a slot, too
RETRIES_HELD = 2  # and those that wait for their next try
LITTLE_ROOM = 800  # bytes: an attempt or two begin, a message or two arrive, and the rest waits


class Host(Protocol):
    """What a life knows of the world."""

    @property
    def faults(self) -> Faults: ...

    @property
    def clock(self) -> WallClock: ...

    @property
    def shown(self) -> Shown: ...

    @property
    def topic(self) -> WorldTopic: ...

    def chance(self, probability: float) -> bool: ...

    def note(self, event: str) -> None: ...

    def fail(self, what: str) -> None: ...

    def crash(self, how: str) -> None: ...


class Mortal(Storage, Protocol):
    """A storage that can be told that its process is gone."""

    durable: Tables
    working: Tables

    def die(self) -> None: ...


class Dead(Exception):  # noqa: N818 - what a client sees
    """The server went away before it answered."""


def settings(random: Random) -> Settings:
    """Short times, and the modes of operation that seeds differ in."""
    return Settings(
        ephemeral=True,
        retry_initial_interval_ms=50,
        retry_max_interval_ms=2_000,
        retry_max_attempts=None,
        inactivity_timeout_ms=random.choice((0, 100, 3_000)),
        abort_timeout_ms=4_000,
        idempotency_retention_ms=RETENTION_MS,
        workflow_completion_retention_ms=RETENTION_MS,
        journal_retention_ms=random.choice((0, 300_000, RETENTION_MS)),
        cleanup_interval_ms=CLEANUP_MS,
        disable_eager_state=random.random() < 0.2,
        protocol_v7=random.random() < 0.3,
        dev_clock=random.random() < 0.6,
        limits=Limits(
            concurrent_attempts=random.choice((1000, 1000, 5)),
            pending_requests=random.choice((1000, 1000, 4)),
            eager_state_bytes_max=random.choice((1 << 20, 1 << 20, 60)),
            outgoing_bytes_max=random.choice((1 << 20, 1 << 20, LITTLE_ROOM)),
            incoming_bytes_max=random.choice((1 << 20, 1 << 20, LITTLE_ROOM)),
        ),
    )


class Life(Server):
    """A server from its start to its death. After death nothing that it does has any effect."""

    def __init__(
        self, host: Host, storage: Mortal, transport: Transport, settings: Settings, random: Random
    ) -> None:
        super().__init__(settings, clock=host.clock, random=random, transport=transport)
        self.dead = False
        clock = ServerClock if settings.dev_clock else PlainClock
        self._clock = clock(host.clock, host.shown, lambda: self.dead)
        if isinstance(self._clock, ServerClock):
            self._clock.on_leap = self._leaps
        self._host = host
        self._mortal = storage
        self.storage = storage  # type: ignore[assignment]
        self._callers: dict[asyncio.Task[Reply], None] = {}
        # In some lives the disk sets the pace of everything.
        self._unstored_bytes_max = random.choice((64 << 20, 64 << 20, 500))

    def begin(self) -> None:
        """Start as `Server` does, but for the ports."""
        self._access = Access.of(self.settings)
        self._build()
        propose = self.processor.propose
        self._world.propose = self._doubling(propose)  # type: ignore[assignment]
        self.requests._propose = self._doubling(propose)
        if self.settings.limits.concurrent_attempts < FEW_SLOTS:
            self.invoker.ready._crowd = 2  # callers are sent away
        self.processor.unstored_bytes_max = self._unstored_bytes_max
        self.subscriptions._open_client = lambda *_: self._host.topic.open(lambda: self.dead)
        self.timers = Timers(self.storage.timers_after, propose, self._clock, TIMER_WINDOW)
        self.invoker.ready.window = READY_WINDOW
        self.invoker.back_off.held_max = RETRIES_HELD
        self._recover()
        self._go_on()

    def waiting_until(self, at: int) -> set[object]:
        """Timers and retries that are due by then."""
        held = ((each.invocation.id, each.next_retry_at) for each in self.invoker.activations())
        left = ((each.id, each.at) for each in self.invoker.back_off.left())
        retries = {(id_, due) for id_, due in (*held, *left) if due is not None and due <= at}
        return retries | {timer for timer in self._mortal.working.timers if timer.at <= at}

    def _leaps(self, state: ClockState) -> None:
        """The clock is about to show a later time: that must be durable by now."""
        if self.time is None or self.dead or self._host.clock.jumps:
            return
        stored = self._mortal.durable.documents.get((DocumentKind.CLOCK, "clock"), b"{}")
        if stored != msgspec.json.encode(state):
            self._host.fail(f"a leap of the clock is stored first: {state} is not, but {stored!r}")

    # --- from outside ----------------------------------------------------------------------------

    async def register(self, uri: str) -> None:
        await self._registration.register(NewDeployment(uri=uri))

    async def read(self, source: str, sink: str) -> None:
        """Subscribe to a topic."""
        await self.subscriptions.add_cluster("main", {"bootstrap.servers": "nowhere"})
        await self.subscriptions.subscribe(source, sink, {})

    async def request(self, request: Request) -> Reply:
        """A client's request, straight to the ingress behind the port. Raises Dead."""
        if self.dead:
            raise Dead
        task = asyncio.get_running_loop().create_task(self._answer(request))
        self._callers[task] = None
        try:
            return await task
        except asyncio.CancelledError:
            client = asyncio.current_task()
            assert client is not None
            if client.cancelling():  # the client itself goes away
                raise
            raise Dead from None
        finally:
            self._callers.pop(task, None)

    async def _answer(self, request: Request) -> Reply:
        return await self.ingress.shared.app(request)

    # --- faults ----------------------------------------------------------------------------------

    def _doubling(self, propose: Callable[[Command], None]) -> Callable[[Command], None]:
        """Commands may come twice, the second time later (law 4: commands are repeatable)."""

        def twice(command: Command) -> None:
            if self.dead:
                return
            propose(command)
            fresh = getattr(command, "fresh", False)  # says of itself that it comes once
            if not fresh and self._host.chance(self._host.faults.doubled_command):
                delay_s = self._random.choice((0.0, 0.001, 0.5, 5.0))
                # Documents are stored whole: an old one that came late would undo a newer one.
                delay_s = 0.0 if isinstance(command, StoreDocuments) else delay_s
                asyncio.get_running_loop().call_later(delay_s, again, command)

        def again(command: Command) -> None:
            # Within an attempt, `Attempt` itself lets each run's result through once.
            stored = None if self.dead else self.storage.view.invocation(getattr(command, "id", ""))
            current = stored is not None and getattr(command, "attempt", 0) == stored.attempt
            assert not isinstance(command, FireTimer)
            if not self.dead and not (current and isinstance(command, ProposeRun)):
                propose(command)

        return twice

    def _dispatch(self, action: a.Action) -> None:
        if self.dead:
            return
        if self._host.chance(self._host.faults.crash_between_actions):
            self._host.crash(f"before {type(action).__name__}")
            return
        subject = getattr(action, "invocation", action)
        self._host.note(f"{type(action).__name__} {getattr(subject, 'id', '')}")
        try:
            super()._dispatch(action)
        except Exception as error:
            self._host.fail(f"the server could not act on {action!r}: {error!r}")
            raise

    def _on_defect(self, command: Command, error: Exception) -> None:
        self._host.fail(f"the engine could not decide {command!r}: {error!r}")
        super()._on_defect(command, error)

    def _on_fatal(self, error: BaseException) -> None:
        """The real server ends itself when a commit failed, and somebody starts it again."""
        super()._on_fatal(error)
        self._host.crash(f"because a commit failed: {error}")

    def die(self) -> None:
        """As SIGKILL: nothing more is stored, told or begun. Callers hear of it."""
        self.dead = True
        self._mortal.die()
        self.timers.stop()
        for caller in list(self._callers):
            caller.cancel()
        asyncio.get_running_loop().create_task(self._bury())

    async def _bury(self) -> None:
        """Stop what still turns in this process's memory."""
        await self._tasks.cancel_all()
        if self.time is not None:
            await self.time._tasks.cancel_all()
        await self.subscriptions.stop()
        await self.invoker.stop()
        self._mortal.close()


def is_refusal(reply: Reply) -> bool:
    """Whether the server says that it could not do it, rather than what came of it."""
    return (b"x-restate-error-source", b"ingress") in reply.headers


def header(reply: Reply, name: bytes) -> str | None:
    return next((value.decode() for key, value in reply.headers if key == name), None)


def body(reply: Reply) -> Any:
    import json

    assert isinstance(reply.body, bytes)
    return json.loads(reply.body) if reply.body else None

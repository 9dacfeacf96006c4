"""Processor, invoker, timers and attempts, wired as in the server, on virtual time and memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from msgspec.structs import replace

from rtour.clock import Clock
from rtour.engine import actions as a
from rtour.engine.commands import Callee, Command, Invoke
from rtour.engine.model import (
    FromIngress,
    HandlerType,
    Invocation,
    RequestSink,
    ServiceType,
    Status,
    Target,
    Trace,
)
from rtour.protocol.messages import Header, Value
from rtour.server.attempt import Attempt
from rtour.server.attempt_errors import AttemptFailure
from rtour.server.attempt_terms import AttemptLimits, Progress, Route
from rtour.server.byte_budget import ByteBudget
from rtour.server.counts import AttemptCounts
from rtour.server.invoker import Invoker
from rtour.server.invoker_terms import InvokerLimits
from rtour.server.preconditions import Preconditions
from rtour.server.processor import Processor
from rtour.server.requests import Requests
from rtour.server.retries import RetryPolicy
from rtour.server.timers import Timers
from rtour.server.tracing.tracer import Tracer
from rtour.server.transport import Endpoint
from rtour.storage.memory import MemoryStorage
from tests.server.scripted import ScriptedExchange, ScriptedTransport

RETENTION_MS = 86_400_000
OBJECT = ServiceType.VIRTUAL_OBJECT


def greeter(handler: str = "greet") -> Target:
    return Target("Greeter", handler)


def counter(key: str = "k", *, shared: bool = False) -> Target:
    kind = HandlerType.SHARED if shared else HandlerType.EXCLUSIVE
    return Target("Counter", "add", key, OBJECT, kind)


class Rig:
    """`transport` is the service, `ask` the client."""

    def __init__(
        self,
        clock: Clock,
        *,
        version: int = 6,
        concurrent: int = 1000,
        window: int = 1000,
        retries_held: int = 10_000,
        storage: MemoryStorage | None = None,
    ) -> None:
        self.clock = clock
        self.tracer: Tracer | None = None
        self.counts = AttemptCounts()
        self.outgoing, self.incoming = ByteBudget(256 << 20), ByteBudget(256 << 20)
        self.storage = storage or MemoryStorage()
        self.transport = ScriptedTransport()
        self.limits = AttemptLimits()
        self.policy = RetryPolicy(max_attempts=3)
        self.route_ = Route("dp_1", Endpoint("http://service"), version, duplex=True)
        self.gone: AttemptFailure | None = None
        self.learned: list[bool] = []
        self.preconditions = Preconditions(self, Random(1), clock)
        self.processor = Processor(
            self.storage, clock, self._dispatch, on_defect=self._fail, on_fatal=self._fail
        )
        self.making_room: Callable[[], Awaitable[object]] = self.processor.room
        self.requests = Requests(self.processor.propose, first_id=1)
        limits = InvokerLimits(concurrent, window=window, retries_held=retries_held)
        self.invoker = Invoker(self, self, Random(1), limits)
        self.timers = Timers(self.storage.timers_after, self.processor.propose, clock)
        self.recovered = self.storage.recover()
        self.processor.start(self.recovered)
        self.timers.start()
        self.ids = 0

    # --- AttemptWorld, Routes and Resolver -------------------------------------------------------

    def propose(self, command: Command, /) -> None:
        self.processor.propose(command)

    async def room(self) -> None:
        await self.making_room()

    def sign(self, _path: str, _key: str | None, /) -> tuple[tuple[str, str], ...]:
        return ()

    def route(self, _invocation: Invocation) -> Route:
        if self.gone is not None:
            raise self.gone
        return self.route_

    def place(self, invocation: Invocation) -> str:
        return invocation.target.service

    def retry_policy(self, _invocation: Invocation) -> RetryPolicy:
        return self.policy

    def learn(self, _invocation: Invocation, _attempt: Attempt, *, suspended: bool) -> None:
        self.learned.append(suspended)

    def callee(
        self, service: str, handler: str, key: str | None, _idempotency_key: str | None
    ) -> tuple[Target, int, int] | None:
        if service == "Counter":
            return replace(counter(key or ""), handler=handler), 0, 0
        return (Target(service, handler), 0, 0) if service == "Greeter" else None

    def _fail(self, *arguments: Any) -> None:
        raise AssertionError(arguments)

    def _dispatch(self, action: a.Action) -> None:
        match action:
            case a.StartAttempt():
                self.invoker.start_attempt(action)
            case a.AbortAttempt():
                self.invoker.abort_attempt(action)
            case a.RetryNow():
                self.invoker.retry_now(action)
            case a.PauseAttempt():
                self.invoker.pause_attempt(action)
            case a.Notify():
                self.invoker.notify(action)
            case a.AckEntry():
                self.invoker.ack_entry(action)
            case a.SetTimer():
                self.timers.set(action.timer)
            case a.Respond():
                self.requests.resolve(action)

    # --- the client ------------------------------------------------------------------------------

    def invoke(
        self, target: Target, body: bytes = b'"Hi"', trace: Trace | None = None
    ) -> tuple[str, asyncio.Task[a.Response]]:
        """Call a target: the invocation's id and the task that will have the answer."""
        self.ids += 1
        id_ = self.preconditions_id()
        answer = self.ask(
            lambda number: Invoke(
                id_,
                target,
                FromIngress(),
                headers=(Header("a", "b"),),
                body=body,
                completion_retention_ms=RETENTION_MS,
                journal_retention_ms=RETENTION_MS,
                sink=RequestSink(number),
                trace=trace,
            )
        )
        return id_, answer

    def preconditions_id(self) -> str:
        from rtour.ids import make_invocation_id

        return make_invocation_id(self.ids, self.ids)

    def ask(self, make: Any) -> asyncio.Task[a.Response]:
        return asyncio.get_running_loop().create_task(self.requests.ask(make))

    async def settled(self) -> None:
        """Let everything that is under way happen, without turning time."""
        for _ in range(20):
            await asyncio.sleep(0)
        await self.processor.settled()

    async def status(self, id_: str) -> Status | None:
        await self.settled()
        invocation = self.storage.view.invocation(id_)
        return None if invocation is None else invocation.status

    async def attempt(self) -> ScriptedExchange:
        return await self.transport.attempt()


__all__ = ["Callee", "Progress", "Rig", "Value", "counter", "greeter"]

"""The composition root: builds the rooms, wires them, starts and stops them.

`Server` is an async context manager, so that tests and tools can embed it; `process` runs one until
a signal asks it to stop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any, Self

from rtour.clock import Clock, SkippingClock, SystemClock
from rtour.engine import actions as a
from rtour.engine.commands import Command
from rtour.engine.model import Invocation, Target
from rtour.server.access import Access
from rtour.server.admin.app import About, Admin
from rtour.server.autopilot import Autopilot
from rtour.server.cleaner import Cleaner
from rtour.server.counts import ConnectionCounts
from rtour.server.defaults import defaults, route_settings
from rtour.server.discoverer import HttpDiscoverer
from rtour.server.export_reading import off
from rtour.server.front import Front, FrontLimits
from rtour.server.identity import Sign
from rtour.server.ingress.app import Ingress
from rtour.server.invoker import Invoker
from rtour.server.invoker_terms import InvokerLimits
from rtour.server.kafka.subscriptions import Subscriptions
from rtour.server.lateness import Lateness
from rtour.server.live import live_attempts
from rtour.server.metrics import Metrics
from rtour.server.metrics.state_size import StateSize
from rtour.server.outside import signing, tracing_to, transport_to
from rtour.server.overload import Overload
from rtour.server.preconditions import Preconditions
from rtour.server.processor import Processor
from rtour.server.query.endpoint import QueryEndpoint
from rtour.server.query.engine import Queries, QueryLimits
from rtour.server.query.pace import Pace
from rtour.server.query.postgres.listener import PostgresPort
from rtour.server.registration import Registration
from rtour.server.registry import Registry
from rtour.server.requests import Requests, Stopping, StorageFailed, waiting_for
from rtour.server.routes import Routes
from rtour.server.scrub import is_left_to_check, opened, scrub
from rtour.server.settings import Settings
from rtour.server.tasks import TaskSet
from rtour.server.tellings import Tellings
from rtour.server.time_control import TimeControl, described, restore
from rtour.server.timers import Timers
from rtour.server.transport import Transport
from rtour.server.world import World
from rtour.storage.failures import DamagedError
from rtour.storage.sqlite import EphemeralStorage

if TYPE_CHECKING:
    from rtour.server.tracing.setup import Tracing

log = logging.getLogger("rtour.server")

CLUSTER_NAME = "localcluster"
REQUEST_IDS_PER_MS = 1 << 20
LAST_ANSWERS_S = 0.5  # for telling clients whose time is up


class Server:
    """One server over one data folder. `async with Server(settings) as server: …`

    Raises on entry what keeps it from starting: a folder in use or damaged, a port taken.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.settings = settings
        self._machine = clock or SystemClock()
        self._clock = SkippingClock(self._machine) if settings.dev_clock else self._machine
        self.time: TimeControl | None = None
        self._random = random or Random(SystemRandom().getrandbits(64))  # noqa: S311 - no secrets come from it
        self._given_transport = transport
        self.failure: BaseException | None = None
        self.stop_requested = asyncio.Event()
        self._tasks = TaskSet()
        self.tracing: Tracing | None = None

    # --- starting --------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        settings = self.settings
        self._access = Access.of(settings)
        self.started_at = self._machine.now_ms()
        self.storage = EphemeralStorage() if settings.ephemeral else opened(settings)
        try:
            self._build()
        except BaseException:
            self.storage.close()  # rooms hold nothing before they are started
            raise
        try:
            await self._start()
        except BaseException:
            await self._stop_rooms(grace_s=0)
            raise
        return self

    def _build(self) -> None:
        settings, clock, random = self.settings, self._clock, self._random
        sign = signing(settings, self._machine)
        self.tracing = tracing = tracing_to(
            settings, clock, random, self.storage.view, CLUSTER_NAME
        )
        self.connection_counts = ConnectionCounts()
        self._transport = self._given_transport or transport_to(settings, self.connection_counts)
        self.processor = Processor(
            self.storage,
            clock,
            self._dispatch,
            on_defect=self._on_defect,
            on_fatal=self._on_fatal,
            watch=tracing.watch if tracing else None,
        )
        self._lateness = Lateness()
        propose = self.processor.propose
        self.requests = Requests(
            propose,
            first_id=self._machine.now_ms() * REQUEST_IDS_PER_MS,
            pending_max=settings.limits.pending_requests,
            room=self.processor.room,
        )
        self.registry = Registry(defaults(settings))
        self._build_invoker(sign)
        self.queries = Queries(
            self.storage.path,
            lambda: live_attempts(self.invoker),
            clock,
            QueryLimits(settings.query_timeout_ms, settings.query_rows_max),
            Pace(lambda: self.processor.proposed),
            self.storage.carried,
        )
        self.state_size = StateSize(self.queries, self._tasks)
        self.timers = Timers(self.storage.timers_after, propose, clock)
        self.tellings = Tellings(propose)
        self.cleaner = Cleaner(
            self.storage.expired,
            propose,
            self.processor.caught_up,
            clock,
            random,
            settings.cleanup_interval_ms,
        )
        self._takers = self._who_takes()
        self._build_fronts(HttpDiscoverer(self._transport, sign, CLUSTER_NAME))

    def _who_takes(self) -> dict[type, Callable[[Any], None]]:
        """Which room an action is for."""
        return {
            a.StartAttempt: self.invoker.start_attempt,
            a.AbortAttempt: self.invoker.abort_attempt,
            a.RetryNow: self.invoker.retry_now,
            a.PauseAttempt: self.invoker.pause_attempt,
            a.Notify: self.invoker.notify,
            a.AckEntry: self.invoker.ack_entry,
            a.SetTimer: lambda action: self.timers.set(action.timer),
            a.TellRest: self.tellings.go_on,
            a.Respond: self.requests.resolve,
        }

    def _build_invoker(self, sign: Sign) -> None:
        settings, clock, random = self.settings, self._clock, self._random
        limits, tracing = settings.limits, self.tracing
        self._world = World(
            self.storage,
            self._transport,
            Preconditions(self.registry, random, clock),
            clock,
            limits,
            self.processor,
            sign,
            tracing.tracer if tracing else None,
        )
        self._routes = Routes(self.registry, route_settings(settings, CLUSTER_NAME))
        self.invoker = Invoker(
            self._world, self._routes, random, InvokerLimits(limits.concurrent_attempts)
        )

    def _build_fronts(self, discoverer: HttpDiscoverer) -> None:
        registration = Registration(
            self.registry, self.requests, discoverer, self._clock, self._random
        )
        self.subscriptions = Subscriptions(
            self.registry,
            self.requests,
            self._clock,
            self._random,
            configured=self.settings.kafka_clusters,
        )
        limits = self.settings.limits
        front_limits = FrontLimits(
            body_bytes_max=limits.message_bytes_max,
            unread_bytes_max=limits.unread_replies_bytes_max,
        )
        access = self._access
        ingress = Ingress(
            self.registry,
            self.requests,
            self._clock,
            self._random,
            self._target_of,
            own_headers=access.ingress_headers,
            tracer=self.tracing.tracer if self.tracing else None,
            overloaded=Overload(
                self._lateness, self.requests, self.processor, self.invoker, self._routes
            ).refuses,
        )
        self.ingress_counts = ingress.counts
        self.ingress = Front(ingress, front_limits, check=access.ingress, tls=access.http_tls)
        self.postgres = PostgresPort(
            self.queries,
            self._random,
            tokens=access.admin_tokens,
            tls=access.postgres_tls,
        )
        self._registration = registration
        self._front_limits = front_limits

    def _make_admin(self) -> Front:
        """The admin front, which tells clients where the ingress came to listen."""
        admin = Admin(
            self.registry,
            self._registration,
            self.subscriptions,
            self.requests,
            self._clock,
            self._random,
            invocation=self.storage.view.invocation,
            query=QueryEndpoint(self.queries),
            about=About(
                cluster_name=CLUSTER_NAME,
                ingress_url=self.ingress_url + "/",
                protocol_v7=self.settings.protocol_v7,
            ),
            metrics=Metrics(self, CLUSTER_NAME).text,
            exporting=self.tracing.reading if self.tracing else off,
            time=self.time,
        )
        access = self._access
        return Front(admin, self._front_limits, check=access.admin, tls=access.http_tls)

    async def _start(self) -> None:
        """Recover, then open the ports: whoever is answered finds everything in place."""
        self._recover()
        if self.tracing is not None:
            self.tracing.start()
        await self._listen()
        self._tasks.spawn(self._lateness.run(), "lateness")
        self._go_on()

    def _recover(self) -> None:
        recovered = self.storage.recover()
        restore(self._clock, recovered)
        self.processor.start(recovered)
        self.registry.load(recovered.documents)
        if isinstance(self._clock, SkippingClock):
            log.warning("The clock can be driven (--dev-clock). It is %s", described(self._clock))
            self.time = self._control(self._clock)
        self.subscriptions.load(recovered.documents)
        self.tellings.load(recovered.tellings)

    def _control(self, clock: SkippingClock) -> TimeControl:
        return TimeControl(
            clock,
            self.storage,
            self.processor,
            self.requests,
            self.timers,
            self.invoker,
            self.cleaner,
        )

    async def _listen(self) -> None:
        settings = self.settings
        await self.ingress.listen(settings.ingress_host or settings.host, settings.ingress_port)
        self.admin = self._make_admin()
        await self.admin.listen(settings.admin_host or settings.host, settings.admin_port)
        if settings.pg_port is not None:
            await self.postgres.listen_if_free(settings.host, settings.pg_port)

    def _go_on(self) -> None:
        """Take up what the server's last life left: attempts, timers, what is to be forgotten."""
        if going_on := self.invoker.recover():
            log.info("%d invocations go on from their journals", going_on)
        self.tellings.start()
        self.timers.start()
        self.subscriptions.start()
        self._tasks.spawn(self.cleaner.run(), "cleaner")
        if is_left_to_check(self.storage, self.settings):
            self._tasks.spawn(
                scrub(self.storage.path, self._machine, self._on_damage), "check of the data"
            )
        if self.time is not None:
            pilot = Autopilot(self.time, self.processor, self.invoker)
            self._tasks.spawn(pilot.run(), "autopilot")

    @property
    def ingress_url(self) -> str:
        return self.ingress.url

    @property
    def admin_url(self) -> str:
        return self.admin.url

    # --- running ---------------------------------------------------------------------------------

    def _dispatch(self, action: a.Action) -> None:
        self._takers[type(action)](action)

    def _target_of(self, id_: str) -> Target | None:
        invocation: Invocation | None = self.storage.view.invocation(id_)
        return None if invocation is None else invocation.target

    def _on_defect(self, command: Command, error: Exception) -> None:
        """A command changed nothing: whoever waits for it must not wait for ever."""
        if hasattr(command, "attempt") and hasattr(command, "id"):
            self.invoker.report_defect(command.id, error)
        for request_id in waiting_for(command):
            self.requests.refuse(request_id, error)

    def _on_fatal(self, error: BaseException) -> None:
        log.critical("A commit failed, nothing after it would be durable: stopping. %s", error)
        self._end("the server cannot store anything more", error)

    def _on_damage(self, error: DamagedError) -> None:
        log.critical("The data cannot be trusted: stopping. %s", error)
        self._end("the server's data is damaged", error)

    def _end(self, told: str, error: BaseException) -> None:
        self.failure = error
        self.requests.fail(StorageFailed(told))
        self.stop_requested.set()

    # --- stopping --------------------------------------------------------------------------------

    async def __aexit__(self, *_: object) -> None:
        await self._stop_rooms(self.settings.shutdown_timeout_ms / 1000)

    async def _stop_rooms(self, grace_s: float) -> None:
        """Take nothing new, let what runs come to an end for `grace_s`, then cut.

        Timers go on while clients wait: their invocations may need only that to end.
        """
        await self._tasks.cancel_all()
        if self.time is not None:
            await self.time.stop()
        await self.subscriptions.stop()
        if not await self.ingress.drain(grace_s):
            self.requests.fail(Stopping())
        await self.ingress.close(min(grace_s, LAST_ANSWERS_S))
        self.timers.stop()
        await self.invoker.drain(grace_s)
        await self.invoker.stop()
        self.tellings.stop()
        await self.processor.settled()
        if hasattr(self, "admin"):  # it is made once the ingress listens
            await self.admin.close(min(grace_s, 1.0))
        await self.postgres.close()
        await self.queries.close()
        await self._transport.close()
        if self.tracing is not None:
            await self.tracing.close()
        self.storage.close()

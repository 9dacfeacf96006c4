"""One seed makes a world: the server, its services, clients, faults, and what must hold.

First *safety*: clients work while everything goes wrong. Then *liveness*: nothing goes wrong any
more, and all work ends within bounded virtual time. Then retention passes, and nothing is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Literal
from unittest import mock

import msgspec

import rtour.sdk.attempt
from rtour.engine import waiting
from rtour.engine.model import Invocation
from tests import virtual_time
from tests.simulation import services
from tests.simulation.clients import Client, Told
from tests.simulation.clock import Shown, WallClock
from tests.simulation.disk import Disk
from tests.simulation.driver import Driver
from tests.simulation.faults import CALM, Faults, drawn
from tests.simulation.invariants import Watch, leftovers, unfinished
from tests.simulation.life import CLEANUP_MS, RETENTION_MS, Life, settings
from tests.simulation.network import Process, Wire
from tests.simulation.operators import Operator
from tests.simulation.promises import broken
from tests.simulation.sqlite_disk import SqliteDisk
from tests.simulation.topics import KEY, SINK, SOURCE, WorldTopic

Storing = Literal["memory", "sqlite"]

SQLITE_EVERY = 8
SAFETY_S = 60.0
LIVENESS_S = 600.0
CRASHES_MAX = 40
CLIENTS = 4
ERRANDS = 6
CROWDS = 3
TRACE_SHOWN = 60
TRACE_MAX = 20_000  # twenty times what a busy world needs: time may leap, and work go in circles


class Report(msgspec.Struct, frozen=True):
    """What became of a world."""

    seed: int
    faults: Faults
    violations: tuple[str, ...]
    digest: str
    crashes: int
    trace: tuple[str, ...]

    def story(self) -> str:
        """For people: what went wrong, and the events before it."""
        mix = {name: value for name, value in msgspec.structs.asdict(self.faults).items() if value}
        return "\n".join(
            [f"seed {self.seed}: {mix}", *self.violations, "…", *self.trace[-TRACE_SHOWN:]]
        )


class Wrong(Exception):  # noqa: N818
    """An invariant does not hold; the world stops."""


class World:
    """Everything of one seed. Also the host that disk, network, life and clients know."""

    def __init__(self, seed: int, true: virtual_time.VirtualClock, folder: Path | None) -> None:
        random = Random(seed)
        self._random = random
        self._dice = Random(random.getrandbits(64))
        self._mix = drawn(random)
        self.faults = CALM
        self.seed = seed
        self.clock = WallClock(true)
        self.shown = Shown(self.clock, self.fail)
        self.violations: list[str] = []
        self.trace: list[str] = []
        self.crashes = 0
        self.life: Life | None = None
        self.told = Told()
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._uncaught)
        self._wrong: asyncio.Future[None] = self._loop.create_future()
        self._folder = folder
        self.disk = self._make_disk(Random(random.getrandbits(64)))
        self.outside = services.Outside(self, Random(random.getrandbits(64)))
        self.outside.die = self._kill_process
        endpoints = services.build(self.outside)
        self.processes = {uri: Process(sdk, self) for uri, sdk in endpoints.items()}
        self._wire = Wire(self.processes, self, Random(random.getrandbits(64)))
        self._settings = settings(random)
        self.topic = WorldTopic(self, Random(random.getrandbits(64)))
        self._operator = Operator(self, Random(random.getrandbits(64)))
        self._driver = Driver(self, Random(random.getrandbits(64)))
        names = [f"c{number}" for number in range(CLIENTS)]
        self.clients = [
            Client(name, self, self.told, Random(random.getrandbits(64)))
            for name in (*names, "crowds")
        ]

    def _make_disk(self, random: Random) -> Disk:
        watch = Watch(self.clock, self.shown, self.fail)
        if self._folder is None:
            return Disk(self, random, watch)
        return SqliteDisk(self, random, watch, self._folder)

    @property
    def stored(self) -> Iterable[Invocation]:
        """All that is durable, as operators see it."""
        return self.disk.durable.invocations.values()

    # --- host ------------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return probability > 0 and self._dice.random() < probability

    def note(self, event: str) -> None:
        self.trace.append(f"{self._loop.time():.4f} {event}")
        if len(self.trace) == TRACE_MAX:
            self.fail("all work ends: this one goes in circles")

    def fail(self, what: str) -> None:
        self.note(f"WRONG: {what}")
        self.violations.append(what)
        if not self._wrong.done():
            self._wrong.set_result(None)

    def _uncaught(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.fail(f"uncaught: {context.get('message')}: {context.get('exception')!r}")

    def crash(self, how: str) -> None:
        """The server's process is killed; it starts again after a while."""
        life = self.life
        if life is None or life.dead:
            return
        self.note(f"the server crashes {how}")
        self.crashes += 1
        if self.crashes >= CRASHES_MAX:
            self.faults = self._without_crashes(self.faults)
        life.die()
        self.life = None
        for process in self.processes.values():
            for exchange in list(process.exchanges):
                exchange.abort()
        self._loop.call_later(self._dice.choice((0.001, 0.2, 3)), self._start)

    def _without_crashes(self, faults: Faults) -> Faults:
        calmer = {
            name: 0.0
            for name in Faults.__struct_fields__
            if name.startswith(("crash_", "commit_fails"))
        }
        return msgspec.structs.replace(faults, **calmer)

    def _start(self) -> None:
        seed = self._random.getrandbits(64)
        life = Life(self, self.disk.storage(), self._wire, self._settings, Random(seed))
        self.note("the server starts")
        self.shown.life_begins(self.disk.durable.at)
        life.begin()
        self.life = life
        if life.time is not None and life.time.clock.now_ms() < self.disk.durable.at:
            self.fail(f"no life begins before its last record: {self.disk.durable.at}")
        self._driver.restarted(life)

    def _kill_process(self, uri: str) -> None:
        for_s = self._dice.choice((0.05, 1, 5))
        self._loop.call_soon(self.processes[uri].die, for_s)

    # --- the phases ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Raises nothing: what is wrong is in `violations`."""
        play = self._loop.create_task(self._play())
        with self._listening():
            await asyncio.wait((play, self._wrong), return_when=asyncio.FIRST_COMPLETED)
            if not play.done():
                play.cancel()
            elif (error := play.exception()) is not None:
                self.fail(f"{type(error).__name__}: {error}")
        if self.life is not None:
            self.life.die()
        await self._fold_up()

    async def _fold_up(self) -> None:
        """End every task: one that outlived its loop would speak up in the next world."""
        for _ in range(100):
            left = asyncio.all_tasks() - {asyncio.current_task()}
            if not left:
                break
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1)

    async def _play(self) -> None:
        self._start()
        for uri in self.processes:
            await self._living().register(uri)
        await self._living().read(SOURCE, SINK)
        self.faults = self._mix
        *clients, crowds = self.clients
        errands = [*(client.run(ERRANDS) for client in clients), crowds.run_in_crowds(CROWDS)]
        work = [self._loop.create_task(errand) for errand in errands]
        trouble = [
            self._loop.create_task(self._crash_now_and_then()),
            self._loop.create_task(self._turn_the_clock()),
            self._loop.create_task(self._meddle()),
            self._loop.create_task(self._drive()),
        ]
        await asyncio.wait(work, timeout=SAFETY_S)
        for task in trouble:
            if task.done():
                task.result()
            task.cancel()
        self.note("calm")
        self.faults = CALM
        self.topic.fail_next = "the broker moved"
        self.topic.publish("the last")
        await self._everything_ends(work)
        for breach in broken(self.told, self._state, self.topic.lines(), self.outside.effects):
            self.fail(breach)
        await asyncio.sleep(RETENTION_MS / 2000)
        await asyncio.gather(*(client.ask_again() for client in self.clients))
        if not await self._driver.leap(2 * RETENTION_MS):
            await asyncio.sleep(2 * RETENTION_MS / 1000)
        await asyncio.sleep(2 * CLEANUP_MS / 1000)
        left = leftovers(self.disk.durable)
        if left:
            self.fail(f"nothing is left over: {left}")

    async def _everything_ends(self, work: list[asyncio.Task[None]]) -> None:
        deadline = self._loop.time() + LIVENESS_S
        while self._loop.time() < deadline:
            for task in work:
                if task.done():
                    task.result()
            await self._driver.let_go()
            await self._operator.resume_all()
            if all(task.done() for task in work) and not self._unfinished():
                return
            await asyncio.sleep(1)
        stuck = [f"client {task.get_coro()}" for task in work if not task.done()]
        left = self._unfinished() + stuck
        self.fail(f"all work ends: after {LIVENESS_S} s without faults there is {left}")

    def _unfinished(self) -> list[str]:
        read = set(self._state("Ledger", KEY, "lines"))
        missing = {line for log in self.topic.lines() for line in log} - read
        return unfinished(self.disk.durable) + [f"record {line}" for line in sorted(missing)]

    def _living(self) -> Life:
        assert self.life is not None
        return self.life

    # --- trouble that comes by itself ------------------------------------------------------------

    async def _crash_now_and_then(self) -> None:
        while self._mix.crash_any_time_s:
            await asyncio.sleep(self._dice.expovariate(1 / self._mix.crash_any_time_s))
            if self.faults.crash_any_time_s:
                self.crash("at some time")

    async def _turn_the_clock(self) -> None:
        while self._mix.clock_jump_s:
            await asyncio.sleep(self._dice.expovariate(1 / self._mix.clock_jump_s))
            jump = self._dice.choice((-30_000, -2_000, -5, 5, 2_000, 30_000))
            self.note(f"the clock jumps by {jump} ms")
            self.clock.jump(jump)

    async def _meddle(self) -> None:
        if self._mix.meddling_s:
            await self._operator.meddle(self._mix.meddling_s)

    async def _drive(self) -> None:
        if self._mix.driving_s:
            await self._driver.drive(self._mix.driving_s)

    # --- what must hold --------------------------------------------------------------------------

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Whatever the server logs as an error is one; user code may fail."""
        world = self

        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if record.name.startswith("rtour.sdk"):
                    return
                text = record.getMessage()[:300]
                if record.levelno == logging.ERROR:
                    cause = record.exc_info[1] if record.exc_info else None
                    world.fail(f"logged: {text} {cause!r}")
                elif hasattr(record, "invocation"):
                    world.note(f"{record.invocation.id} {text}")

        logger, listener = logging.getLogger("rtour"), Listener()
        logger.addHandler(listener)
        propagate, logger.propagate = logger.propagate, False
        level = logger.level
        logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.propagate = propagate
            logger.removeHandler(listener)

    def report(self) -> Report:
        return Report(
            seed=self.seed,
            faults=self._mix,
            violations=tuple(self.violations),
            digest=hashlib.sha256("\n".join(self.trace).encode()).hexdigest(),
            crashes=self.crashes,
            trace=tuple(self.trace),
        )

    def _state(self, service: str, key: str, name: str) -> list[str]:
        raw = self.disk.durable.states.get((service, key), {}).get(name.encode(), b"[]")
        lines: list[str] = json.loads(raw)
        return lines


def simulate(seed: int, disk: Storing | None = None) -> Report:
    """Make the world of a seed and look on until its end; one in eight runs on SQLite."""
    if disk is None:
        disk = "memory" if seed % SQLITE_EVERY else "sqlite"
    worlds: list[World] = []

    async def main(clock: virtual_time.VirtualClock) -> None:
        world = World(seed, clock, folder if disk == "sqlite" else None)
        worlds.append(world)
        with (
            mock.patch.object(rtour.sdk.attempt, "_CLOCK", world.clock),
            mock.patch.multiple(waiting, SINKS_IN_ROW=2, TOLD_AT_ONCE=2),
            world.disk.in_place(),
        ):
            await world.run()

    memory = Path("/dev/shm")  # a disk in memory, where there is one
    with tempfile.TemporaryDirectory(
        dir=memory if memory.is_dir() else None, prefix="rtour-world-"
    ) as name:
        folder = Path(name)
        try:
            virtual_time.run(main)
        except virtual_time.Deadlock as error:
            worlds[0].fail(str(error))
    return worlds[0].report()

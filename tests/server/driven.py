"""The rig with a clock that can be driven."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from rtour.clock import SkippingClock
from rtour.engine.commands import Invoke
from rtour.engine.model import FromIngress, Status
from rtour.protocol import messages as m
from rtour.protocol.messages import Combinator, End, Future, Output, Value
from rtour.server.autopilot import Autopilot
from rtour.server.cleaner import Cleaner
from rtour.server.time_control import TimeControl, restore
from rtour.storage.memory import MemoryStorage
from tests.server.rig import Rig, greeter
from tests.server.scripted import ScriptedExchange
from tests.virtual_time import VirtualClock, run

MINUTE_MS, DAY_MS = 60_000, 86_400_000


class Driven(Rig):
    """A rig whose clock can be driven. `machine` is the clock of machine and service."""

    def __init__(
        self,
        machine: VirtualClock,
        storage: MemoryStorage | None = None,
        retries_held: int = 10_000,
    ) -> None:
        self.machine = machine
        self.driven = SkippingClock(machine)
        super().__init__(self.driven, storage=storage, retries_held=retries_held)
        restore(self.driven, self.recovered)
        processor = self.processor
        self.cleaner = Cleaner(
            self.storage.expired,
            processor.propose,
            processor.caught_up,
            self.driven,
            Random(1),
            3_600_000,
        )
        self.time = TimeControl(
            self.driven,
            self.storage,
            processor,
            self.requests,
            self.timers,
            self.invoker,
            self.cleaner,
        )
        self.began = asyncio.get_running_loop().time()

    def took_s(self) -> float:
        """Real time since the start."""
        return asyncio.get_running_loop().time() - self.began

    def sleep(self, ms: int, completion: int = 1) -> m.Sleep:
        """As an SDK makes it: by the clock of its own machine."""
        return m.Sleep(self.machine.now_ms() + ms, completion)

    def later(self, ms: int) -> str:
        """A delayed invocation."""
        self.ids += 1
        id_ = self.preconditions_id()
        self.propose(Invoke(id_, greeter(), FromIngress(), start_at=self.driven.now_ms() + ms))
        return id_

    def autopilot(self) -> asyncio.Task[None]:
        pilot = Autopilot(self.time, self.processor, self.invoker)
        return asyncio.get_running_loop().create_task(pilot.run())


def on_rig(scenario: Callable[[Driven], Awaitable[None]], *, retries_held: int = 10_000) -> None:
    async def main(clock: VirtualClock) -> None:
        await scenario(Driven(clock, retries_held=retries_held))

    run(main)


def sleeping(*completions: int) -> m.Suspension:
    return m.Suspension(Future(completions, (1,), combinator=Combinator.FIRST_COMPLETED))


async def suspended(rig: Driven, sleep_ms: int) -> tuple[str, asyncio.Task[object]]:
    """An invocation that sleeps."""
    id_, answer = rig.invoke(greeter())
    exchange = await rig.attempt()
    exchange.say(rig.sleep(sleep_ms), sleeping(1))
    assert await rig.status(id_) is Status.SUSPENDED
    return id_, answer


def finish(exchange: ScriptedExchange) -> None:
    exchange.say(Output(Value(b"ok")), End())

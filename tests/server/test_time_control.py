"""Driven time on the rig: what waits for a time goes on when the clock is made to show it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random

import pytest
from msgspec.structs import replace

from rtour.clock import ClockState, SkippingClock, ahead_ms
from rtour.engine.actions import Finished
from rtour.engine.commands import Invoke, Kill
from rtour.engine.model import FromIngress, Status
from rtour.protocol import messages as m
from rtour.protocol.messages import Combinator, End, Future, Output, Value
from rtour.server.autopilot import QUIET_S, UNREACHABLE_S, Autopilot
from rtour.server.cleaner import Cleaner
from rtour.server.requests import Overloaded
from rtour.server.time_control import (
    CannotDrive,
    ClockWasDriven,
    Due,
    TimeControl,
    described,
    restore,
)
from rtour.server.transport import ConnectFailed
from rtour.storage.memory import MemoryStorage
from tests.server.rig import RETENTION_MS, Rig, greeter
from tests.server.scripted import ScriptedExchange
from tests.virtual_time import VirtualClock, run

MINUTE_MS, DAY_MS = 60_000, 86_400_000


class Driven(Rig):
    """A rig whose clock can be driven. `machine` is the clock of machine and service."""

    def __init__(self, machine: VirtualClock, storage: MemoryStorage | None = None) -> None:
        self.machine = machine
        self.driven = SkippingClock(machine)
        super().__init__(self.driven, storage=storage)
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


def on_rig(scenario: Callable[[Driven], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        await scenario(Driven(clock))

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


def test_a_skip_ends_a_sleep() -> None:
    """A quarter of an hour takes no time, and not a millisecond less of the clock's."""

    async def scenario(rig: Driven) -> None:
        _, answer = await suspended(rig, 15 * MINUTE_MS)
        assert (await rig.time.skip(15 * MINUTE_MS - 1)).timers == 0
        assert rig.transport.waiting == 0
        moved = await rig.time.skip(1)
        assert (moved.by_ms, moved.timers, moved.retries) == (1, 1, 0)
        finish(await rig.attempt())
        assert isinstance(await answer, Finished)
        assert rig.took_s() < 1

    on_rig(scenario)


def test_what_sdks_ask_for_is_shifted() -> None:
    """A sleep and a delayed send made after a skip last as long as they should, not less."""

    async def scenario(rig: Driven) -> None:
        await rig.time.skip(DAY_MS)
        id_, _ = rig.invoke(greeter())
        exchange = await rig.attempt()
        due = rig.machine.now_ms() + 10 * MINUTE_MS
        exchange.say(m.OneWayCall("Greeter", "greet", b"", 1, due), rig.sleep(5 * MINUTE_MS, 2))
        await rig.settled()
        now = rig.driven.now_ms()
        timers = rig.storage.timers_after(None, 10)
        assert [timer.at - now for timer in timers] == [5 * MINUTE_MS, 10 * MINUTE_MS]
        assert rig.time.next_due() == Due(now + 5 * MINUTE_MS, "sleep", id_)
        exchange.say(m.Error(500, "oops"))
        again = await rig.attempt()
        _start, *entries = [await again.hear() for _ in range(5)]
        assert entries[1] == m.OneWayCall("Greeter", "greet", b"", 1, now + 10 * MINUTE_MS)
        assert entries[3] == m.Sleep(now + 5 * MINUTE_MS, 2)

    on_rig(scenario)


def test_a_skip_starts_what_was_delayed() -> None:
    """To what is due next, without counting."""

    async def scenario(rig: Driven) -> None:
        later, sooner = rig.later(2 * DAY_MS), rig.later(DAY_MS)
        await rig.settled()
        now = rig.driven.now_ms()
        assert (await rig.time.skip_to_next()).by_ms == DAY_MS
        assert (await rig.attempt()).headers["x-restate-invocation-id"] == sooner
        assert rig.driven.now_ms() == now + DAY_MS
        await rig.time.skip_to(now + 2 * DAY_MS)
        assert (await rig.attempt()).headers["x-restate-invocation-id"] == later

    on_rig(scenario)


def test_a_skip_ends_a_back_off() -> None:
    """The next attempt is made at once, and the one after it waits for its own time."""

    async def scenario(rig: Driven) -> None:
        rig.policy = replace(rig.policy, initial_interval_ms=MINUTE_MS, max_interval_ms=None)
        id_, _ = rig.invoke(greeter())
        (await rig.attempt()).say(m.Error(500, "oops"))
        await rig.settled()
        due = rig.time.next_due()
        assert due is not None
        assert (due.what, due.invocation_id) == ("retry", id_)
        moved = await rig.time.skip(2 * MINUTE_MS)
        assert moved.retries == 1
        (await rig.attempt()).say(m.Error(500, "oops"))
        await rig.settled()
        assert (await rig.time.skip(MINUTE_MS)).retries == 0
        assert (await rig.time.skip_to_next()).retries == 1
        await rig.attempt()
        assert rig.took_s() < 1

    on_rig(scenario)


def test_a_skip_forgets_what_is_past_its_retention() -> None:
    """The cleaner does not wait for its hour."""

    async def scenario(rig: Driven) -> None:
        id_, answer = rig.invoke(greeter())
        finish(await rig.attempt())
        await answer
        await rig.time.skip(RETENTION_MS - 1)
        assert await rig.status(id_) is Status.COMPLETED
        await rig.time.skip(1)
        assert await rig.status(id_) is None

    on_rig(scenario)


def test_time_stands_still_while_it_is_frozen() -> None:
    """Sleeps and back-offs last until it goes on, from where it stood."""

    async def scenario(rig: Driven) -> None:
        _, answer = await suspended(rig, MINUTE_MS)
        failing, _ = rig.invoke(greeter())
        (await rig.attempt()).say(m.Error(500, "oops"))
        await rig.settled()
        stood = rig.driven.now_ms()
        await rig.time.freeze()
        await rig.time.freeze()
        await asyncio.sleep(3600)
        assert rig.driven.now_ms() == stood
        assert rig.transport.waiting == 0
        await rig.time.resume()
        retry = await rig.attempt()
        assert retry.headers["x-restate-invocation-id"] == failing
        finish(await rig.attempt())
        await answer
        assert 3600 + 59 < rig.took_s() < 3600 + 61
        assert ahead_ms(rig.driven) == -3600 * 1000

    on_rig(scenario)


def test_a_back_off_may_begin_while_time_stands() -> None:
    """It has no end until the clock goes on."""

    async def scenario(rig: Driven) -> None:
        await rig.time.freeze()
        rig.invoke(greeter())
        (await rig.attempt()).say(m.Error(500, "oops"))
        await asyncio.sleep(3600)
        assert rig.transport.waiting == 0
        await rig.time.resume()
        await rig.attempt()

    on_rig(scenario)


def test_automatic_time_leaps_over_what_is_waited_for() -> None:
    """Three days of sleep, a delayed call and a retry are over as fast as they can be."""

    async def scenario(rig: Driven) -> None:
        pilot = rig.autopilot()
        await rig.time.resume(auto=True)
        _, answer = rig.invoke(greeter())
        first = await rig.attempt()
        first.say(rig.sleep(3 * DAY_MS))
        while not first.request_ended:  # the quiet stream is asked to suspend
            await asyncio.sleep(0.01)
        first.say(sleeping(1))
        second = await rig.attempt()
        second.say(m.Error(500, "oops"))
        third = await rig.attempt()
        third.say(m.OneWayCall("Greeter", "greet", b"", 2, rig.machine.now_ms() + DAY_MS))
        finish(third)
        await answer
        await rig.attempt()
        assert ahead_ms(rig.driven) > 4 * DAY_MS
        assert rig.took_s() < 5 * QUIET_S
        pilot.cancel()

    on_rig(scenario)


def test_automatic_time_waits_for_attempts_that_run() -> None:
    """While a service works, nothing leaps: its work may need no timer."""

    async def scenario(rig: Driven) -> None:
        pilot = rig.autopilot()
        rig.later(DAY_MS)
        rig.invoke(greeter())
        working = await rig.attempt()
        await rig.time.resume(auto=True)
        await asyncio.sleep(30)
        assert ahead_ms(rig.driven) == 0
        finish(working)
        await rig.attempt()
        assert rig.took_s() < 31
        pilot.cancel()

    on_rig(scenario)


def test_automatic_time_gives_an_absent_service_a_moment() -> None:
    """Its attempts are not used up in milliseconds."""

    async def scenario(rig: Driven) -> None:
        pilot = rig.autopilot()
        await rig.time.resume(auto=True)
        rig.transport.refuse = ConnectFailed("refused")
        rig.policy = replace(rig.policy, max_attempts=None, initial_interval_ms=MINUTE_MS)
        rig.invoke(greeter())
        await asyncio.sleep(UNREACHABLE_S * 4.5)
        (activation,) = rig.invoker.activations()
        assert activation.attempts == 5
        rig.transport.refuse = None
        await rig.attempt()
        pilot.cancel()

    on_rig(scenario)


def test_timers_of_the_dead_are_not_next() -> None:
    """What an ended invocation had waited for is waited for by nobody."""

    async def scenario(rig: Driven) -> None:
        id_, _ = await suspended(rig, MINUTE_MS)
        await rig.ask(lambda number: Kill(id_, number))
        assert rig.time.next_due() is None
        with pytest.raises(CannotDrive, match="nothing waits"):
            await rig.time.skip_to_next()

    on_rig(scenario)


@pytest.mark.parametrize("by_ms", [0, -1])
def test_time_never_goes_back(by_ms: int) -> None:
    """Neither by a duration nor to an instant; nor beyond all printing."""

    async def scenario(rig: Driven) -> None:
        now = rig.driven.now_ms()
        with pytest.raises(CannotDrive, match="never goes back"):
            await rig.time.skip(by_ms)
        with pytest.raises(CannotDrive, match="never goes back"):
            await rig.time.skip_to(now + by_ms)
        with pytest.raises(CannotDrive, match="2100"):
            await rig.time.skip(400 * 365 * DAY_MS)
        assert rig.driven.state == ClockState()

    on_rig(scenario)


def test_a_change_outlives_its_asker_and_the_server() -> None:
    """A client that goes away takes nothing back; the next life begins where the last one was."""

    async def main(machine: VirtualClock) -> None:
        rig = Driven(machine)
        asker = asyncio.get_running_loop().create_task(rig.time.skip(DAY_MS))
        await asyncio.sleep(0)
        asker.cancel()
        await rig.settled()
        assert ahead_ms(rig.driven) == DAY_MS
        await rig.time.freeze()
        stood = rig.driven.now_ms()
        await asyncio.sleep(60)
        again = Driven(machine, rig.storage)
        assert again.driven.now_ms() == stood
        assert "standing still" in described(again.driven)
        await again.time.resume()
        assert ahead_ms(again.driven) == DAY_MS - MINUTE_MS

    run(main)


def test_a_life_never_begins_before_the_last_record() -> None:
    """Also where the stored clock was left behind: by a life that could not be driven."""

    async def main(machine: VirtualClock) -> None:
        rig = Driven(machine)
        await rig.time.freeze()
        await asyncio.sleep(3600)
        other = Rig(machine, storage=rig.storage)
        restore(machine, other.recovered)
        other.invoke(greeter())
        await other.settled()
        again = Driven(machine, rig.storage)
        assert again.driven.now_ms() == machine.now_ms()
        assert again.driven.state.frozen_at is not None

    run(main)


def test_driven_time_is_refused_by_other_servers() -> None:
    """One that cannot be driven would have to go back; it says what to do instead."""

    async def main(machine: VirtualClock) -> None:
        rig = Driven(machine)
        await rig.time.skip(3 * DAY_MS)
        with pytest.raises(ClockWasDriven, match=r"3d ahead .* --dev-clock"):
            restore(machine, rig.storage.recover())

    run(main)


def test_a_freeze_that_cannot_be_stored_did_not_happen() -> None:
    """The clock goes on, and so does what waits for it."""

    async def scenario(rig: Driven) -> None:
        _, answer = await suspended(rig, MINUTE_MS)
        rig.requests._pending_max = 0
        with pytest.raises(Overloaded):
            await rig.time.freeze()
        assert rig.driven.state == ClockState()
        finish(await rig.attempt())
        await answer

    on_rig(scenario)


def test_dates_in_headers_are_a_machines() -> None:
    """Retry-After names an instant of the service's clock, however far ours was driven."""

    async def scenario(rig: Driven) -> None:
        await rig.time.skip(DAY_MS)
        rig.invoke(greeter())
        at = datetime.fromtimestamp(rig.machine.now_ms() / 1000 + 60, UTC)
        (await rig.attempt()).respond(503, retry_after=format_datetime(at, usegmt=True))
        await rig.attempt()
        assert 58 < rig.took_s() < 61

    on_rig(scenario)

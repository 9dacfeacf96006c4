"""Automatic time: the clock leaps to what is waited for, when nothing runs."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from msgspec.structs import replace

from rtour.clock import ahead_ms
from rtour.engine.commands import Kill
from rtour.protocol import messages as m
from rtour.server.autopilot import PATIENCE_S, QUICK_RETRIES, QUIET_S
from rtour.server.live import live_attempts
from rtour.server.time_control import CannotDrive
from rtour.server.transport import ConnectFailed
from tests.server.driven import DAY_MS, MINUTE_MS, Driven, finish, on_rig, sleeping, suspended
from tests.server.rig import greeter


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


held_or_left = pytest.mark.parametrize("retries_held", [10_000, 0], ids=["held", "left"])


@held_or_left
def test_automatic_time_gives_an_absent_service_a_moment(retries_held: int) -> None:
    """Its attempts are not used up in milliseconds, wherever it waits for the next."""

    async def scenario(rig: Driven) -> None:
        pilot = rig.autopilot()
        await rig.time.resume(auto=True)
        rig.transport.refuse = ConnectFailed("refused")
        rig.policy = replace(rig.policy, max_attempts=None, initial_interval_ms=MINUTE_MS)
        rig.invoke(greeter())
        await asyncio.sleep(PATIENCE_S * 4.5)
        (row,) = live_attempts(rig.invoker)
        assert row.retry_count == 5
        rig.transport.refuse = None
        await rig.attempt()
        pilot.cancel()

    on_rig(scenario, retries_held=retries_held)


@held_or_left
def test_automatic_time_does_not_hurry_what_fails_again_and_again(retries_held: int) -> None:
    """A few retries take no time; then each waits a second of the world's, and no sleep does."""

    async def scenario(rig: Driven) -> None:
        pilot = rig.autopilot()
        await rig.time.resume(auto=True)
        rig.policy = replace(rig.policy, max_attempts=None, initial_interval_ms=MINUTE_MS)
        rig.invoke(greeter())
        tries: list[float] = []

        async def fail_for_ever() -> None:
            while True:
                exchange = await rig.attempt()
                tries.append(rig.took_s())
                exchange.say(m.Error(500, "oops"))

        failing = asyncio.get_running_loop().create_task(fail_for_ever())
        await asyncio.sleep(5.5 * PATIENCE_S)
        failing.cancel()
        waits = [later - earlier for earlier, later in itertools.pairwise(tries)]
        assert all(wait < PATIENCE_S / 2 for wait in waits[:QUICK_RETRIES])
        assert all(wait >= PATIENCE_S for wait in waits[QUICK_RETRIES:])
        assert len(waits) == QUICK_RETRIES + 5
        pilot.cancel()

    on_rig(scenario, retries_held=retries_held)


def test_automatic_time_leaps_for_others_beside_what_fails() -> None:
    """A sleep that is over before the next retry need not wait for it."""

    async def scenario(rig: Driven) -> None:
        rig.policy = replace(rig.policy, initial_interval_ms=DAY_MS, max_interval_ms=None)
        rig.transport.refuse = ConnectFailed("refused")
        rig.invoke(greeter())
        await rig.settled()
        rig.transport.refuse = None
        rig.later(MINUTE_MS)
        pilot = rig.autopilot()
        await rig.time.resume(auto=True)
        await rig.attempt()
        assert rig.took_s() < PATIENCE_S / 2
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

"""Driven time on the rig: what waits for a time goes on when the clock is made to show it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from msgspec.structs import replace

from rtour.clock import ClockState, ahead_ms
from rtour.engine.actions import Finished
from rtour.engine.model import Status
from rtour.protocol import messages as m
from rtour.server.requests import Overloaded
from rtour.server.time_control import (
    CannotDrive,
    ClockWasDriven,
    Due,
    described,
    restore,
)
from tests.server.driven import DAY_MS, MINUTE_MS, Driven, finish, on_rig, suspended
from tests.server.rig import RETENTION_MS, Rig, greeter
from tests.virtual_time import VirtualClock, run


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

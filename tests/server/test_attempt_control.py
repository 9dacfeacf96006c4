"""Attempts that somebody kills, cancels, pauses or resumes."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from rtour.engine.actions import Finished, NotReady, Outcome, Verdict
from rtour.engine.commands import Cancel, GetOutput, Invoke, Kill, Pause, Purge, Resume
from rtour.engine.model import FromIngress, RequestSink, Status
from rtour.protocol import messages as m
from rtour.protocol.messages import MessageType
from rtour.storage.memory import MemoryStorage
from tests.server.rig import RETENTION_MS, Rig, greeter
from tests.server.scenarios import awaiting, on_rig, opening


def test_a_caught_cancel_does_not_wake_it_again_and_again() -> None:
    """A suspension that lists a signal which the attempt had been given stays suspended."""

    async def scenario(rig: Rig) -> None:
        rig.route_ = replace(rig.route_, duplex=False)
        id_, _ = rig.invoke(greeter())
        first = await rig.attempt()
        first.say(m.Suspension(awaiting(signals=(17, 1))))
        await rig.settled()
        rig.propose(Cancel(id_))
        second = await rig.attempt()
        second.say(m.Suspension(awaiting(signals=(17, 1))))
        assert await rig.status(id_) is Status.SUSPENDED
        assert rig.transport.waiting == 0

    on_rig(scenario)


def test_kill_breaks_the_attempt_off() -> None:
    """A killed invocation answers 409 and its stream is aborted; what it still says is ignored."""

    async def scenario(rig: Rig) -> None:
        id_, answer = rig.invoke(greeter())
        exchange = await rig.attempt()
        exchange.respond()
        await rig.settled()
        killed = await rig.ask(lambda number: Kill(id_, number))
        assert killed == Outcome(Verdict.DONE)
        assert await answer == Finished(id_, m.Failure(409, "killed"))
        assert exchange.aborted
        await asyncio.sleep(600)
        assert rig.transport.waiting == 0

    on_rig(scenario)


def test_cancel_reaches_a_running_attempt() -> None:
    """The cancel signal is forwarded at once on the open stream."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        exchange = await rig.attempt()
        await opening(exchange)
        rig.propose(Cancel(id_))
        assert await exchange.hear() == m.Notification(MessageType.SIGNAL, 1, m.VOID)

    on_rig(scenario)


def test_pause_closes_the_input_and_takes_hold_at_the_end_of_the_attempt() -> None:
    """A running invocation is paused when its attempt suspends, and stays so."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        exchange = await rig.attempt()
        await opening(exchange)
        rig.propose(Pause(id_))
        assert await exchange.hear() is None
        exchange.say(m.Suspension(awaiting(1)))
        assert await rig.status(id_) is Status.PAUSED

    on_rig(scenario)


def test_pause_of_one_that_backs_off_is_immediate() -> None:
    """There is no attempt to wait for."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        (await rig.attempt()).say(m.Error(500, "oops"))
        await rig.settled()
        rig.propose(Pause(id_))
        assert await rig.status(id_) is Status.PAUSED

    on_rig(scenario)


def test_resume_of_one_that_backs_off_retries_now() -> None:
    """No time passes before the next attempt."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        (await rig.attempt()).say(m.Error(500, "oops", next_retry_delay_ms=3_600_000))
        await rig.settled()
        began = rig.clock.now_ms()
        rig.propose(Resume(id_))
        await rig.attempt()
        assert rig.clock.now_ms() == began

    on_rig(scenario)


def test_output_of_a_running_one_is_not_ready() -> None:
    """GetOutput of a running invocation says so at once."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        await rig.attempt()
        answer = await rig.ask(lambda number: GetOutput(id_, RequestSink(number)))
        assert answer == NotReady(id_)

    on_rig(scenario)


def test_a_pause_asked_for_before_a_restart_takes_hold_after_it() -> None:
    """A recovered invocation with a pause on order makes no further attempt."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        await rig.attempt()
        rig.propose(Pause(id_))
        await rig.settled()
        after = Rig(rig.clock, storage=MemoryStorage(rig.storage.durable))
        after.invoker.recover()
        assert await after.status(id_) is Status.PAUSED
        assert after.transport.waiting == 0

    on_rig(scenario)


def test_a_killed_attempt_cannot_write_into_the_next_life_of_its_id() -> None:
    """Ids of idempotent calls return: what a killed attempt still says is not the new one's."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        old = await rig.attempt()
        await rig.settled()
        again = Invoke(id_, greeter(), FromIngress(), completion_retention_ms=RETENTION_MS)
        rig.processor.propose(Kill(id_))
        rig.processor.propose(Purge(id_))
        rig.processor.propose(again)
        old.say(m.Run(1, "old"))
        await rig.settled()
        stored = rig.storage.view.invocation(id_)
        assert stored is not None
        assert stored.journal_length == 1

    on_rig(scenario)

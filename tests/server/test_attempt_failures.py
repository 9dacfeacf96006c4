"""Attempts that go wrong: what they are called, when the next one is made, what it knows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rtour.engine.actions import Finished, Outcome, Verdict
from rtour.engine.commands import Resume
from rtour.engine.commands import Signal as SignalCommand
from rtour.engine.model import Status
from rtour.protocol import messages as m
from rtour.protocol.framing import frame
from rtour.protocol.messages import End, MessageType, Output, Value
from rtour.server.transport import ConnectFailed, StreamLost
from tests.server.rig import Rig, greeter
from tests.server.scenarios import on_rig, opening
from tests.server.scripted import ScriptedExchange


def test_an_attempt_that_never_ends_is_aborted() -> None:
    """After the abort timeout the exchange is broken off and the attempt retried."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        first = await rig.attempt()
        first.respond()
        await rig.attempt()
        assert first.aborted
        events = rig.storage.durable.events
        invocation = rig.storage.view.invocation(id_)
        assert invocation is not None
        error = events[invocation.number][0].error
        assert error is not None
        assert error.doc_code == "RT0001"

    on_rig(scenario)


@pytest.mark.parametrize(
    ("play", "code"),
    [
        (lambda e: e.respond(503, retry_after="7"), "RT0023"),
        (lambda e: e.respond(429), "RT0023"),
        (lambda e: e.respond(502), "RT0010"),
        (lambda e: e.respond(415), "RT0015"),
        (lambda e: e.respond(413), "RT0019"),
        (lambda e: e.respond(404), "RT0012"),
        (lambda e: e.respond(200, content_type="text/html"), "RT0012"),
        (lambda e: e.say_bytes(b"garbage, with no end"), "RT0003"),
        (lambda e: e.say_bytes(frame(0x01FF, b"")), "RT0012"),
        (lambda e: e.say(m.Input()), "RT0012"),
        (lambda e: e.say(m.Start(b"", "", 1)), "RT0012"),
        (lambda e: e.say(m.Suspension(m.Future())), "RT0012"),
        (lambda e: e.say(m.SetState(b"k", b"v")), "RT0017"),
        (lambda e: e.say(m.GetPromise("p", 1)), "RT0017"),
        (lambda e: e.say(m.Call("Nobody", "h", b"", 1, 2)), "RT0018"),
        (lambda e: e.say(m.Call("Greeter", "h", b"", 1, 2, key="k")), "RT0017"),
        (lambda e: e.say(m.Call("Greeter", "h", b"", 1, 2, idempotency_key="")), "RT0017"),
        (lambda e: e.say(m.CompleteAwakeable("sign_1xx", Value())), "RT0012"),
        (lambda e: e.say(m.AttachInvocation(m.InvocationId("inv"), 1)), "RT0017"),
        (lambda e: e.say(m.Error(500, "oops")), "RT0007"),
        (lambda e: e.say(m.Error(570, "mismatch")), "RT0016"),
        (lambda e: (e.respond(), e.end()), "RT0007"),
        (lambda e: e.abort(), "RT0010"),
        (lambda e: e.say_bytes(frame(0x0401, b"")[:4]) or e.end(), "RT0007"),
    ],
)
def test_what_goes_wrong_is_a_failed_attempt(
    play: Callable[[ScriptedExchange], object], code: str
) -> None:
    """Every misbehaviour of a service fails the attempt with its code, and the next one is made."""

    async def scenario(rig: Rig) -> None:
        id_, answer = rig.invoke(greeter())
        first = await rig.attempt()
        play(first)
        second = await rig.attempt()
        invocation = rig.storage.view.invocation(id_)
        assert invocation is not None
        error = rig.storage.durable.events[invocation.number][0].error
        assert error is not None
        assert error.doc_code == code
        second.say(Output(Value(b"fine")), End())
        assert await answer == Finished(id_, Value(b"fine"))

    on_rig(scenario)


def test_the_retry_policy_pauses_and_resume_starts_afresh() -> None:
    """After the last attempt it is paused; a resume has the whole budget again."""

    async def scenario(rig: Rig) -> None:
        id_, answer = rig.invoke(greeter())
        for _ in range(3):
            (await rig.attempt()).say(m.Error(500, "oops"))
        assert await rig.status(id_) is Status.PAUSED
        resumed = await rig.ask(lambda number: Resume(id_, request_id=number))
        assert resumed == Outcome(Verdict.DONE)
        for _ in range(2):
            (await rig.attempt()).say(m.Error(500, "oops"))
        (await rig.attempt()).say(Output(Value()), End())
        assert isinstance(await answer, Finished)

    on_rig(scenario)


def test_delays_that_the_service_asks_for_cost_no_attempt() -> None:
    """`next_retry_delay` and Retry-After replace the policy's delay, however often."""

    async def scenario(rig: Rig) -> None:
        id_, answer = rig.invoke(greeter())
        began = rig.clock.now_ms()
        for _ in range(5):
            (await rig.attempt()).say(m.Error(500, "later", next_retry_delay_ms=60_000))
        (await rig.attempt()).respond(503, retry_after="30")
        (await rig.attempt()).say(Output(Value()), End())
        await answer
        assert rig.clock.now_ms() - began >= 5 * 60_000 + 30_000
        assert await rig.status(id_) is Status.COMPLETED

    on_rig(scenario)


def test_an_unreachable_service_is_retried() -> None:
    """Connection refused is RT0010; the invocation runs once the service is back."""

    async def scenario(rig: Rig) -> None:
        rig.transport.refuse = ConnectFailed("refused")
        _, answer = rig.invoke(greeter())
        await rig.settled()
        rig.transport.refuse = None
        (await rig.attempt()).say(Output(Value()), End())
        assert isinstance(await answer, Finished)

    on_rig(scenario)


def test_a_notification_during_back_off_is_replayed() -> None:
    """What comes while no attempt is open is in the journal of the next one."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        (await rig.attempt()).say(m.Error(500, "oops"))
        await rig.settled()
        rig.propose(SignalCommand(id_, 17, Value(b"v")))
        _, entries = await opening(await rig.attempt())
        assert entries[-1] == m.Notification(MessageType.SIGNAL, 17, Value(b"v"))

    on_rig(scenario)


def test_a_proposal_sent_twice_is_stored_once() -> None:
    """The first result counts, in this attempt and in later ones."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        first = await rig.attempt()
        proposal = m.ProposeRunCompletion(1, Value(b"one"))
        first.say(m.Run(1), proposal, m.ProposeRunCompletion(1, Value(b"two")))
        first.say(m.Error(500, "oops"))
        second = await rig.attempt()
        second.say(m.ProposeRunCompletion(1, Value(b"three")))
        await rig.settled()
        invocation = rig.storage.view.invocation(id_)
        assert invocation is not None
        assert invocation.journal_length == 3

    on_rig(scenario)


def test_frames_before_a_lost_stream_are_kept() -> None:
    """Entries that arrived before the connection broke are in the next attempt's replay."""

    async def scenario(rig: Rig) -> None:
        rig.invoke(greeter())
        first = await rig.attempt()
        first.say(m.Run(1, "step"), m.ProposeRunCompletion(1, Value(b"r")))
        first._chunks.put_nowait(StreamLost("cut", before_response=False))
        _, entries = await opening(await rig.attempt())
        assert [type(entry) for entry in entries] == [m.Input, m.Run, m.Notification]

    on_rig(scenario)

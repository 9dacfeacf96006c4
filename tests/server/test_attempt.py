"""One attempt: what goes over the wire, what is stored, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from rtour.engine.actions import Finished, NotReady, Outcome, Verdict
from rtour.engine.commands import Cancel, GetOutput, Invoke, Kill, Pause, Purge, Resume
from rtour.engine.commands import Signal as SignalCommand
from rtour.engine.model import FromIngress, RequestSink, Status
from rtour.ids import awakeable_id, invocation_id_to_bytes
from rtour.protocol import messages as m
from rtour.protocol.framing import frame
from rtour.protocol.messages import Combinator, End, Future, MessageType, Output, Value
from rtour.server.attempt_errors import failure
from rtour.server.transport import ConnectFailed, StreamLost
from rtour.storage.memory import MemoryStorage
from tests.server.rig import RETENTION_MS, Rig, counter, greeter
from tests.server.scripted import ScriptedExchange
from tests.virtual_time import VirtualClock, run

Scenario = Callable[[Rig], Awaitable[None]]


def on_rig(scenario: Scenario, **options: int) -> None:
    async def main(clock: VirtualClock) -> None:
        await scenario(Rig(clock, **options))

    run(main)


def awaiting(*completions: int, signals: tuple[int, ...] = (1,)) -> Future:
    return Future(completions, signals, combinator=Combinator.FIRST_COMPLETED)


async def opening(exchange: ScriptedExchange) -> tuple[m.Start, list[m.Message]]:
    """Start and the replayed entries."""
    start = await exchange.hear()
    assert isinstance(start, m.Start)
    entries = [await exchange.hear() for _ in range(start.known_entries)]
    return start, [entry for entry in entries if entry is not None]


def test_a_call_goes_out_and_its_answer_comes_back() -> None:
    """Headers, Start and Input are as the protocol wants them; Output and End answer the client."""

    async def scenario(rig: Rig) -> None:
        id_, answer = rig.invoke(greeter())
        exchange = await rig.attempt()
        assert exchange.path == "/invoke/Greeter/greet"
        assert exchange.headers["content-type"] == "application/vnd.restate.invocation.v6"
        assert exchange.headers["x-restate-invocation-id"] == id_
        start, entries = await opening(exchange)
        assert start.id == invocation_id_to_bytes(id_)
        assert (start.debug_id, start.partial_state, start.key) == (id_, True, "")
        assert entries == [m.Input((m.Header("a", "b"),), b'"Hi"')]
        exchange.say(Output(Value(b'"ok"')), End())
        assert await answer == Finished(id_, Value(b'"ok"'))
        assert exchange.request_ended

    on_rig(scenario)


def test_a_keyed_target_gets_its_state_and_key() -> None:
    """State of the object is in Start, complete; the key travels percent-encoded and plain."""

    async def scenario(rig: Rig) -> None:
        _, answer = rig.invoke(counter("a/ü"))
        first = await rig.attempt()
        first.say(m.SetState(b"n", b"1"), m.SetState(b"a", b"2"), Output(Value()), End())
        await answer
        rig.invoke(counter("a/ü"))
        second = await rig.attempt()
        start, _ = await opening(second)
        assert second.headers["x-restate-service-key"] == "a%2F%C3%BC"
        assert start.key == "a/ü"
        assert start.state_map == (m.StateEntry(b"a", b"2"), m.StateEntry(b"n", b"1"))
        assert not start.partial_state

    on_rig(scenario)


def test_state_that_does_not_fit_is_left_out() -> None:
    """Eager state stops at its limit and says that it is partial."""

    async def scenario(rig: Rig) -> None:
        rig.limits = replace(rig.limits, eager_state_bytes_max=5)
        _, answer = rig.invoke(counter())
        first = await rig.attempt()
        first.say(m.SetState(b"a", b"11"), m.SetState(b"b", b"22"), Output(Value()), End())
        await answer
        rig.invoke(counter())
        start, _ = await opening(await rig.attempt())
        assert start.state_map == (m.StateEntry(b"a", b"11"),)
        assert start.partial_state

    on_rig(scenario)


def test_a_proposal_is_stored_then_echoed_and_replayed() -> None:
    """A run's result goes to the journal, back to the SDK, and into the next attempt's replay."""

    async def scenario(rig: Rig) -> None:
        rig.invoke(greeter())
        first = await rig.attempt()
        await opening(first)
        first.say(m.Run(1, "step"), m.ProposeRunCompletion(1, Value(b"r")))
        completion = m.Notification(MessageType.RUN_COMPLETION, 1, Value(b"r"))
        assert await first.hear() == completion
        first.say(m.Error(500, "oops"))
        second = await rig.attempt()
        start, entries = await opening(second)
        assert entries[1:] == [m.Run(1, "step"), completion]
        assert start.retry_count_since_last_stored_entry == 1

    on_rig(scenario)


def test_version_7_acks_a_proposal_instead() -> None:
    """With the flag and protocol 7 an ack takes the completion's place on the wire."""

    async def scenario(rig: Rig) -> None:
        rig.invoke(greeter())
        exchange = await rig.attempt()
        await opening(exchange)
        exchange.say(m.Run(1, "step"))
        exchange.say(m.ProposeRunCompletion(1, Value(b"r")), ack=True)
        assert await exchange.hear() == m.ProposeRunCompletionAck(1)

    on_rig(scenario, version=7)


def test_an_idle_input_is_closed_and_the_wait_survives() -> None:
    """After the inactivity timeout the SDK suspends; the sleep's end starts the next attempt."""

    async def scenario(rig: Rig) -> None:
        id_, answer = rig.invoke(greeter())
        first = await rig.attempt()
        await opening(first)
        first.say(m.Sleep(rig.clock.now_ms() + 3_600_000, 1))
        assert await first.hear() is None
        first.say(m.Suspension(awaiting(1)))
        assert await rig.status(id_) is Status.SUSPENDED
        second = await rig.attempt()
        _, entries = await opening(second)
        assert entries[-1] == m.Notification(MessageType.SLEEP_COMPLETION, 1, m.VOID)
        second.say(Output(Value()), End())
        await answer

    on_rig(scenario)


def test_activity_keeps_the_input_open() -> None:
    """Frames in either direction start the inactivity time anew."""

    async def scenario(rig: Rig) -> None:
        rig.invoke(greeter())
        exchange = await rig.attempt()
        await opening(exchange)
        for completion in range(1, 6):
            await asyncio.sleep(50)
            exchange.say(m.Run(completion), m.ProposeRunCompletion(completion, Value()))
            assert await exchange.hear() is not None
        assert not exchange.request_ended

    on_rig(scenario)


def test_a_notification_between_close_and_suspension_wakes_it() -> None:
    """What came after the input was closed, and before the suspension arrived, is not lost."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        first = await rig.attempt()
        await opening(first)
        assert await first.hear() is None
        rig.propose(SignalCommand(id_, 17, Value(b"v")))
        await rig.settled()
        first.say(m.Suspension(awaiting(signals=(17, 1))))
        second = await rig.attempt()
        _, entries = await opening(second)
        assert entries[-1] == m.Notification(MessageType.SIGNAL, 17, Value(b"v"))

    on_rig(scenario)


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


def test_attempts_beyond_the_limit_wait_their_turn() -> None:
    """No more attempts run at once than the limit; the next starts when one ends."""

    async def scenario(rig: Rig) -> None:
        answers = [rig.invoke(greeter())[1] for _ in range(3)]
        first, second = await rig.attempt(), await rig.attempt()
        await rig.settled()
        assert rig.transport.waiting == 0
        first.say(Output(Value()), End())
        third = await rig.attempt()
        for exchange in (second, third):
            exchange.say(Output(Value()), End())
        await asyncio.gather(*answers)

    on_rig(scenario, concurrent=2)


def test_attempts_that_only_wait_make_room() -> None:
    """While others want their slots, idle handlers are asked to suspend; busy ones are not."""

    async def scenario(rig: Rig) -> None:
        sleeper, _ = rig.invoke(greeter())
        sleeping = await rig.attempt()
        await opening(sleeping)
        sleeping.say(m.Sleep(rig.clock.now_ms() + 60_000, 1))
        rig.invoke(counter())
        busy = await rig.attempt()
        _, answer = rig.invoke(greeter())  # no slot is left for it
        await asyncio.sleep(0.9)
        busy.say(m.SetState(b"a", b"1"))
        assert await sleeping.hear() is None
        assert not busy.request_ended
        sleeping.say(m.Suspension(m.Future((1,))))
        third = await rig.attempt()
        third.say(Output(Value()), End())
        await answer
        assert await rig.status(sleeper) is Status.SUSPENDED

    on_rig(scenario, concurrent=2)


def test_an_endpoint_that_hangs_costs_only_itself() -> None:
    """However many wait for it, others find a slot at once."""

    async def scenario(rig: Rig) -> None:
        for _ in range(50):
            rig.invoke(greeter())
        hanging = [await rig.attempt() for _ in range(16)]
        await rig.settled()
        assert rig.transport.waiting == 0
        _, answer = rig.invoke(counter())
        other = await rig.attempt()
        assert other.path == "/invoke/Counter/add"
        other.say(Output(Value()), End())
        await answer
        hanging[0].say(Output(Value()), End())
        assert (await rig.attempt()).path == "/invoke/Greeter/greet"

    on_rig(scenario, concurrent=16)


def test_a_thousand_that_cannot_run_fail_one_after_the_other() -> None:
    """Where nothing serves what waits, each is tried in turn: slots are not given out in depth."""

    async def scenario(rig: Rig) -> None:
        first, _ = rig.invoke(greeter())
        running = await rig.attempt()
        waiting = [rig.invoke(greeter())[0] for _ in range(2000)]
        await rig.settled()
        rig.gone = failure("RT0011", "no deployment serves it")
        running.say(Output(Value()), End())
        assert await rig.status(first) is Status.COMPLETED
        failed = {activation.invocation.id for activation in rig.invoker.activations()}
        assert failed == set(waiting)
        assert all(activation.spent == 1 for activation in rig.invoker.activations())

    on_rig(scenario, concurrent=1)


def test_calls_run_their_callee_and_bring_its_result() -> None:
    """A Call gets the callee's id at once and its result when it ends."""

    async def scenario(rig: Rig) -> None:
        _, answer = rig.invoke(greeter())
        caller = await rig.attempt()
        await opening(caller)
        caller.say(m.Call("Counter", "add", b"1", 1, 2, key="k"))
        named = await caller.hear()
        assert isinstance(named, m.Notification)
        assert named.type == MessageType.CALL_INVOCATION_ID_COMPLETION
        callee = await rig.attempt()
        assert isinstance(named.result, m.InvocationId)
        assert callee.headers["x-restate-invocation-id"] == named.result.id
        callee.say(Output(m.Failure(418, "teapot")), End())
        result = await caller.hear()
        assert result == m.Notification(MessageType.CALL_COMPLETION, 2, m.Failure(418, "teapot"))
        caller.say(Output(Value()), End())
        await answer

    on_rig(scenario)


def test_an_awakeable_completes_across_invocations() -> None:
    """CompleteAwakeable of one handler is the signal of the other."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        waiting = await rig.attempt()
        await opening(waiting)
        rig.invoke(greeter())
        other = await rig.attempt()
        other.say(m.CompleteAwakeable(awakeable_id(id_, 17), Value(b"up")))
        assert await waiting.hear() == m.Notification(MessageType.SIGNAL, 17, Value(b"up"))

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


def test_what_comes_before_the_exchange_is_open_goes_into_the_request() -> None:
    """A signal and a pause that follow the start at once: the SDK gets the one, then the end."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        await asyncio.sleep(0)  # the three come in one batch
        rig.processor.propose(SignalCommand(id_, 17, Value(b"s")))
        rig.processor.propose(Pause(id_, 0))
        exchange = await rig.attempt()
        await opening(exchange)
        assert await exchange.hear() == m.Notification(MessageType.SIGNAL, 17, Value(b"s"))
        assert await exchange.hear() is None
        exchange.say(m.Suspension(awaiting(1)))
        assert await rig.status(id_) is Status.PAUSED

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


def test_a_service_faster_than_the_disk_waits_for_it() -> None:
    """What it sends is not read while too much of what it sent is not durable."""

    async def scenario(rig: Rig) -> None:
        durable = asyncio.Event()
        rig.making_room = durable.wait
        id_, answer = rig.invoke(counter())
        attempt = await rig.attempt()
        attempt.say(m.SetState(b"a", b"x" * 60))
        attempt.say(m.SetState(b"b", b"x" * 60))
        attempt.say(m.SetState(b"c", b"x" * 60))
        await rig.settled()
        stored = rig.storage.view.invocation(id_)
        assert stored is not None
        assert stored.commands == 2
        durable.set()
        attempt.say(Output(Value()), End())
        await answer

    on_rig(scenario)


def test_a_long_line_waits_in_storage() -> None:
    """Memory holds its beginning; those who were killed or paused there get no slot."""

    async def scenario(rig: Rig) -> None:
        first, _ = rig.invoke(greeter())
        running = await rig.attempt()
        waiting = [rig.invoke(greeter()) for _ in range(10)]
        await rig.settled()
        held = {activation.invocation.id for activation in rig.invoker.activations()}
        assert held == {first, *(id_ for id_, _ in waiting[:2])}
        assert rig.invoker.waiting == (10, 0)
        rig.propose(Kill(waiting[3][0]))
        rig.propose(Pause(waiting[5][0]))
        assert await rig.status(waiting[5][0]) is Status.PAUSED, "at once, not when its turn comes"
        for _ in range(8):
            running.say(Output(Value()), End())
            running = await rig.attempt()
        running.say(Output(Value()), End())
        await rig.settled()
        ended = [number for number, (_, answer) in enumerate(waiting) if answer.done()]
        assert ended == [0, 1, 2, 3, 4, 6, 7, 8, 9]

    on_rig(scenario, concurrent=1, window=2)

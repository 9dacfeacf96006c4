"""One attempt: what goes over the wire, what is stored, and how it ends."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from rtour.engine.actions import Finished
from rtour.engine.commands import Pause
from rtour.engine.commands import Signal as SignalCommand
from rtour.engine.model import Status
from rtour.ids import awakeable_id, invocation_id_to_bytes
from rtour.protocol import messages as m
from rtour.protocol.framing import encode
from rtour.protocol.messages import End, MessageType, Output, Value, Void
from tests.server.rig import Rig, counter, greeter
from tests.server.scenarios import awaiting, on_rig, opening


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


def test_what_comes_before_the_exchange_is_open_goes_into_the_request() -> None:
    """A signal and a pause that follow the start at once: the SDK gets the one, then the end."""

    async def scenario(rig: Rig) -> None:
        id_, _ = rig.invoke(greeter())
        await asyncio.sleep(0)  # the three come in one batch
        rig.processor.propose(SignalCommand(id_, 17, Value(b"s")))
        rig.processor.propose(Pause(id_, 0))
        exchange = await rig.attempt()
        _, entries = await opening(exchange)
        assert entries[1:] == [m.Notification(MessageType.SIGNAL, 17, Value(b"s"))]
        assert await exchange.hear() is None
        exchange.say(m.Suspension(awaiting(1)))
        assert await rig.status(id_) is Status.PAUSED

    on_rig(scenario)


def test_an_output_without_end_is_stored_all_the_same() -> None:
    """The attempt breaks between the two: the next one replays the Output, and ends with it."""

    async def scenario(rig: Rig) -> None:
        id_, answer = rig.invoke(greeter())
        first = await rig.attempt()
        await opening(first)
        first.say(Output(Value(b"ok")))
        first.say(m.Error(500, "oops"))
        second = await rig.attempt()
        _, entries = await opening(second)
        assert entries[1:] == [Output(Value(b"ok"))]
        second.say(End())
        assert await answer == Finished(id_, Value(b"ok"))

    on_rig(scenario)


def test_commands_behind_an_output_keep_their_order() -> None:
    """Output is no end by itself: what follows is stored after it."""

    async def scenario(rig: Rig) -> None:
        rig.invoke(greeter())
        first = await rig.attempt()
        await opening(first)
        first.say(Output(Value(b"ok")), m.Run(1, "step"), m.Error(500, "oops"))
        _, entries = await opening(await rig.attempt())
        assert entries[1:] == [Output(Value(b"ok")), m.Run(1, "step")]

    on_rig(scenario)


def test_state_without_end_is_stored_all_the_same() -> None:
    """What would have gone with End is not lost with a message behind it that makes no sense."""

    async def scenario(rig: Rig) -> None:
        rig.invoke(counter())
        first = await rig.attempt()
        await opening(first)
        bad = encode(m.Notification(MessageType.SIGNAL, 17, Value()))
        first.say_bytes(encode(m.SetState(b"n", b"1")) + bad)
        _, entries = await opening(await rig.attempt())
        assert entries[1:] == [m.SetState(b"n", b"1")]

    on_rig(scenario)


def test_all_that_comes_with_end_is_one_record() -> None:
    """State and Output make no records of their own: their End takes them along."""

    async def scenario(rig: Rig) -> None:
        _, answer = rig.invoke(counter())
        first = await rig.attempt()
        before = rig.processor.applied
        first.say(m.GetEagerState(b"n", Void()), m.SetState(b"n", b"1"), Output(Value()), End())
        await answer
        assert rig.processor.applied == before + 1

    on_rig(scenario)

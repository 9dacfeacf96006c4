"""An invocation's spans: who is whose parent, through retries, sleeps, calls, sends and kills."""

from __future__ import annotations

from random import Random
from typing import Any

from rtour.engine.commands import Document, Invoke, Kill, RestartAsNew, StoreDocuments
from rtour.engine.model import DocumentKind, FromRestart, FromSubscription, Place, Trace
from rtour.engine.places import NOWHERE
from rtour.ids import invocation_id_to_bytes, make_invocation_id
from rtour.protocol import messages as m
from rtour.protocol.messages import End, Error, Future, Output, Value
from rtour.server.processor import Processor
from rtour.server.tracing.attempts import EVENTS_MAX
from rtour.server.tracing.lifecycle import Lifecycle
from rtour.server.tracing.spans import Code, Span
from rtour.server.tracing.tracer import Tracer
from tests.server.rig import Rig, counter, greeter
from tests.virtual_time import START_MS, VirtualClock, run

DONE = (Output(Value(b"1")), End())


class Traced(Rig):
    """A rig whose spans are kept."""

    def __init__(self, clock: VirtualClock, ratio: float = 1.0) -> None:
        super().__init__(clock)
        self.spans: list[Span] = []
        self.tracer = Tracer(clock, Random(7), self.spans.append, ratio)
        self.watch_with(Lifecycle(self.tracer, self.storage.view))

    def watch_with(self, watch: Any) -> None:
        assert isinstance(self.processor, Processor)
        self.processor._watch = watch

    def told(self) -> list[str]:
        """`name status`, children below their parents, each level in order of time."""
        ids = {span.context.span_id for span in self.spans}
        lines: list[str] = []

        def draw(spans: list[Span], depth: int) -> None:
            for span in spans:
                status = "" if span.code is Code.UNSET else f" {span.code.name.lower()}"
                lines.append("  " * depth + span.name + status)
                below = [it for it in self.spans if it.parent_id == span.context.span_id]
                draw(sorted(below, key=lambda it: it.start_ns), depth + 1)

        roots = [span for span in self.spans if span.parent_id not in ids]
        draw(sorted(roots, key=lambda it: it.start_ns), 0)
        return lines

    def one(self, name: str) -> Span:
        (found,) = [span for span in self.spans if span.name == name]
        return found


def events(span: Span) -> list[str]:
    return [event.name.rpartition(".")[2] for event in span.events]


def test_one_trace_holds_retries_sleeps_and_the_end() -> None:
    """Each attempt is a span with its commands; a sleep's span ends when it was over."""

    async def main(clock: VirtualClock) -> None:
        rig = Traced(clock)
        id_, answer = rig.invoke(counter())
        first = await rig.attempt()
        first.say(m.SetState(b"n", b"1"), m.Sleep(START_MS + 5_000, 1, name="nap"))
        await rig.settled()
        first.say(Error(500, "oops", stacktrace="Traceback…"))
        second = await rig.attempt()
        second.say(m.Suspension(Future(completions=(1,))))
        third = await rig.attempt()
        third.say(m.Run(2, name="charge"))
        third.say(m.ProposeRunCompletion(2, Value(b"paid")))
        third.say(*DONE)
        await answer
        assert rig.told() == [
            "invocation-start Counter/{key}/add",
            "  invocation-attempt Counter/{key}/add error",
            "    SetState n",
            "    Sleep nap",
            "  invocation-attempt Counter/{key}/add",
            "  invocation-attempt Counter/{key}/add ok",
            "    Run charge",
            "  invocation-end Counter/{key}/add ok",
        ]
        assert rig.one("Sleep nap").end_ns == (START_MS + 5_000) * 1_000_000
        failed, suspended, ended = [s for s in rig.spans if "attempt" in s.name]
        assert events(failed) == ["new_command", "new_command", "exception"]
        assert ("exception.message", "oops") in failed.events[-1].attributes
        assert failed.message == "transient failure"
        assert events(suspended) == ["suspended"]
        assert events(ended) == ["new_command", "run_ended", "new_command"]
        uuid = invocation_id_to_bytes(id_)[8:]
        assert {span.context.trace_id for span in rig.spans} == {uuid}
        assert rig.one("invocation-start Counter/{key}/add").context.span_id == uuid[8:]
        assert ("restate.invocation.result", "success") in rig.spans[-1].attributes

    run(main)


def test_the_service_is_a_child_of_its_attempt() -> None:
    """It gets the attempt's context, with the client's trace id and tracestate."""

    async def main(clock: VirtualClock) -> None:
        rig = Traced(clock)
        trace = Trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=1")
        rig.invoke(greeter(), trace=trace)
        attempt = await rig.attempt()
        sent = attempt.headers
        attempt.say(*DONE)
        await rig.settled()
        span = rig.one("invocation-attempt Greeter/greet")
        assert sent["traceparent"] == span.context.header
        assert sent["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")
        assert sent["tracestate"] == span.context.state == "vendor=1"
        start = rig.one("invocation-start Greeter/greet")
        assert start.parent_id.hex() == "b7ad6b7169203331"
        assert span.parent_id == start.context.span_id

    run(main)


def test_a_call_goes_on_in_the_trace_and_a_send_begins_one() -> None:
    """A callee is below its caller's attempt; what was sent is linked to it."""

    async def main(clock: VirtualClock) -> None:
        rig = Traced(clock)
        rig.invoke(counter())
        caller = await rig.attempt()
        caller.say(m.Call("Greeter", "greet", b"", 1, 2), m.OneWayCall("Greeter", "wave", b"", 3))
        called, sent = await rig.attempt(), await rig.attempt()
        called.say(*DONE)
        sent.say(*DONE)
        await rig.settled()
        caller.say(*DONE)
        await rig.settled()
        assert rig.told() == [
            "invocation-start Counter/{key}/add",
            "  invocation-attempt Counter/{key}/add ok",
            "    Call Greeter/greet",
            "    OneWayCall Greeter/wave",
            "    invocation-start Greeter/greet",
            "      invocation-attempt Greeter/greet ok",
            "      invocation-end Greeter/greet ok",
            "  invocation-end Counter/{key}/add ok",
            "invocation-start Greeter/wave",
            "  invocation-attempt Greeter/wave ok",
            "  invocation-end Greeter/wave ok",
        ]
        attempt = rig.one("invocation-attempt Counter/{key}/add")
        start = rig.one("invocation-start Greeter/wave")
        assert [link.context for link in start.links] == [attempt.context]
        assert start.context.trace_id != attempt.context.trace_id

    run(main)


def test_a_record_of_a_topic_is_the_root_of_its_trace() -> None:
    """Its span is made when its invocation is, with the record's place, and only once."""

    async def main(clock: VirtualClock) -> None:
        rig = Traced(clock)
        documents = (Document(DocumentKind.SUBSCRIPTION_PLACES, "sub_1", NOWHERE),)
        await rig.ask(lambda number: StoreDocuments(documents, number))
        id_ = rig.preconditions_id()
        place = Place("sub_1", "group/1/orders/3", 7, -1)
        source = FromSubscription("sub_1")

        def invoke(number: int) -> Invoke:
            return Invoke(id_, counter("Ada"), source, accept_request_id=number, place=place)

        await rig.ask(invoke)
        await rig.ask(invoke)  # the record is read again
        attempt = await rig.attempt()
        attempt.say(*DONE)
        await rig.settled()
        assert rig.told() == [
            "ingress_kafka Counter/{key}/add",
            "  invocation-start Counter/{key}/add",
            "    invocation-attempt Counter/{key}/add ok",
            "    invocation-end Counter/{key}/add ok",
        ]
        record = rig.one("ingress_kafka Counter/{key}/add")
        assert dict(record.subject + record.attributes) == {
            "rpc.service": "Counter",
            "rpc.method": "add",
            "restate.invocation.id": id_,
            "restate.invocation.target": "Counter/Ada/add",
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": "group/1",
            "messaging.source.name": "orders",
            "messaging.source.partition.id": 3,
            "messaging.kafka.offset": 7,
        }

    run(main)


def test_a_kill_ends_what_was_open() -> None:
    """The attempt is broken off, its open commands end with it, and the end says why."""

    async def main(clock: VirtualClock) -> None:
        rig = Traced(clock)
        id_, _ = rig.invoke(greeter())
        attempt = await rig.attempt()
        attempt.say(m.Sleep(START_MS + 60_000, 1))
        await rig.settled()
        await rig.ask(lambda number: Kill(id_, number))
        await rig.settled()
        assert sorted(rig.told()) == [
            "    Sleep",
            "  invocation-attempt Greeter/greet error",
            "  invocation-end Greeter/greet error",
            "invocation-start Greeter/greet",
        ]
        end = rig.one("invocation-end Greeter/greet")
        assert ("restate.invocation.error.code", "409 Conflict") in end.attributes
        assert ("error.message", "killed") in end.attributes
        assert rig.tracer is not None
        assert rig.tracer.commands._open == {}

    run(main)


def test_a_restart_is_below_what_it_repeats() -> None:
    """The copy has a span in the same trace, child of the old invocation's."""

    async def main(clock: VirtualClock) -> None:
        rig = Traced(clock)
        id_, answer = rig.invoke(greeter())
        (await rig.attempt()).say(*DONE)
        await answer
        new_id = make_invocation_id(9, 9 << 70 | 9)
        await rig.ask(lambda number: RestartAsNew(id_, new_id, request_id=number))
        (await rig.attempt()).say(*DONE)
        await rig.settled()
        assert rig.told() == [
            "invocation-start Greeter/greet",
            "  invocation-attempt Greeter/greet ok",
            "  invocation-end Greeter/greet ok",
            "  restart-as-new Greeter/greet",
            "    invocation-attempt Greeter/greet ok",
            "    invocation-end Greeter/greet ok",
        ]
        copy = rig.storage.view.invocation(new_id)
        assert copy is not None
        assert isinstance(copy.source, FromRestart)

    run(main)


def test_after_a_restart_of_the_server_the_trace_goes_on() -> None:
    """A new life knows the start span from what is stored, and reads a sleep's begin back."""

    async def main(clock: VirtualClock) -> None:
        rig = Traced(clock)
        rig.invoke(counter())
        first = await rig.attempt()
        first.say(m.Sleep(START_MS + 5_000, 1, name="nap"))
        await rig.settled()
        first.say(m.Suspension(Future(completions=(1,))))
        await rig.settled()
        before = rig.one("invocation-start Counter/{key}/add")
        # What a new process has of the old one is the storage.
        rig.spans.clear()
        rig.tracer = Tracer(clock, Random(8), rig.spans.append)
        rig.watch_with(Lifecycle(rig.tracer, rig.storage.view))
        (await rig.attempt()).say(*DONE)
        await rig.settled()
        assert rig.told() == [
            "Sleep nap",
            "invocation-attempt Counter/{key}/add ok",
            "invocation-end Counter/{key}/add ok",
        ]
        assert {span.parent_id for span in rig.spans} == {before.context.span_id}
        assert {span.context.trace_id for span in rig.spans} == {before.context.trace_id}
        nap = rig.one("Sleep nap")
        assert (nap.end_ns - nap.start_ns) == 5_000_000_000

    run(main)


def test_what_is_not_recorded_is_still_passed_on() -> None:
    """A ratio of 0 makes no span, and the service is told not to record either."""

    async def main(clock: VirtualClock) -> None:
        rig = Traced(clock, ratio=0.0)
        rig.invoke(greeter())
        attempt = await rig.attempt()
        assert attempt.headers["traceparent"].endswith("-00")
        attempt.say(m.Call("Greeter", "greet", b"", 1, 2))
        called = await rig.attempt()
        assert called.headers["traceparent"].endswith("-00")
        called.say(*DONE)
        attempt.say(m.Run(3), m.ProposeRunCompletion(3, Value(b"")), *DONE)
        await rig.settled()
        assert rig.spans == []

    run(main)


def test_spans_that_find_no_room_are_not_made() -> None:
    """They are counted, their context is passed on all the same, and later ones are told again."""

    async def main(clock: VirtualClock) -> None:
        rig = Traced(clock)
        rig.tracer.counts.full = True
        for _ in range(2):
            rig.invoke(greeter())
            attempt = await rig.attempt()
            assert attempt.headers["traceparent"].endswith("-01")
            attempt.say(m.Sleep(clock.now_ms() + 5, 1), m.Suspension(Future(completions=(1,))))
            attempt = await rig.attempt()
            attempt.say(*DONE)
            await rig.settled()
            if rig.tracer.counts.full:
                # The start, two attempts and the end; commands are not looked at.
                assert (rig.spans, rig.tracer.counts.lost) == ([], 4)
                rig.tracer.counts.full = False
        assert (len(rig.spans), rig.tracer.counts.lost) == (5, 4)

    run(main)


def test_half_of_the_new_traces_are_recorded() -> None:
    """The ratio is kept among many, and a client's own decision wins over it."""
    tracer = Tracer(VirtualClock.__new__(VirtualClock), Random(3), lambda _: None, 0.5)
    recorded = sum(tracer.begin(None)[0].sampled for _ in range(2000))
    assert 900 < recorded < 1100
    asked = Trace("00-0af7651916cd43ddffffffffffffffff-b7ad6b7169203331-01")
    assert tracer.begin(asked)[0].sampled


def test_a_talkative_attempt_keeps_its_span_small() -> None:
    """Events beyond the limit are counted, not kept."""

    async def main(clock: VirtualClock) -> None:
        rig = Traced(clock)
        _, answer = rig.invoke(counter())
        attempt = await rig.attempt()
        for _ in range(EVENTS_MAX + 9):
            attempt.say(m.SetState(b"n", b"1"))
        attempt.say(*DONE)
        await answer
        span = rig.one("invocation-attempt Counter/{key}/add")
        assert (len(span.events), span.dropped_events) == (EVENTS_MAX, 10)

    run(main)

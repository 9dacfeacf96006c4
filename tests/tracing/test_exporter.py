"""A collector may be slow, silent or gone: spans wait, are counted when lost, and never block."""

from __future__ import annotations

import asyncio
import logging

import pytest

from rtour.server.tasks import TaskSet
from rtour.server.trace_context import SpanContext
from rtour.server.tracing.exporter import Exporter, ExportLimits, Undelivered
from rtour.server.tracing.spans import Event, Span
from tests.virtual_time import VirtualClock, run

CONTEXT = SpanContext(b"t" * 16, b"s" * 8)


def span(number: int, events: int = 0) -> Span:
    told = tuple(Event(number, "e") for _ in range(events))
    return Span(CONTEXT, str(number), number, number, events=told)


def encode(told: Span) -> bytes:
    return told.name.encode()


class Collector:
    """Takes batches; `answers` come first: an exception to raise, a count refused, or a wait."""

    def __init__(self, *answers: Exception | float) -> None:
        self.answers = [*answers]
        self.batches: list[list[bytes]] = []

    async def __call__(self, batch: list[bytes]) -> tuple[int, str]:
        answer = self.answers.pop(0) if self.answers else 0
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            answer = 0
        self.batches.append(batch)
        return answer, "too old" if answer else ""

    @property
    def names(self) -> list[str]:
        return [each.decode() for batch in self.batches for each in batch]


def down(*, again: bool = True) -> Undelivered:
    return Undelivered("connection refused", again=again)


def test_spans_go_in_batches_by_count_and_by_size() -> None:
    """What came within the linger goes together, as much as collectors take at once."""

    async def main(_: VirtualClock) -> None:
        collector, tasks = Collector(), TaskSet()
        limits = ExportLimits(batch_spans_max=3, batch_bytes_max=4)
        exporter = Exporter(encode, collector, "here", limits)
        tasks.spawn(exporter.run(), "exporter")
        for number in (1, 2, 3, 4, 55555, 6):
            exporter.offer(span(number))
        await asyncio.sleep(1)
        assert collector.batches == [[b"1", b"2", b"3"], [b"4", b"55555"], [b"6"]]
        assert (exporter.counts.exported, exporter.counts.lost) == (6, 0)
        await tasks.cancel_all()

    run(main)


def test_a_collector_that_is_back_gets_what_waited(caplog: pytest.LogCaptureFixture) -> None:
    """A batch is tried again, ever more rarely; one warning says so, and one line the end."""
    caplog.set_level(logging.INFO, "rtour.tracing")

    async def main(_: VirtualClock) -> None:
        collector, tasks = Collector(*[down()] * 8), TaskSet()
        exporter = Exporter(encode, collector, "http://collector:4317")
        tasks.spawn(exporter.run(), "exporter")
        exporter.offer(span(1))
        await asyncio.sleep(5)
        exporter.offer(span(2))
        assert exporter.counts.failures == 3
        await asyncio.sleep(300)
        assert collector.names == ["1", "2"]
        assert (exporter.counts.exported, exporter.counts.lost) == (2, 0)
        await tasks.cancel_all()

    run(main)
    first, last = caplog.messages  # of 8 failures in 121 s
    assert first == (
        "No spans get to http://collector:4317: connection refused. Invocations go on; "
        "1 spans wait, 0 were lost"
    )
    assert last == "Spans are exported again; 0 were lost so far"


def test_what_stays_wrong_is_told_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """Each reason when it is new, and every ten minutes as long as it lasts."""

    async def main(_: VirtualClock) -> None:
        silent = Undelivered("no answer", again=True)
        collector, tasks = Collector(*[down(), silent] * 60), TaskSet()
        exporter = Exporter(encode, collector, "here")
        tasks.spawn(exporter.run(), "exporter")
        exporter.offer(span(1))
        await asyncio.sleep(1500)
        assert exporter.counts.failures == 54
        await tasks.cancel_all()

    run(main)
    told = [text.split(": ")[1].split(".")[0] for text in caplog.messages]
    assert told == ["connection refused", "no answer"] * 3


def test_spans_that_find_no_room_are_counted() -> None:
    """The queue has an end, events weigh too, and what is offered never waits."""

    async def main(_: VirtualClock) -> None:
        collector, tasks = Collector(1e9), TaskSet()
        exporter = Exporter(encode, collector, "here", ExportLimits(queued_max=10))
        tasks.spawn(exporter.run(), "exporter")
        exporter.offer(span(0))
        await asyncio.sleep(1)  # the collector hangs with this one
        exporter.offer(span(1, events=6))
        for number in range(2, 7):
            exporter.offer(span(number))
        assert exporter.counts.lost == 2
        await tasks.cancel_all()

    run(main)


def test_what_a_collector_will_never_take_is_lost() -> None:
    """A batch that was refused for good, or in part, is counted, and the next one goes."""

    async def main(_: VirtualClock) -> None:
        collector, tasks = Collector(down(again=False), 1), TaskSet()
        exporter = Exporter(encode, collector, "here", ExportLimits(batch_spans_max=2))
        tasks.spawn(exporter.run(), "exporter")
        for number in range(6):
            exporter.offer(span(number))
        await asyncio.sleep(5)
        assert collector.names == ["2", "3", "4", "5"]
        counts = exporter.counts
        assert (counts.exported, counts.lost, counts.failures) == (3, 3, 1)
        await tasks.cancel_all()

    run(main)


@pytest.mark.parametrize(("answer", "sent"), [(0, ["1"]), (down(), []), (1e9, [])])
def test_a_stop_waits_a_moment_for_the_last_spans(answer: Exception | float, sent: list) -> None:
    """They are exported if the collector answers; if not, the server stops all the same."""

    async def main(_: VirtualClock) -> None:
        collector = Collector(answer)
        exporter = Exporter(encode, collector, "here", ExportLimits(farewell_s=2))
        exporter.offer(span(1))
        began = asyncio.get_running_loop().time()
        await exporter.close()
        assert asyncio.get_running_loop().time() - began <= 2
        assert collector.names == sent

    run(main)


def test_encoding_lets_others_work() -> None:
    """A large batch is encoded piece by piece: between the pieces the loop turns."""

    async def main(_: VirtualClock) -> None:
        turns: list[int] = []
        collector, tasks = Collector(), TaskSet()

        async def other() -> None:
            while len(encoded) < 100:
                turns.append(len(encoded))
                await asyncio.sleep(0)

        encoded: list[Span] = []

        def count(told: Span) -> bytes:
            encoded.append(told)
            return encode(told)

        exporter = Exporter(count, collector, "here", ExportLimits(encoded_at_once=10, linger_s=0))
        for number in range(100):
            exporter.offer(span(number))
        tasks.spawn(exporter.run(), "exporter")
        await other()
        assert [each for each in turns if each][:4] == [10, 20, 30, 40]
        await tasks.cancel_all()

    run(main)


def test_while_there_is_no_room_none_is_asked_for() -> None:
    """From the first that found none until half of the queue is gone."""

    async def main(_: VirtualClock) -> None:
        collector, tasks = Collector(*[down()] * 2), TaskSet()
        exporter = Exporter(encode, collector, "here", ExportLimits(queued_max=4))
        for number in range(4):
            exporter.offer(span(number))
        assert not exporter.counts.full
        exporter.offer(span(4))
        assert (exporter.counts.full, exporter.counts.lost) == (True, 1)
        tasks.spawn(exporter.run(), "exporter")
        await asyncio.sleep(60)
        assert (exporter.counts.full, collector.names) == (False, ["0", "1", "2", "3"])
        await tasks.cancel_all()

    run(main)

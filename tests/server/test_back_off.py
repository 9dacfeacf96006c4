"""Some of what waits for its next try is held; the rest is left to storage, and comes back."""

from __future__ import annotations

import asyncio
import itertools
import tracemalloc

import pytest
from msgspec.structs import replace

from rtour.clock import SkippingClock
from rtour.engine.actions import Finished, Outcome, Verdict
from rtour.engine.commands import Kill, Pause, Resume, Signal
from rtour.engine.model import AttemptError, FromIngress, Invocation, Status, Target
from rtour.protocol import messages as m
from rtour.protocol.messages import End, Output, Value
from rtour.server.activation import Activation, Tried
from rtour.server.back_off import BackOff
from rtour.server.backlog import Left
from rtour.server.live import live_attempts
from rtour.server.reasons import Reasons
from tests.server.rig import Rig, greeter
from tests.virtual_time import VirtualClock, run

HOUR_MS = 3_600_000
DOWN = m.Error(503, "the database is away")
FINE = (Output(Value(b"fine")), End())


async def failing(rig: Rig, count: int) -> list[str]:
    """Invocations whose first attempt failed, in order of what is due: one after the other."""
    rig.policy = replace(rig.policy, initial_interval_ms=HOUR_MS, max_interval_ms=None)
    ids = []
    for _ in range(count):
        id_, _ = rig.invoke(greeter())
        (await rig.attempt()).say(DOWN)
        await rig.settled()
        ids.append(id_)
    return ids


def held(rig: Rig) -> list[str]:
    return [activation.invocation.id for activation in rig.invoker.activations()]


def test_memory_holds_some_and_the_views_show_all() -> None:
    """Who was left to storage backs off like everybody, with the reason and the time of its try."""

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, retries_held=2)
        ids = await failing(rig, 5)
        assert held(rig) == ids[:2]
        assert rig.invoker.waiting == (0, 5)
        rows = {row.id: row for row in live_attempts(rig.invoker)}
        assert list(rows) == ids
        for row in rows.values():
            assert row.last_failure == "[503] the database is away"
            assert (row.retry_count, row.in_flight, row.last_start_at) == (1, False, clock.now_ms())
            assert row.last_attempt_deployment_id == "dp_1"
            assert HOUR_MS <= (row.next_retry_at or 0) - clock.now_ms() <= 1.3 * HOUR_MS

    run(main)


@pytest.mark.parametrize("retries_held", [0, 2, 10_000])
def test_all_are_tried_again_when_it_is_time(retries_held: int) -> None:
    """Wherever they wait: no sooner than planned, and until the budget is spent."""

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, retries_held=retries_held)
        ids = await failing(rig, 4)
        began = clock.now_ms()
        for _ in ids:
            (await rig.attempt()).say(DOWN)
            assert clock.now_ms() - began >= HOUR_MS
        for _ in ids:
            (await rig.attempt()).say(DOWN)
        for id_ in ids:
            assert await rig.status(id_) is Status.PAUSED, "after three attempts, as configured"
        assert clock.now_ms() - began >= 3 * HOUR_MS
        assert rig.invoker.waiting == (0, 0)
        assert not held(rig)

    run(main)


def test_the_killed_and_the_paused_are_tried_no_more() -> None:
    """Also where only storage remembers them; a pause is there at once."""

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, retries_held=0)
        killed, paused, left = await failing(rig, 3)
        rig.propose(Kill(killed))
        rig.propose(Pause(paused))
        assert await rig.status(paused) is Status.PAUSED
        assert rig.invoker.waiting == (0, 1)
        (await rig.attempt()).say(*FINE)
        assert await rig.status(left) is Status.COMPLETED
        await asyncio.sleep(2 * HOUR_MS / 1000)
        assert rig.transport.waiting == 0

    run(main)


def test_a_resume_tries_at_once_and_keeps_the_budget() -> None:
    """It is the next attempt and not the first one; the planned time is void."""

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, retries_held=0)
        (id_,) = await failing(rig, 1)
        before = clock.now_ms()
        resumed = await rig.ask(lambda number: Resume(id_, request_id=number))
        assert resumed == Outcome(Verdict.DONE)
        attempt = await rig.attempt()
        assert clock.now_ms() == before
        (activation,) = rig.invoker.activations()
        assert (activation.attempts, activation.failures) == (2, 1)
        assert activation.last_error == AttemptError(503, DOWN.message, doc_code="RT0007")
        attempt.say(m.Error(503, "still away", next_retry_delay_ms=10 * HOUR_MS))
        await asyncio.sleep(2 * HOUR_MS / 1000)
        assert rig.transport.waiting == 0, "it is not tried when it would have been due"
        (await rig.attempt()).say(*FINE)
        assert await rig.status(id_) is Status.COMPLETED

    run(main)


def test_what_came_meanwhile_is_in_the_next_journal() -> None:
    """A signal to one that is left to storage waits for its next try."""

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, retries_held=0)
        id_, answer = rig.invoke(greeter())
        rig.policy = replace(rig.policy, initial_interval_ms=HOUR_MS)
        (await rig.attempt()).say(DOWN)
        await rig.settled()
        rig.propose(Signal(id_, 17, Value(b"news")))
        again = await rig.attempt()
        start, _input, signal = [await again.hear() for _ in range(3)]
        assert isinstance(start, m.Start)
        assert start.known_entries == 2
        assert start.retry_count_since_last_stored_entry == 1
        assert signal == m.Notification(m.MessageType.SIGNAL, 17, Value(b"news"))
        again.say(*FINE)
        assert await answer == Finished(id_, Value(b"fine"))

    run(main)


# --- alone ---------------------------------------------------------------------------------------

_numbers = itertools.count(1)


def activation(tried: Tried | None = None, error: AttemptError | None = None) -> Activation:
    number = next(_numbers)
    invocation = Invocation(
        id=f"inv_1{number:037}",
        number=number,
        target=Target("Greeter", "greet"),
        status=Status.INVOKED,
        source=FromIngress(),
        created_at=0,
        modified_at=0,
        attempt=2,
    )
    made = Activation(invocation, tried or Tried(1, 1, 1, 5, 6))
    made.last_error = error
    return made


class Hands:
    """A back-off that holds few or none, and what it asked for."""

    def __init__(self, clock: VirtualClock | SkippingClock, held_max: int = 0) -> None:
        self.brought: list[Left] = []
        self.begun: list[int] = []
        self.back_off = BackOff(clock, held_max, self._bring_back, self._begin)

    def _bring_back(self, left: Left) -> Activation | None:
        self.brought.append(left)
        made = activation(left.tried)
        made.invocation = replace(made.invocation, number=left.number)
        return made

    def _begin(self, activation: Activation) -> None:
        self.back_off.end(activation)
        self.begun.append(activation.invocation.number)


def test_what_is_left_weighs_little() -> None:
    """Some 300 bytes each, however long the reason that all have in common."""

    async def main(clock: VirtualClock) -> None:
        hands = Hands(clock)
        error = AttemptError(500, "x" * 10_000, "y" * 5_000)
        tracemalloc.start()
        for _ in range(10_000):
            hands.back_off.wait(activation(error=error), clock.now_ms() + HOUR_MS)
        weight, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert weight / 10_000 < 400
        assert len(hands.back_off) == 10_000
        assert all(retry.reason.last_error is error for retry in hands.back_off.left())

    run(main)


def test_thousands_that_are_due_at_once_come_a_page_at_a_time() -> None:
    """Nobody else waits for them: each page is a turn of the event loop of its own."""

    async def main(clock: VirtualClock) -> None:
        hands = Hands(clock)
        for _ in range(1000):
            hands.back_off.wait(activation(), clock.now_ms() + 1000)
        await asyncio.sleep(1)
        turns = set()
        while len(hands.begun) < 1000:
            turns.add(len(hands.begun))
            await asyncio.sleep(0)
        assert len(turns) >= 9
        assert hands.begun == sorted(hands.begun)

    run(main)


def test_a_skip_is_heard_and_a_stopped_clock_waits() -> None:
    """What becomes due by a skip is counted and begun; nothing is due while the clock stands."""

    async def main(machine: VirtualClock) -> None:
        clock = SkippingClock(machine)
        hands = Hands(clock)
        near, far = activation(), activation()
        hands.back_off.wait(far, clock.now_ms() + 2 * HOUR_MS)
        hands.back_off.wait(near, clock.now_ms() + HOUR_MS)
        assert hands.back_off.next() == (clock.now_ms() + HOUR_MS, near.invocation.id)
        clock.state = clock.state.frozen(machine.now_ms())
        assert hands.back_off.clock_changed() == 0
        await asyncio.sleep(3 * HOUR_MS / 1000)
        assert not hands.begun
        clock.state = clock.state.moved(HOUR_MS)
        assert hands.back_off.clock_changed() == 1
        assert hands.begun == [near.invocation.number]

    run(main)


@pytest.mark.parametrize("held_max", [0, 1, 2])
def test_what_a_skip_makes_due_begins_with_it(held_max: int) -> None:
    """At once, and once: no change of the clock that comes behind puts it off (seed 8982)."""

    async def main(machine: VirtualClock) -> None:
        clock = SkippingClock(machine)
        hands = Hands(clock, held_max)
        due = [activation(), activation()]
        for each in due:
            hands.back_off.wait(each, clock.now_ms() + HOUR_MS)
        clock.state = clock.state.moved(HOUR_MS)
        assert hands.back_off.clock_changed() == 2
        assert sorted(hands.begun) == [each.invocation.number for each in due]
        assert hands.back_off.clock_changed() == 0
        await asyncio.sleep(1)
        assert len(hands.begun) == 2

    run(main)


def test_one_that_is_put_again_counts_once() -> None:
    """The later plan holds; what is forgotten is let go, though its time has not come."""

    async def main(clock: VirtualClock) -> None:
        hands = Hands(clock)
        one = activation()
        for _ in range(1000):
            hands.back_off.wait(one, clock.now_ms() + HOUR_MS)
            hands.back_off.forget(one.invocation.id)
        assert len(hands.back_off._order) < 200
        hands.back_off.wait(one, clock.now_ms() + 2 * HOUR_MS)
        await asyncio.sleep(1.5 * HOUR_MS / 1000)
        assert not hands.begun
        await asyncio.sleep(HOUR_MS / 1000)
        assert hands.begun == [one.invocation.number]
        assert hands.back_off.next() is None

    run(main)


def test_reasons_are_few_and_short() -> None:
    """One too many, or one too long, is not remembered; the same one has the same number."""
    reasons = Reasons()
    first = activation(error=AttemptError(500, "one"))
    assert reasons.number_of(first) == reasons.number_of(activation(error=first.last_error)) == 1
    assert reasons.number_of(activation(error=AttemptError(500, "x" * 20_000))) == 0
    for number in range(2000):
        reasons.number_of(activation(error=AttemptError(500, str(number))))
    assert reasons.number_of(activation(error=AttemptError(500, "another"))) == 0
    assert reasons[0].last_error is None
    assert reasons[1].last_error == first.last_error
    reasons.clear()
    assert reasons.number_of(activation(error=AttemptError(500, "another"))) == 1

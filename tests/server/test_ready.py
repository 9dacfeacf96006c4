"""Slots are shared: nobody gets all, all get a turn, and callers hear when it is too much."""

from __future__ import annotations

import itertools

import pytest

from rtour.engine.model import FromIngress, Invocation, RequestSink, Status, Target
from rtour.server.activation import Activation
from rtour.server.backlog import Left
from rtour.server.invoker_terms import InvokerLimits
from rtour.server.ready import ReadyQueue

_numbers = itertools.count(1)


class Hands:
    """A queue, a clock that is moved by hand, and what is left to storage."""

    def __init__(self, concurrent: int, crowd: int = 2, window: int = 1000) -> None:
        self.now = 0.0
        self.stored: dict[int, Activation] = {}
        self.brought: list[Left] = []
        limits = InvokerLimits(concurrent, window=window)
        self.queue = ReadyQueue(limits, lambda: self.now, self._bring_back, crowd)

    def _bring_back(self, left: Left) -> Activation | None:
        self.brought.append(left)
        return self.stored.pop(left.number, None)

    def begun(self, place: str, wanted: int) -> int:
        """How many of those who want to begin may."""
        return sum(self.queue.begin(place) for _ in range(wanted))

    def put(self, place: str, *, caller: bool = False, attempts: int = 0) -> Activation:
        number = next(_numbers)
        activation = Activation(
            Invocation(
                id=f"inv_{number}",
                number=number,
                target=Target(place, "run"),
                status=Status.INVOKED,
                source=FromIngress(),
                created_at=0,
                modified_at=0,
                sinks=(RequestSink(1),) if caller else (),
            )
        )
        activation.attempts = attempts
        if not self.queue.put(place, activation):
            self.stored[number] = activation
        return activation

    def order(self, place: str) -> list[Activation]:
        """Who gets the place's only slot, one after the other."""
        found: list[Activation] = []
        while len(self.queue):
            self.queue.end(place)
            while (taken := self.queue.next()) is None and self.queue.unfinished:
                pass
            if taken is None:
                break
            found.append(taken[0])
        return found

    def next_places(self) -> list[str]:
        found = iter(self.queue.next, None)
        return [place for _, place in found]


@pytest.mark.parametrize("concurrent", [1, 2, 5, 7, 8, 10, 64, 1000])
def test_one_place_alone_gets_what_is_configured(concurrent: int) -> None:
    """No less than `concurrent`, also when it is few, and no more."""
    assert Hands(concurrent).begun("a", 3000) == concurrent


def test_places_that_hang_leave_slots_for_others() -> None:
    """Each gets most of what is left."""
    hands = Hands(1000)
    assert [hands.begun(place, 3000) for place in "abcde"] == [1000, 112, 12, 1, 0]
    hands.queue.end("b")
    assert hands.begun("b", 1) == 0, "it has had more than its share"
    assert hands.begun("e", 3000) == 1


def test_places_take_turns() -> None:
    """A thousand that wait for one place do not hold up the one that waits for another."""
    hands = Hands(1)
    assert hands.queue.begin("a")
    for _ in range(3):
        hands.put("a")
    for _ in range(2):
        hands.put("b")
    order = []
    place = "a"
    while len(hands.queue):
        hands.queue.end(place)
        (place,) = hands.next_places()
        order.append(place)
    assert order == ["a", "b", "a", "b", "a"]


def test_those_who_wait_are_not_overtaken() -> None:
    """A slot goes to the first in line, not to who asks just then."""
    hands = Hands(1)
    assert hands.queue.begin("a")
    first, second = hands.put("a"), hands.put("a")
    hands.queue.end("a")
    assert not hands.queue.begin("a")
    assert hands.queue.next() == (first, "a")
    assert second.queued
    assert not first.queued


def test_the_dropped_are_passed_over() -> None:
    """What was killed while it waited takes no slot."""
    hands = Hands(1)
    assert hands.queue.begin("a")
    dropped, alive = hands.put("a"), hands.put("a")
    dropped.queued = False
    hands.queue.end("a")
    assert hands.queue.next() == (alive, "a")
    hands.queue.end("a")
    assert hands.queue.next() is None
    assert hands.queue.begin("a"), "the slot of neither is lost"


def test_callers_hear_when_it_is_too_much() -> None:
    """As many wait as there are slots, the first of them for long: callers of that place only."""
    hands = Hands(2)
    assert hands.begun("a", 2) == 2
    hands.put("a", caller=True)
    hands.now = 5.0
    assert not hands.queue.overloaded("a"), "one waits, which is no crowd"
    hands.put("a", caller=True)
    assert hands.queue.overloaded("a")
    assert not hands.queue.overloaded("b")
    hands.queue.end("a")
    assert hands.next_places() == ["a"]
    assert not hands.queue.overloaded("a")


def test_a_burst_is_no_overload() -> None:
    """However many come at once, they are served as long as nobody waits for long."""
    hands = Hands(2)
    assert hands.begun("a", 2) == 2
    for _ in range(100):
        hands.put("a", caller=True)
    assert not hands.queue.overloaded("a")


def test_few_slots_are_no_overload() -> None:
    """A server with five slots queues its callers, also for long (simulation, seed 143)."""
    hands = Hands(5, crowd=1000)
    assert hands.begun("a", 5) == 5
    for _ in range(999):
        hands.put("a", caller=True)
    hands.now = 60.0
    assert not hands.queue.overloaded("a")
    hands.put("a", caller=True)
    assert hands.queue.overloaded("a")


def test_work_that_nobody_waits_for_is_no_overload() -> None:
    """Sends may queue for hours: that is what they are for."""
    hands = Hands(2)
    assert hands.begun("a", 2) == 2
    for _ in range(100):
        hands.put("a")
    hands.now = 3600.0
    assert not hands.queue.overloaded("a")


# --- what is left to storage ---------------------------------------------------------------------


def test_the_end_of_a_long_line_is_left_to_storage() -> None:
    """Its order stays, and so does the count of who waits."""
    hands = Hands(1, window=3)
    assert hands.queue.begin("a")
    line = [hands.put("a") for _ in range(500)]
    assert len(hands.stored) == 497
    assert len(hands.queue) == 500
    assert hands.order("a") == line
    assert not hands.stored


def test_who_was_tried_before_is_left_with_what_is_known_of_that() -> None:
    """Earlier attempts, which are stored nowhere, give nobody a better place."""
    hands = Hands(1, window=1)
    assert hands.queue.begin("a")
    first, left = hands.put("a"), hands.put("a")
    again = hands.put("a", attempts=3)
    assert list(hands.stored.values()) == [left, again]
    assert hands.order("a") == [first, left, again]
    assert [each.tried.attempts for each in hands.brought] == [0, 3]


def test_nobody_overtakes_those_who_were_left() -> None:
    """There is room in memory again, but others came first."""
    hands = Hands(1, window=2)
    assert hands.queue.begin("a")
    line = [hands.put("a") for _ in range(4)]
    hands.queue.end("a")
    assert hands.queue.next() == (line[0], "a")
    line.append(hands.put("a"))
    assert hands.order("a") == line[1:]


def test_thousands_that_were_killed_are_passed_over_in_parts() -> None:
    """Nobody waits for the ones behind them longer than it takes to look."""
    hands = Hands(1, window=1)
    assert hands.queue.begin("a")
    first = hands.put("a")
    for _ in range(1000):
        hands.put("a")
    hands.stored.clear()
    last = hands.put("a")
    hands.queue.end("a")
    assert hands.queue.next() == (first, "a")
    hands.queue.end("a")
    turns = 0
    while (found := hands.queue.next()) is None:
        assert hands.queue.unfinished
        turns += 1
    assert found == (last, "a")
    assert turns == 10
    hands.queue.end("a")
    assert hands.queue.next() is None
    assert not hands.queue.unfinished
    assert hands.queue.begin("a")


def test_callers_who_were_left_to_storage_count() -> None:
    """A crowd is a crowd wherever it waits; who has gone is one of it no more."""
    hands = Hands(2, crowd=4, window=1)
    assert hands.begun("a", 2) == 2
    for _ in range(4):
        hands.put("a", caller=True)
    hands.now = 5.0
    assert hands.queue.overloaded("a")
    hands.stored.clear()
    hands.queue.end("a")
    assert hands.next_places() == ["a"]
    assert not hands.queue.overloaded("a")
    hands.queue.end("a")
    assert hands.next_places() == []
    assert len(hands.queue) == 0

"""However many wait for one invocation, each costs the same, and is told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtour.engine import commands as c
from rtour.engine import waiting
from rtour.engine.actions import Respond, TellRest
from rtour.engine.decision import Decision
from rtour.engine.model import CallerSink, RequestSink, Sink
from rtour.protocol import messages as m
from rtour.storage import Storage
from rtour.storage.memory import MemoryStorage
from rtour.storage.settings import SqliteSettings
from rtour.storage.sqlite import SqliteStorage
from tests.storage import values as v

from .world import Step, World

MANY = 10_000
COMMIT_EVERY = 500
KEPT = (10**6, 10**6)
ATTACHED = m.MessageType.ATTACH_INVOCATION_COMPLETION


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "memory":
        yield MemoryStorage()
        return
    storage = SqliteStorage(tmp_path, SqliteSettings(sync=False))
    yield storage
    storage.close()


def caller(number: int) -> CallerSink:
    """One that has gone: what it is told changes nothing."""
    return CallerSink(f"inv_{number}", number, 1, ATTACHED)


def told(step: Step) -> list[Sink]:
    """Who is told with this step."""
    return listeners(step.decision)


def listeners(decision: Decision) -> list[Sink]:
    callers: list[Sink] = [each.sink for each in decision.messages if isinstance(each, c.Complete)]
    answers = [each for each in decision.actions if isinstance(each, Respond)]
    return [*callers, *(RequestSink(each.request_id) for each in answers if each.request_id)]


def rest(step: Step) -> list[c.Tell]:
    """What is to be proposed after this step's commit."""
    return [
        c.Tell(each.id, each.number) for each in step.decision.actions if isinstance(each, TellRest)
    ]


def written(step: Step) -> int:
    """How many bytes of changes are stored with the step."""
    return sum(len(msgspec.msgpack.encode(each)) for each in step.decision.changes)


async def test_the_ten_thousandth_costs_what_the_tenth_does(storage: Storage) -> None:
    """What an attachment writes is as much, and no commit tells more than its share."""
    world = World(storage)
    world.invoke("a", "Greeter/greet", keep=KEPT)
    sizes = []
    for number in range(1_000, 1_000 + MANY):
        (step,) = world.apply(c.Attach(world.id("a"), caller(number)))
        sizes.append(written(step))
        if number % COMMIT_EVERY == 0:
            await v.committed(storage)
    assert max(sizes[10:]) <= sizes[10] + 4  # digits
    assert len(world.stored("a").sinks) == waiting.SINKS_IN_ROW

    ended, *_ = world.apply(c.AttemptEnded(world.id("a"), 1))
    heard, pieces, left = Counter(told(ended)), [ended], rest(ended)
    while left:
        await v.committed(storage)
        step, *_ = world.apply(*left)
        heard.update(told(step))
        pieces.append(step)
        left = rest(step)
    assert heard == Counter(caller(number) for number in range(1_000, 1_000 + MANY))
    assert len(pieces) == -(-(MANY - waiting.SINKS_IN_ROW) // waiting.TOLD_AT_ONCE)
    assert max(len(piece.decision.changes) for piece in pieces) <= waiting.TOLD_AT_ONCE + 2
    number = world.stored("a").number
    assert world.view.waiters(world.id("a"), number, 1) == []
    assert world.view.telling(world.id("a"), number) is None


@given(
    waiters=st.lists(st.integers(1, 40), unique=True, max_size=30),
    leave=st.sets(st.integers(1, 40)),
    at_once=st.integers(1, 7),
    ends=st.sampled_from([c.Kill, c.AttemptEnded]),
    keep=st.sampled_from([KEPT, (0, 0)]),
)
def test_who_waits_is_told_once_and_who_left_is_not(
    waiters: list[int], leave: set[int], at_once: int, ends: type, keep: tuple[int, int]
) -> None:
    """Odd ones are callers, even ones requests, of whom some leave; nothing is left over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "TOLD_AT_ONCE", at_once)
        world = World()
        world.invoke("a", "Greeter/greet", keep=keep)
        id_ = world.id("a")
        for number in waiters:
            world.apply(c.Attach(id_, caller(number) if number % 2 else RequestSink(number)))
        for number in sorted(leave):
            world.apply(c.Detach(id_, number))
        step, *_ = world.apply(ends(id_) if ends is c.Kill else ends(id_, 1))
        heard = Counter(told(step))
        while left := rest(step):
            step, *_ = world.apply(*left)
            heard.update(told(step))
    stay = [number for number in waiters if number % 2 or number not in leave]
    assert heard == Counter(caller(n) if n % 2 else RequestSink(n) for n in stay)
    assert not any(world.storage.working.waiters.values())
    assert not world.storage.working.tellings


@pytest.mark.parametrize(("size", "count"), [(0, 100), (1 << 10, 100), (1 << 20, 4), (32 << 20, 1)])
def test_a_large_result_is_told_to_fewer_at_once(size: int, count: int) -> None:
    """A commit holds a copy of the result for each of them."""
    world = World()
    world.invoke("a", "Greeter/greet")
    for number in range(1, 201):
        world.apply(c.Attach(world.id("a"), caller(number)))
    decision = Decision()
    waiting.tell_all(world.view, world.stored("a"), m.Value(bytes(size)), decision)
    assert len(listeners(decision)) == waiting.SINKS_IN_ROW + count
    assert any(isinstance(each, TellRest) for each in decision.actions)


def test_what_is_told_outlives_a_restart() -> None:
    """The next life is given the command to go on with, and tells the others."""
    world = World()
    world.invoke("a", "Greeter/greet")
    for number in range(1, 251):
        world.apply(c.Attach(world.id("a"), caller(number)))
    world.apply(c.Kill(world.id("a")))
    after = World(MemoryStorage(world.storage.working))
    after.sequence = world.sequence
    (tell,) = after.storage.recover().tellings
    assert told(after.apply(tell)[0]) == [caller(number) for number in range(105, 205)]
    assert told(after.apply(tell)[0]) == [caller(number) for number in range(205, 251)]
    assert told(after.apply(tell)[0]) == []
    assert not after.storage.working.tellings


def test_a_telling_is_of_one_life_of_an_id() -> None:
    """Who waits for the next invocation with the same id hears nothing of the last one's end."""
    world = World()
    world.invoke("a", "Greeter/greet")
    first = world.stored("a").number
    for number in range(1, 250):
        world.apply(c.Attach(world.id("a"), caller(number)))
    world.apply(c.Kill(world.id("a")))
    world.invoke("a", "Greeter/greet")
    for number in range(1_001, 1_020):
        world.apply(c.Attach(world.id("a"), caller(number)))
    told_later = told(world.apply(c.Tell(world.id("a"), first))[0])
    assert told_later == [caller(number) for number in range(105, 205)]
    assert len(world.view.waiters(world.id("a"), world.stored("a").number, 100)) == 15

"""Entries that come with their End do what they all would do one after the other."""

from __future__ import annotations

import pytest

from rtour.engine.commands import AttemptEnded, PatchState, StoreEntry
from rtour.engine.model import StatePatch
from rtour.ids import state_version
from rtour.protocol import messages as m
from rtour.protocol.framing import encode_payload
from rtour.protocol.messages import COMMAND_TYPES, Call, Failure, Output, Value
from rtour.protocol.messages import Command as CommandEntry

from .world import DEPLOYMENT, World

RESULTS = (Value(b"42"), Failure(409, "no"))
OBJECT = "Counter/k/add"


def output(
    world: World, result: Value | Failure, attempt: int = 1, index: int | None = None
) -> StoreEntry:
    """The Output of an attempt of `a`, its next entry unless another `index` is given."""
    (last,) = entries(world, Output(result), attempt=attempt, index=index)
    return last


def entries(
    world: World, *messages: CommandEntry, attempt: int = 1, index: int | None = None
) -> list[StoreEntry]:
    """The next entries of an attempt of `a`."""
    invocation = world.stored("a")
    assert invocation is not None
    return [
        StoreEntry(
            id=invocation.id,
            attempt=attempt,
            command_index=place,
            entry=message,
            type=COMMAND_TYPES[type(message)],
            raw=encode_payload(message),
            deployment_id=DEPLOYMENT,
            protocol_version=6,
        )
        for place, message in enumerate(messages, invocation.commands if index is None else index)
    ]


def called(world: World) -> None:
    world.invoke("caller", "Greeter/greet")
    callee = world.callee("a", "Greeter/greet")
    world.store("caller", Call("Greeter", "greet", b"", 1, 2), callee=callee)


def queued(world: World) -> None:
    world.invoke("a", OBJECT, reply=7, keep=(100, 0))
    world.invoke("b", OBJECT, reply=8)


BEGINNINGS = {
    "nothing is kept": lambda world: world.invoke("a", "Greeter/greet", reply=7),
    "all is kept": lambda world: world.invoke("a", "Greeter/greet", reply=7, keep=(100, 50)),
    "nobody waits": lambda world: world.invoke("a", "Greeter/greet", keep=(100, 50)),
    "another one waits for the lock": queued,
    "a caller waits": called,
}


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_together_is_as_one_after_the_other(beginning: str, result: Value | Failure) -> None:
    """The same invocations, journals, actions and answers, whoever waits and whatever is kept."""
    together, apart = World(), World()
    for world in (together, apart):
        BEGINNINGS[beginning](world)
    last, attempt = output(together, result), together.attempt("a")
    together.apply(AttemptEnded(together.id("a"), attempt, entries=(last,)))
    apart.apply(output(apart, result))
    apart.apply(AttemptEnded(apart.id("a"), attempt))
    assert together.actions == apart.actions
    for name in ("a", "b", "caller"):
        assert together.stored(name) == apart.stored(name)
        assert together.journal(name) == apart.journal(name)
    assert together.view.lock("Counter", "k") == apart.view.lock("Counter", "k")


def test_an_output_that_is_there_already_is_not_stored_again() -> None:
    """One of another place in the journal is dropped; the one that is stored is the result."""
    world = World()
    world.invoke("a", "Greeter/greet", keep=(100, 50))
    world.apply(output(world, Value(b"first")))
    late = output(world, Value(b"second"), index=1)
    world.apply(AttemptEnded(world.id("a"), 1, entries=(late,)))
    ended = world.stored("a")
    assert ended is not None
    assert (ended.result, ended.journal_length) == (Value(b"first"), 2)


def test_a_late_attempt_stores_nothing() -> None:
    """The fence is for both: an attempt that is no longer current neither stores nor ends."""
    world = World()
    world.invoke("a", "Greeter/greet", keep=(100, 50))
    before = world.stored("a")
    late = output(world, Value(b"late"), attempt=0)
    world.apply(AttemptEnded(world.id("a"), 0, entries=(late,)))
    assert world.stored("a") == before
    assert len(world.journal("a")) == 1


STATE = {b"n": b"1", b"old": b"0"}
LASTS = {
    "state set": (m.SetState(b"n", b"2"), Output(Value(b"2"))),
    "state cleared, then set": (m.ClearAllState(), m.SetState(b"n", b"2"), Output(Value(b"2"))),
    "state read": (m.GetEagerState(b"n", Value(b"1")), Output(Value(b"1"))),
    "state cleared behind the Output": (Output(Value(b"2")), m.ClearState(b"old")),
    "two Outputs": (Output(Value(b"1")), Output(Value(b"2"))),
    "no Output": (m.SetState(b"n", b"2"),),
}


@pytest.mark.parametrize("last", LASTS)
def test_state_together_is_as_one_after_the_other(last: str) -> None:
    """The same state, journals, results and answers; the next holder begins as it would."""
    together, apart = World(), World()
    for one in (together, apart):
        one.apply(PatchState("Counter", "k", StatePatch(STATE)))
        queued(one)
    together.apply(
        AttemptEnded(together.id("a"), 1, entries=tuple(entries(together, *LASTS[last])))
    )
    for each in entries(apart, *LASTS[last]):
        apart.apply(each)
    apart.apply(AttemptEnded(apart.id("a"), 1))
    assert together.view.all_state("Counter", "k") == apart.view.all_state("Counter", "k")
    assert together.actions == apart.actions
    for name in ("a", "b"):
        assert together.stored(name) == apart.stored(name)
        assert together.journal(name) == apart.journal(name)


@pytest.mark.parametrize("last", LASTS)
def test_a_patch_behind_it_sees_the_state_that_it_left(last: str) -> None:
    """A patch for the version before the end is passed over, one for that after it is taken."""
    world, apart = World(), World()
    for one in (world, apart):
        one.apply(PatchState("Counter", "k", StatePatch(STATE)))
        one.invoke("a", OBJECT)
    for each in entries(apart, *LASTS[last]):
        apart.apply(each)
    after = apart.view.all_state("Counter", "k")
    for state in (STATE, after):
        patch = StatePatch({b"patched": b"%d" % len(state)}, state_version(state))
        world.apply(PatchState("Counter", "k", patch))
    world.apply(AttemptEnded(world.id("a"), 1, entries=tuple(entries(world, *LASTS[last]))))
    assert world.view.all_state("Counter", "k") == {b"patched": b"%d" % len(after)}

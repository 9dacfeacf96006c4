"""An Output that comes with its End does what the two would do one after the other."""

from __future__ import annotations

import pytest

from rtour.engine.commands import AttemptEnded, StoreEntry
from rtour.protocol.framing import encode_payload
from rtour.protocol.messages import Call, Failure, MessageType, Output, Value

from .world import DEPLOYMENT, World

RESULTS = (Value(b"42"), Failure(409, "no"))
OBJECT = "Counter/k/add"


def output(
    world: World, result: Value | Failure, attempt: int = 1, index: int | None = None
) -> StoreEntry:
    """The Output of an attempt of `a`, its next entry unless another `index` is given."""
    entry = Output(result)
    invocation = world.stored("a")
    assert invocation is not None
    return StoreEntry(
        id=invocation.id,
        attempt=attempt,
        command_index=invocation.commands if index is None else index,
        entry=entry,
        type=MessageType.OUTPUT,
        raw=encode_payload(entry),
        deployment_id=DEPLOYMENT,
        protocol_version=6,
    )


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
    together.apply(AttemptEnded(together.id("a"), attempt, output=last))
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
    world.apply(AttemptEnded(world.id("a"), 1, output=late))
    ended = world.stored("a")
    assert ended is not None
    assert (ended.result, ended.journal_length) == (Value(b"first"), 2)


def test_a_late_attempt_stores_nothing() -> None:
    """The fence is for both: an attempt that is no longer current neither stores nor ends."""
    world = World()
    world.invoke("a", "Greeter/greet", keep=(100, 50))
    before = world.stored("a")
    late = output(world, Value(b"late"), attempt=0)
    world.apply(AttemptEnded(world.id("a"), 0, output=late))
    assert world.stored("a") == before
    assert len(world.journal("a")) == 1

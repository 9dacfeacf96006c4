"""The printer itself: what the scripts do not show of it."""

from __future__ import annotations

from rtour.engine import commands as c
from rtour.engine import narrate
from rtour.engine.decision import Decision
from rtour.engine.model import FromIngress, Target, Trace
from rtour.protocol import messages as m

from .world import World


def test_a_decision_prints_with_its_messages() -> None:
    """Changes, then actions, then messages to other keys, one line each."""
    world = World()
    world.invoke("a", "Greeter/greet")
    entry = m.OneWayCall("Greeter", "greet", b"hi", 1)
    (step, _) = world.store("a", entry, world.callee("b", "Greeter/greet"))
    a, b = world.id("a"), world.id("b")
    sent = 'service_name=Greeter handler_name=greet parameter="hi" id_completion=1'
    assert list(narrate.narrate(step.decision)) == [
        f"+ entry {a}/1 OneWayCall {sent} -> {b}",
        f"+ entry {a}/2 CallInvocationIdCompletion 1 = {b}",
        f"+ invocation {a} invoked attempt=1 journal=3/2 deployment=dp_1",
        f"> notify {a} attempt=1 entry=2 CallInvocationIdCompletion 1 = {b}",
        f'~ invoke {b} Greeter/greet source=from-service({a} Greeter/greet) body="hi"',
    ]


def test_an_empty_decision_prints_nothing() -> None:
    """A dropped command has no lines."""
    assert list(narrate.narrate(Decision())) == []


def test_a_command_prints_what_differs_from_its_defaults() -> None:
    """Bytes that are no text are escaped, headers and traces read like HTTP."""
    command = c.Invoke(
        "inv_1",
        Target("Greeter", "greet"),
        FromIngress(),
        headers=(m.Header("x-a", "1"),),
        body=b"\xff",
        trace=Trace("00-1-2-01"),
    )
    assert narrate.command(command) == (
        "invoke inv_1 Greeter/greet source=from-ingress() headers=[x-a: 1] "
        'body="\\\\xff" trace=trace(parent=00-1-2-01)'
    )


def test_an_entry_report_prints_its_entry() -> None:
    """The entry is shown decoded; its raw bytes and type code say nothing more."""
    command = c.StoreEntry("inv_1", 2, 1, m.Sleep(5000, 1), 0x040C, b"\x01", "dp_1", 6, ack=True)
    assert narrate.command(command) == (
        "store-entry inv_1 attempt=2 command_index=1 entry=sleep(until=5000 completion=1) "
        "deployment_id=dp_1 protocol_version=6 ack=True"
    )

"""What clients were told, against what is there once all work has ended."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence

from tests.simulation.clients import Told
from tests.simulation.linear import Operation, counter, linearizable, register
from tests.simulation.topics import KEY

Lines = Callable[[str, str, str], list[str]]
"""The stored list of an object: service, key, name."""


def broken(
    told: Told, stored: Lines, topic: list[list[str]], effects: Mapping[int, str]
) -> Iterator[str]:
    """Every way in which the promises were not kept."""
    done = [op for key in "ABC" for op in stored("Counter", key, "log")]
    yield from _once_each("counted", done, told.counted, told.maybe_counted)
    yield from _notes(told, stored("Ledger", "book", "lines"))
    yield from _records(topic, stored("Ledger", KEY, "lines"))
    yield from _histories(told)
    for op, number in told.effects:
        effect = effects.get(number)
        if effect is None or effect.removesuffix(" to") != op.removesuffix(" to"):
            yield f"{op} answered with an effect that was {effect}'s"


def _notes(told: Told, noted: list[str]) -> Iterator[str]:
    """What was sent is noted once, and what a client sent in order, in order."""
    sent = {f"{op} {what}" for op in told.moved for what in ("begun", "later", "done")}
    yield from _once_each("noted", noted, sent | set(told.noted), set())
    clients = {op.partition(".")[0] for op in told.noted}
    for client in sorted(clients):
        yield from _in_order([op for op in told.noted if op.partition(".")[0] == client], noted)


def _records(topic: list[list[str]], read: list[str]) -> Iterator[str]:
    """Every record of a topic is noted once, in the order of its partition."""
    yield from _once_each("read", read, {line for log in topic for line in log}, set())
    for log in topic:
        yield from _in_order(log, read)


def _histories(told: Told) -> Iterator[str]:
    for key, history in sorted(told.counters.items()):
        if not linearizable(history, counter, 0):
            yield f"counter {key} is not linearizable: {_shown(history)}"
    for key, history in sorted(told.registers.items()):
        if not linearizable(history, register, (None,)):
            yield f"register {key} is not linearizable: {_shown(history)}"


def _once_each(verb: str, found: list[str], must: set[str], may: set[str]) -> Iterator[str]:
    for op, times in sorted(Tally(found).items()):
        if times > 1:
            yield f"exactly once: {op} was {verb} {times} times"
        if op not in must and op not in may:
            yield f"nothing from nowhere: {op} was {verb}, who asked for it?"
    lost = sorted(must - set(found))
    if lost:
        yield f"nothing is lost: {lost} was acknowledged, not {verb}"


def _in_order(asked: list[str], done: list[str]) -> Iterator[str]:
    """What was accepted in this order was done in it."""
    kept = [line for line in done if line in set(asked)]
    if kept != [line for line in asked if line in set(done)]:
        yield f"first come, first served: {asked} was done as {kept}"


def _shown(history: Sequence[Operation]) -> str:
    return "; ".join(f"{o.kind}{o.argument}={o.result}@{o.called}-{o.returned}" for o in history)

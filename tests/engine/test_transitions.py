"""Every command meets every status; the table says what that leads to, and no more.

`CASES` lists, for each command, the statuses it moves an invocation out of; from all others it
must leave the status alone. Retention decides whether an end leaves a record, hence two runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import get_args

import pytest

from rtour.engine import commands as c
from rtour.engine.apply import HANDLERS
from rtour.engine.changes import DeleteInvocation, PutInvocation
from rtour.engine.model import (
    CallerSink,
    DocumentKind,
    FromIngress,
    RequestSink,
    StatePatch,
    Status,
    Timer,
    TimerKind,
)
from rtour.engine.transitions import ALLOWED, may_follow
from rtour.protocol import messages as m

from .statuses import AWAITED, ERROR, KEPT, REACH, world_with
from .world import DEPLOYMENT, World, target

NAMES = {None: "absent", Status.INBOXED: "pending", Status.INVOKED: "running"}
RUNS = {"running": "running", "backing-off": "running"}
LIVE = ("running", "backing-off", "suspended", "paused")
END = {"running": "end", "backing-off": "end"}


def _invoke(world: World, start_at: int | None = None) -> c.Invoke:
    return c.Invoke(
        world.id("a"),
        target("Object/k/write"),
        FromIngress(),
        start_at=start_at,
        completion_retention_ms=500,
        journal_retention_ms=500,
    )


def _fire(world: World, kind: TimerKind) -> c.FireTimer:
    stored = world.stored("a")
    number = stored.number if stored else 1
    completion_id = 1 if kind is TimerKind.SLEEP else 0
    return c.FireTimer(Timer(9000, number, completion_id, kind, world.id("a")))


def _store(world: World) -> c.StoreEntry:
    entry = m.Run(2)
    return c.StoreEntry(
        world.id("a"), world.attempt("a"), 2, entry, m.MessageType.RUN, b"\x58\x02", DEPLOYMENT, 6
    )


def _complete(world: World, completion_id: int) -> c.Complete:
    stored = world.stored("a")
    number = stored.number if stored else 1
    sink = CallerSink(world.id("a"), number, completion_id, m.MessageType.SLEEP_COMPLETION)
    return c.Complete(sink, m.VOID)


def _now(world: World) -> tuple[str, int]:
    return world.id("a"), world.attempt("a")


def _late(world: World) -> tuple[str, int]:
    return world.id("a"), world.attempt("a") - 1


Build = Callable[[World], c.Command]
# status before -> status after; "end" is completed or absent, as retention says
CASES: dict[str, tuple[Build, dict[str, str]]] = {
    "Invoke": (_invoke, {"absent": "running"}),
    "Invoke later": (lambda w: _invoke(w, 9000), {"absent": "scheduled"}),
    "Begin": (lambda w: c.Begin(w.id("a")), {}),
    "FireTimer start": (lambda w: _fire(w, TimerKind.START), {"scheduled": "running"}),
    "FireTimer sleep": (lambda w: _fire(w, TimerKind.SLEEP), {"suspended": "running"}),
    "StoreEntry": (_store, {}),
    "ProposeRun": (lambda w: c.ProposeRun(*_now(w), 2, m.Value(), DEPLOYMENT, 6), {}),
    "AttemptSuspended": (
        lambda w: c.AttemptSuspended(*_now(w), AWAITED, 9),
        dict.fromkeys(RUNS, "suspended"),
    ),
    "AttemptFailed": (lambda w: c.AttemptFailed(*_now(w), ERROR, 9), {}),
    "AttemptExhausted pause": (
        lambda w: c.AttemptExhausted(*_now(w), ERROR, pause=True),
        dict.fromkeys(RUNS, "paused"),
    ),
    "AttemptExhausted fail": (lambda w: c.AttemptExhausted(*_now(w), ERROR, pause=False), END),
    "AttemptPaused unasked": (lambda w: c.AttemptPaused(*_now(w)), {}),
    "AttemptEnded": (lambda w: c.AttemptEnded(*_now(w)), END),
    "AttemptSuspended late": (lambda w: c.AttemptSuspended(*_late(w), AWAITED, 9), {}),
    "AttemptFailed late": (lambda w: c.AttemptFailed(*_late(w), ERROR, 9), {}),
    "AttemptExhausted late": (lambda w: c.AttemptExhausted(*_late(w), ERROR, pause=True), {}),
    "AttemptEnded late": (lambda w: c.AttemptEnded(*_late(w)), {}),
    "Complete awaited": (lambda w: _complete(w, 1), {"suspended": "running"}),
    "Complete other": (lambda w: _complete(w, 7), {}),
    "Signal awaited": (lambda w: c.Signal(w.id("a"), 1, m.VOID), {"suspended": "running"}),
    "Signal other": (lambda w: c.Signal(w.id("a"), 17, m.VOID), {}),
    "Attach": (lambda w: c.Attach(w.id("a"), RequestSink(9)), {}),
    "Tell": (lambda w: c.Tell(w.id("a"), 1), {}),
    "Detach": (lambda w: c.Detach(w.id("a"), 9), {}),
    "GetOutput": (lambda w: c.GetOutput(w.id("a"), RequestSink(9)), {}),
    "Cancel": (
        lambda w: c.Cancel(w.id("a")),
        {"scheduled": "absent", "pending": "absent", "suspended": "running", "paused": "running"},
    ),
    "Kill": (
        lambda w: c.Kill(w.id("a")),
        {"scheduled": "absent", "pending": "absent", **dict.fromkeys(LIVE, "end")},
    ),
    "Pause": (lambda w: c.Pause(w.id("a")), {}),
    "Resume": (lambda w: c.Resume(w.id("a")), {"suspended": "running", "paused": "running"}),
    "Purge": (lambda w: c.Purge(w.id("a")), {"completed": "absent"}),
    "PurgeJournal": (lambda w: c.PurgeJournal(w.id("a")), {}),
    "Expire": (lambda w: c.Expire(w.id("a")), {"completed": "absent"}),
    "RestartAsNew": (lambda w: c.RestartAsNew(w.id("a"), w.id("new")), {}),
    "PatchState": (lambda _: c.PatchState("Object", "k", StatePatch({})), {}),
    "StoreDocuments": (
        lambda _: c.StoreDocuments((c.Document(DocumentKind.RULE, "r", b"{}"),)),
        {},
    ),
}
PAIRS = [pytest.param(label, status, id=f"{label}-{status}") for label in CASES for status in REACH]


def _status(world: World) -> str:
    stored = world.stored("a")
    status = stored.status if stored else None
    return NAMES.get(status) or status.value


@pytest.mark.parametrize("keep", [KEPT, (0, 0)], ids=["kept", "not kept"])
@pytest.mark.parametrize(("label", "before"), PAIRS)
def test_command_moves_the_status_as_said(label: str, before: str, keep: tuple[int, int]) -> None:
    """A command moves an invocation where its case says, and nowhere else."""
    build, moves = CASES[label]
    world = world_with(before, keep)
    world.now = 20_000
    world.apply(build(world))
    after = moves.get(before, RUNS.get(before, before))
    if after == "end":
        after = "completed" if keep == KEPT else "absent"
    assert _status(world) == after


def test_every_command_has_a_case_a_handler_and_a_row() -> None:
    """No command can be added to the union without a handler, a table row and a case here."""
    commands = set(get_args(c.Command))
    assert set(HANDLERS) == commands
    assert set(ALLOWED) == commands
    assert {label.split()[0] for label in CASES} == {command.__name__ for command in commands}


# --- the table is not too wide either ------------------------------------------------------------


Edge = tuple[type, Status | None, Status | None]


def _edges(world: World, command: c.Command) -> Iterator[Edge]:
    """The moves of a command and of all its messages, of whatever invocation."""
    before = dict(world.storage.working.invocations)
    for record, decision, _ in world.apply(command):
        for change in decision.changes:
            match change:
                case PutInvocation(invocation):
                    known = before.get(invocation.id)
                    yield type(record.command), known and known.status, invocation.status
                    before[invocation.id] = invocation
                case DeleteInvocation(id_):
                    yield type(record.command), before.pop(id_).status, None


def _pause_requested() -> World:
    world = world_with("running")
    world.apply(c.Pause(world.id("a")))
    return world


def _holder_ends() -> World:
    world = world_with("pending")
    world.store("holder", m.Output(m.Value()))
    return world


def _scheduled_behind_holder() -> World:
    world = world_with("scheduled")
    world.invoke("holder", "Object/k/write")
    return world


def _ended_behind_holder() -> World:
    world = world_with("completed")
    world.invoke("holder", "Object/k/write")
    return world


# Moves that need more than one invocation, or a pause asked for before.
FURTHER: list[tuple[Callable[[], World], Build]] = [
    (_pause_requested, lambda w: c.AttemptSuspended(*_now(w), AWAITED, 9)),
    (_pause_requested, lambda w: c.AttemptFailed(*_now(w), ERROR, 9)),
    (_pause_requested, lambda w: c.AttemptPaused(*_now(w))),
    (_holder_ends, lambda w: c.AttemptEnded(w.id("holder"), 1)),
    (_scheduled_behind_holder, lambda w: _fire(w, TimerKind.START)),
    (_ended_behind_holder, lambda w: c.RestartAsNew(w.id("a"), w.id("new"))),
    (lambda: world_with("pending"), _invoke),
]


def _seen() -> Iterator[Edge]:
    for keep in (KEPT, (0, 0)):
        for build, _ in CASES.values():
            for status in REACH:
                world = world_with(status, keep)
                world.now = 20_000
                yield from _edges(world, build(world))
    for prepare, build in FURTHER:
        world = prepare()
        yield from _edges(world, build(world))
    world = World()
    world.invoke("holder", "Object/k/write")
    yield from _edges(world, _invoke(world))


def test_the_table_allows_exactly_what_happens() -> None:
    """Every move that the table allows is made by some case, and no other is."""
    allowed = {
        (command, before, after)
        for command, moves in ALLOWED.items()
        for before, afters in moves.items()
        for after in afters
    }
    seen = {(command, before, after) for command, before, after in _seen() if before != after}
    assert seen == allowed


def test_a_move_outside_the_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """`apply` asserts the table, so that a handler's mistake is never stored."""
    world = world_with("running")
    monkeypatch.setitem(ALLOWED, c.AttemptEnded, {})
    with pytest.raises(AssertionError, match="AttemptEnded must not take"):
        world.apply(c.AttemptEnded(*_now(world)))
    assert _status(world) == "running"


def test_staying_is_always_allowed() -> None:
    """A command that does not fit is dropped, never an error."""
    for command in ALLOWED:
        for status in (None, *Status):
            assert may_follow(command, status, status)


@pytest.mark.parametrize("status", ["running", "backing-off", "suspended", "paused", "completed"])
def test_the_journal_never_shrinks_by_a_message(status: str) -> None:
    """Signals, cancels and completions add entries or nothing."""
    for label in ("Signal awaited", "Signal other", "Cancel", "Complete awaited"):
        world = world_with(status)
        before = world.journal("a")
        world.apply(CASES[label][0](world))
        assert world.journal("a")[: len(before)] == before

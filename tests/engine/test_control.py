"""Control operations by status: http-api.md B6 and server-semantics.md §8, verdict by verdict."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rtour.engine import commands as c
from rtour.engine.actions import Outcome, Verdict

from .statuses import REACH, world_with
from .world import World

CODES = {
    Verdict.DONE: 200,
    Verdict.ACCEPTED: 202,
    Verdict.INVALID: 400,
    Verdict.NOT_FOUND: 404,
    Verdict.CONFLICT: 409,
    Verdict.GONE: 410,
    Verdict.UNPROCESSABLE: 422,
    Verdict.TOO_EARLY: 425,
}
OPERATIONS: dict[str, Callable[[World], c.Command]] = {
    "cancel": lambda w: c.Cancel(w.id("a"), 1),
    "kill": lambda w: c.Kill(w.id("a"), 1),
    "purge": lambda w: c.Purge(w.id("a"), 1),
    "purge-journal": lambda w: c.PurgeJournal(w.id("a"), 1),
    "pause": lambda w: c.Pause(w.id("a"), 1),
    "resume": lambda w: c.Resume(w.id("a"), None, 1),
    "resume elsewhere": lambda w: c.Resume(w.id("a"), "dp_2", 1),
    "restart-as-new": lambda w: c.RestartAsNew(w.id("a"), w.id("new"), request_id=1),
}
TABLE = """
                  absent scheduled pending running backing-off suspended paused completed
cancel            404    200       200     202     202         202       202    409
kill              404    200       200     200     200         200       200    409
purge             404    409       409     409     409         409       409    200
purge-journal     404    409       409     409     409         409       409    200
pause             404    409       409     202     202         200       200    409
resume            404    425       425     200     200         200       200    409
resume elsewhere  404    425       425     409     409         200       200    409
restart-as-new    404    425       425     409     409         409       409    200
"""


def _cells() -> list[tuple[str, str, int]]:
    head, *rows = TABLE.strip().splitlines()
    cells = []
    for row in rows:
        name, *codes = row.rsplit(maxsplit=len(REACH))
        cells += [
            (name.strip(), status, int(code))
            for status, code in zip(head.split(), codes, strict=True)
        ]
    return cells


def outcome(world: World, command: c.Command) -> Outcome:
    world.apply(command)
    (answer,) = world.responses[1]
    assert isinstance(answer, Outcome)
    return answer


@pytest.mark.parametrize(("operation", "status", "code"), _cells())
def test_operation_is_answered_by_status(operation: str, status: str, code: int) -> None:
    """The operation gets the answer that Restate's admin API gives in this status, once."""
    world = world_with(status)
    answer = outcome(world, OPERATIONS[operation](world))
    assert CODES[answer.verdict] == code
    assert bool(answer.message) == (code >= 400)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("status", REACH)
def test_operation_without_a_request_answers_nobody(operation: str, status: str) -> None:
    """From a handler or a cleaner the same operation makes no answer."""
    command = OPERATIONS[operation](world_with(status))
    world = world_with(status)
    fields = {name: getattr(command, name) for name in command.__struct_fields__}
    fields["request_id"] = 0
    world.apply(type(command)(**fields))
    assert world.responses == {}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("status", REACH)
def test_refused_operation_changes_nothing(operation: str, status: str) -> None:
    """A refusal writes no row and tells nobody but the one who asked."""
    world = world_with(status)
    (step, *_) = world.apply(OPERATIONS[operation](world))
    (answer,) = world.responses[1]
    if CODES[answer.verdict] >= 400:
        assert step.decision.changes == []
        assert step.decision.messages == []
        assert len(step.decision.actions) == 1


@pytest.mark.parametrize("deployment_id", ["dp_1", "dp_2", None])
def test_restart_runs_on_the_chosen_deployment(deployment_id: str | None) -> None:
    """None keeps the old one; another one negotiates its protocol version anew."""
    world = world_with("completed")
    world.apply(c.RestartAsNew(world.id("a"), world.id("new"), 0, deployment_id, 1))
    new = world.stored("new")
    assert new.deployment_id == (deployment_id or "dp_1")
    assert new.protocol_version == (None if deployment_id == "dp_2" else 6)

"""The small rules that values carry with them: who locks, who writes, what expires when."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rtour.engine.model import Invocation

from .statuses import world_with
from .world import target


@pytest.mark.parametrize(
    ("text", "locks", "runs", "writes"),
    [
        ("Greeter/greet", False, False, False),
        ("Object/k/write", True, False, True),
        ("Object/k/peek", False, False, False),
        ("Flow/w/run", False, True, True),
        ("Flow/w/approve", False, False, False),
    ],
)
def test_handler_type_says_what_a_target_may(
    text: str, locks: bool, runs: bool, writes: bool
) -> None:
    """Exclusive handlers lock; they and a workflow's run write state; targets read as paths."""
    it = target(text)
    assert (it.takes_lock, it.is_workflow_run, it.may_write_state) == (locks, runs, writes)
    assert str(it) == text


def completed(completion_ms: int, journal_ms: int) -> Invocation:
    stored = world_with("completed").stored("a")
    assert stored is not None
    return replace(
        stored,
        completed_at=1000,
        completion_retention_ms=completion_ms,
        journal_retention_ms=journal_ms,
    )


def test_nothing_expires_while_it_runs() -> None:
    """Retention counts from the end."""
    running = world_with("running").stored("a")
    assert running is not None
    assert running.expires_at is None
    assert running.journal_expires_at is None


@pytest.mark.parametrize(
    ("completion_ms", "journal_ms", "journal_expires_at"),
    [(500, 100, 1100), (500, 500, None), (500, 900, None)],
)
def test_journal_expires_before_the_result_or_with_it(
    completion_ms: int, journal_ms: int, journal_expires_at: int | None
) -> None:
    """An own instant only where the journal goes first."""
    invocation = completed(completion_ms, journal_ms)
    assert invocation.expires_at == 1500
    assert invocation.journal_expires_at == journal_expires_at


def test_a_journal_that_is_gone_expires_no_more() -> None:
    """The cleaner does not come back for it."""
    assert replace(completed(500, 100), journal_length=0).journal_expires_at is None

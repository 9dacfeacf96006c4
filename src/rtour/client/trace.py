"""The trace of an invocation from what is stored of it: no collector, and no tracing, needed.

The same spans as an OpenTelemetry collector gets, as far as tables tell: attempts are not stored,
only their failures are. Instants are those of the journal, in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from rtour.client.journal import JournalEntry, JournalEvent
from rtour.client.model import Invocation
from rtour.client.story import Story
from rtour.client.telling import failure, visible
from rtour.client.wording import first_line

Kind = Literal["invocation", "wait", "command", "signal", "event"]
Status = Literal["ok", "failed", "waiting"]

# Shorter waits for an attempt to begin are the server's own work, and no news.
WAIT_MIN = timedelta(milliseconds=10)
# Told by the invocation's own bar.
_ENDS = {"Input", "Output"}


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a trace. `parent` is the number of the row above it, 0 the first row.

    `end_at` is None while it lasts; equal to `start_at`, it is a point in time.
    """

    kind: Kind
    name: str
    depth: int
    parent: int | None
    invocation_id: str
    start_at: datetime
    end_at: datetime | None
    status: Status = "ok"
    message: str | None = None
    callee_id: str | None = None

    def took(self, now: datetime) -> timedelta:
        """How long it lasted, or has lasted so far."""
        return (self.end_at or max(now, self.start_at)) - self.start_at


def spans_of(story: Story, *, sends: bool) -> list[Span]:
    """A story as spans, each after its parent; with `sends`, those of one-way calls, too."""
    rows: list[Span] = []
    _add(rows, story, 0, None, sends)
    return rows


def _add(rows: list[Span], story: Story, depth: int, parent: int | None, sends: bool) -> None:
    number = len(rows)
    rows.append(_invocation(story.invocation, depth, parent))
    called = {child.invocation.id: child for child in story.children}
    for span in sorted(_parts(story, depth + 1, number), key=lambda it: it.start_at):
        rows.append(span)
        child = called.get(span.callee_id or "")
        if child is not None and (sends or span.name.startswith("Call ")):
            _add(rows, child, depth + 2, len(rows) - 1, sends)


def _invocation(invocation: Invocation, depth: int, parent: int | None) -> Span:
    failed = invocation.completion_result == "failure"
    status: Status = "failed" if failed else "ok" if invocation.done else "waiting"
    message = first_line(invocation.completion_failure or "") or None
    if not invocation.done:
        message = invocation.status
    return Span(
        kind="invocation",
        name=invocation.target,
        depth=depth,
        parent=parent,
        invocation_id=invocation.id,
        start_at=invocation.created_at,
        end_at=invocation.completed_at if invocation.done else None,
        status=status,
        message=message,
    )


def _parts(story: Story, depth: int, parent: int) -> Iterator[Span]:
    invocation = story.invocation
    yield from _waiting(invocation, depth, parent)
    for entry in story.journal:
        if entry.appended_at and visible(entry) and entry.kind not in _ENDS:
            yield _command(invocation, entry, entry.appended_at, depth, parent)
    for event in story.events:
        if event.at is not None:
            yield _event(invocation, event, event.at, depth, parent)


def _waiting(invocation: Invocation, depth: int, parent: int) -> Iterator[Span]:
    """What was between the request and the first attempt: a delay, or others with the key."""
    begun = invocation.running_at
    if begun is None and invocation.status not in {"scheduled", "pending"}:
        return
    if begun is not None and begun - invocation.created_at < WAIT_MIN:
        return
    delayed = invocation.scheduled_start_at is not None or invocation.status == "scheduled"
    yield Span(
        kind="wait",
        name="(delayed)" if delayed else "(in line)",
        depth=depth,
        parent=parent,
        invocation_id=invocation.id,
        start_at=invocation.created_at,
        end_at=begun,
        status="ok" if begun else "waiting",
    )


def _command(
    invocation: Invocation, entry: JournalEntry, at: datetime, depth: int, parent: int
) -> Span:
    ongoing = entry.open and not entry.notification and not invocation.done
    failed = entry.outcome is not None and entry.outcome.failed
    return Span(
        kind="signal" if entry.notification else "command",
        name=" ".join(filter(None, (entry.kind, entry.target or entry.name))),
        depth=depth,
        parent=parent,
        invocation_id=invocation.id,
        start_at=at,
        end_at=None if ongoing else entry.completed_at or _until(invocation, entry, at),
        status="waiting" if ongoing else "failed" if failed else "ok",
        message=failure(entry.outcome) if entry.outcome is not None and failed else None,
        callee_id=entry.invocation_id if entry.target else None,
    )


def _until(invocation: Invocation, entry: JournalEntry, at: datetime) -> datetime:
    """A command that nobody awaited any more ended with its invocation; others are points."""
    still_open = entry.open and not entry.notification
    return (invocation.completed_at or at) if still_open else at


def _event(
    invocation: Invocation, event: JournalEvent, at: datetime, depth: int, parent: int
) -> Span:
    failed = event.kind == "TransientError"
    code = f"[{event.code}] " if event.code else ""
    return Span(
        kind="event",
        name="attempt failed" if failed else event.kind.lower(),
        depth=depth,
        parent=parent,
        invocation_id=invocation.id,
        start_at=at,
        end_at=at,
        status="failed" if failed else "waiting",
        message=code + first_line(event.message or "") or None,
    )


def ends(spans: Sequence[Span], now: datetime) -> tuple[datetime, datetime]:
    """When the whole began, and when it ended or now."""
    first = min(span.start_at for span in spans)
    return first, max(span.start_at + span.took(now) for span in spans)

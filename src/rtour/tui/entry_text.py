"""One journal entry, or one failed attempt, in full: request, result, times, stack trace."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from rtour.client.heads import size_of
from rtour.client.journal import JournalEntry, JournalEvent
from rtour.client.model import Invocation
from rtour.client.telling import STATE_READS, failure, signal
from rtour.client.times import ago, duration
from rtour.client.wording import pretty, size
from rtour.tui.paint import Piece, block, line, stack

# What a value of an entry is, by kind; others just have "value".
VALUES = {
    "Input": "input",
    "Call": "request",
    "OneWayCall": "request",
    "SetState": "new value",
    "Output": "output",
    "CompletePromise": "value",
    "CompleteAwakeable": "value",
}


def entry_text(invocation: Invocation, entry: JournalEntry, now: datetime) -> Text:
    """An entry in full."""
    name = f" {entry.name}" if entry.name else ""
    kind = f"{entry.kind} (notification)" if entry.notification else entry.kind
    lines = [line(Piece(kind, "name"), Piece(name, "strong"), Piece(f"   entry {entry.index}"))]
    lines += [
        line(Piece(f"{label:<9}", "quiet"), text) for label, text in _facts(invocation, entry, now)
    ]
    if entry.value is not None:
        lines += _value(VALUES.get(entry.kind, "value"), entry.value)
    return stack(*lines, *_outcome(entry))


def _facts(invocation: Invocation, entry: JournalEntry, now: datetime) -> list[tuple[str, str]]:
    facts = []
    if entry.target:
        facts.append(("to", entry.target))
    if entry.invocation_id:
        facts.append(("id", entry.invocation_id))
    if entry.kind == "Signal":
        facts.append(("signal", signal(invocation, entry)))
    if entry.appended_at:
        after = duration(entry.appended_at - invocation.created_at)
        facts.append(("stored", f"{clock(entry.appended_at)}  +{after}"))
    if entry.wake_up_at:
        facts.append(("until", f"{clock(entry.wake_up_at)}  {ago(entry.wake_up_at, now)}"))
    if entry.completed_at and entry.appended_at:
        took = duration(entry.completed_at - entry.appended_at)
        facts.append(("done", f"{clock(entry.completed_at)}  took {took}"))
    elif entry.open and entry.appended_at:
        facts.append(("waiting", f"for {duration(now - entry.appended_at)}"))
    return facts


def _outcome(entry: JournalEntry) -> list[Text]:
    outcome = entry.outcome
    if outcome is None:
        return [Text(), line(Piece("… no result yet", "waiting"))] if entry.open else []
    if outcome.failed:
        head = [Text(), line(Piece("failure", "bad"))]
        return [*head, line(Piece(failure(outcome), "bad")), block(outcome.failure_message or "")]
    if outcome.value is not None:
        return _value("output" if entry.kind == "Output" else "result", outcome.value)
    word = "nothing: the name is not set" if entry.kind in STATE_READS else "done, without a value"
    return [Text(), line(Piece(word, "quiet"))]


def _value(label: str, value: bytes) -> list[Text]:
    head = line(Piece(label, "strong"), Piece(f"  {size(size_of(value))}", "quiet"))
    return [Text(), head, block(pretty(value)) if value else line(Piece("(empty)", "quiet"))]


def event_text(event: JournalEvent) -> Text:
    """A failed attempt or a pause in full."""
    title = {"TransientError": "Failed attempt", "Paused": "Paused"}.get(event.kind, event.kind)
    lines = [line(Piece(title, "bad" if event.kind == "TransientError" else "waiting"))]
    if event.at:
        lines.append(line(Piece("at       ", "quiet"), clock(event.at)))
    if event.command:
        lines.append(line(Piece("in       ", "quiet"), event.command))
    if event.code:
        lines.append(line(Piece("code     ", "quiet"), f"{event.code} {event.restate_code or ''}"))
    if event.message:
        lines += [Text(), block(event.message, "bad")]
    if event.stacktrace:
        lines += [Text(), line(Piece("stack trace", "strong")), block(event.stacktrace)]
    return stack(*lines)


def clock(at: datetime) -> str:
    """The time of day, to the millisecond, in the zone of the reader."""
    return at.astimezone().strftime("%H:%M:%S.%f")[:-3]

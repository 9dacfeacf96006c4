"""A journal as a tree of lines: commands with their results, failures beside them, calls nested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rtour.cli.invocation_table import status_style, status_text
from rtour.cli.output import Line, Look, Node, Span, record_of
from rtour.cli.wording import TimeFormat, duration, first_line, payload
from rtour.client.journal import (
    CANCEL_SIGNAL,
    FIRST_AWAKEABLE_SIGNAL,
    JournalEntry,
    JournalEvent,
    Outcome,
)
from rtour.client.model import Invocation
from rtour.ids import awakeable_id

STATE_READS = {"GetEagerState", "GetLazyState", "GetEagerStateKeys", "GetLazyStateKeys"}


def journal_node(
    look: Look,
    invocation: Invocation,
    entries: Sequence[JournalEntry],
    events: Sequence[JournalEvent],
    nested: Mapping[str, Node],
    *,
    raw: bool,
) -> Node:
    """The tree of one invocation; `nested` holds the trees of those it called, by id."""
    record = record_of(invocation)
    head: Line = (
        Span(invocation.target, "bold"),
        " ",
        Span(status_text(record, look), status_style(record)),
        " ",
        Span(invocation.id, "dim"),
    )
    children: list[Node] = []
    told = 0
    for entry in entries:
        if raw or _visible(entry):
            called = nested.get(entry.invocation_id or "") if not entry.notification else None
            line = _entry_line(look, invocation, entry)
            children.append(Node(line, called.children if called else ()))
        while told < len(events) and events[told].after_index <= entry.index:
            children.append(_event_node(look, events[told]))
            told += 1
    children += [_event_node(look, event) for event in events[told:]]
    return Node(head, tuple(children))


def _visible(entry: JournalEntry) -> bool:
    """Notifications are told with their command, except those that have none."""
    return not entry.notification or entry.kind == "Signal"


def _entry_line(look: Look, invocation: Invocation, entry: JournalEntry) -> Line:
    kind = f"{entry.kind} (notification)" if entry.notification else entry.kind
    return (
        Span(f"{entry.index} ", "dim"),
        Span(kind, "cyan"),
        *_subject(look, invocation, entry),
        *_result(entry),
        *_when(look, invocation, entry),
    )


def _subject(look: Look, invocation: Invocation, entry: JournalEntry) -> Line:
    if entry.kind in ("Call", "OneWayCall") and entry.target:
        delayed = f" {look.at(entry.wake_up_at)}" if entry.wake_up_at else ""
        return (f" {entry.target}({payload(entry.value)}){delayed}",)
    if entry.kind == "Sleep" and entry.wake_up_at:
        return (_named(entry), f" until {look.at(entry.wake_up_at)}")
    if entry.kind == "Signal":
        return (f" {_signal(invocation, entry)}",)
    if entry.kind == "SetState":
        return (f"{_named(entry)} = {payload(entry.value)}",)
    if entry.kind == "CompletePromise" and entry.value is not None:
        return (f"{_named(entry)} := {payload(entry.value)}",)
    value = f" {payload(entry.value)}" if entry.value is not None else ""
    other = f" {entry.invocation_id}" if entry.invocation_id and not entry.target else ""
    return (_named(entry), value, other)


def _named(entry: JournalEntry) -> str:
    return f" {entry.name}" if entry.name else ""


def _signal(invocation: Invocation, entry: JournalEntry) -> str:
    if entry.signal == CANCEL_SIGNAL:
        return "cancel"
    if entry.signal is not None and entry.signal >= FIRST_AWAKEABLE_SIGNAL:
        return f"awakeable {awakeable_id(invocation.id, entry.signal)}"
    return "" if entry.signal is None else f"#{entry.signal}"


def _result(entry: JournalEntry) -> Line:
    outcome = entry.outcome
    if outcome is None:
        return ((" "), Span("… waiting", "yellow")) if entry.open else ()
    arrow = " " if entry.kind == "Output" else " → "
    if outcome.failed:
        return (arrow, Span(_failure(outcome), "red"))
    if outcome.value is not None:
        return (arrow, Span(payload(outcome.value), "green"))
    return (arrow, Span("nothing", "dim")) if entry.kind in STATE_READS else ()


def _failure(outcome: Outcome) -> str:
    code = f"[{outcome.failure_code}] " if outcome.failure_code else ""
    return f"{code}{first_line(outcome.failure_message or '')}"


def _when(look: Look, invocation: Invocation, entry: JournalEntry) -> Line:
    """For people: when after the start, and how long until the result."""
    if entry.appended_at is None:
        return ()
    if look.time_format is not TimeFormat.HUMAN:
        return (Span(f"  {look.at(entry.appended_at)}", "dim"),)
    text = f"  +{duration(entry.appended_at - invocation.created_at)}"
    if entry.completed_at and (took := entry.completed_at - entry.appended_at):
        text += f", took {duration(took)}"
    return (Span(text, "dim"),)


def _event_node(look: Look, event: JournalEvent) -> Node:
    at = f"  {look.at(event.at)}" if event.at else ""
    if event.kind == "Paused":
        return Node((Span("‖ paused", "yellow"), Span(at, "dim")))
    if event.kind != "TransientError":
        return Node((Span(f"· {event.kind}", "dim"), Span(at, "dim")))
    code = f"[{event.code}] " if event.code else ""
    where = f" in {event.command}" if event.command else ""
    message = first_line(event.message or "no message")
    line = (Span(f"✗ attempt failed{where}: {code}{message}", "red"), Span(at, "dim"))
    frame = _last_frame(event.stacktrace or "")
    return Node(line, (Node((Span(frame, "dim"),)),) if frame else ())


def _last_frame(stacktrace: str) -> str:
    """Where it happened: the innermost frame is the user's own code, the SDK's are above it."""
    lines = [line.strip() for line in stacktrace.splitlines()]
    frames = [position for position, line in enumerate(lines) if line.startswith(("File ", "at "))]
    if not frames:
        return ""
    return ": ".join(lines[frames[-1] : frames[-1] + 2])

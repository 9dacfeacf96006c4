"""A journal as a tree of lines: commands with their results, failures beside them, calls nested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rtour.cli.invocation_table import status_style, status_text
from rtour.cli.output import Line, Look, Node, Span, record_of
from rtour.cli.wording import TimeFormat, duration
from rtour.client.journal import JournalEntry, JournalEvent
from rtour.client.model import Invocation
from rtour.client.telling import happened, last_frame, result, subject, visible

STYLES = {"good": "green", "bad": "red", "waiting": "yellow", "quiet": "dim"}


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
        if raw or visible(entry):
            called = nested.get(entry.invocation_id or "") if not entry.notification else None
            line = _entry_line(look, invocation, entry)
            children.append(Node(line, called.children if called else ()))
        while told < len(events) and events[told].after_index <= entry.index:
            children.append(_event_node(look, events[told]))
            told += 1
    children += [_event_node(look, event) for event in events[told:]]
    return Node(head, tuple(children))


def _entry_line(look: Look, invocation: Invocation, entry: JournalEntry) -> Line:
    kind = f"{entry.kind} (notification)" if entry.notification else entry.kind
    return (
        Span(f"{entry.index} ", "dim"),
        Span(kind, "cyan"),
        _subject(look, invocation, entry),
        *_result(entry),
        *_when(look, invocation, entry),
    )


def _subject(look: Look, invocation: Invocation, entry: JournalEntry) -> str:
    text = subject(invocation, entry, look.at)
    return f" {text}" if text else ""


def _result(entry: JournalEntry) -> Line:
    told = result(entry)
    if told is None:
        return ()
    arrow = " " if entry.kind == "Output" or told.tone == "waiting" else " → "
    return (arrow, Span(told.text, STYLES[told.tone]))


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
    told = happened(event)
    line = (Span(told.text, STYLES[told.tone]), Span(at, "dim"))
    frame = last_frame(event.stacktrace or "") if told.tone == "bad" else ""
    return Node(line, (Node((Span(frame, "dim"),)),) if frame else ())

"""When each entry was stored and how long it took, as bars over the life of the invocation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from rtour.client.journal import JournalEntry, JournalEvent
from rtour.client.model import Invocation
from rtour.client.telling import visible
from rtour.client.times import duration
from rtour.tui.grid import cut
from rtour.tui.paint import Piece, Tone, line, stack

LABEL = 15
TOOK = 7
SHOWN = 500


def timeline(
    invocation: Invocation,
    entries: Sequence[JournalEntry],
    events: Sequence[JournalEvent],
    now: datetime,
    width: int,
) -> Text:
    """A line per entry and failed attempt, in the order of their times."""
    start = invocation.created_at
    end = max(invocation.completed_at or now, start)
    room = max(8, width - LABEL - TOOK - 3)
    rows: list[tuple[datetime, Text]] = []
    for entry in entries[:SHOWN]:
        if entry.appended_at and visible(entry):
            until = entry.completed_at or (end if entry.open else entry.appended_at)
            bar = _bar(start, end, entry.appended_at, until, room)
            took = duration(until - entry.appended_at) if until > entry.appended_at else ""
            label = f"{entry.index} {entry.name or entry.kind}"
            rows.append((entry.appended_at, _line(label, bar, took, _tone(entry))))
    for event in events[:SHOWN]:
        if event.at:
            bar = _bar(start, end, event.at, event.at, room, mark="✗")
            rows.append((event.at, _line(f"  {_short(event)}", bar, "", "bad")))
    rows.sort(key=lambda row: row[0])
    scale = f"{'':{LABEL}} 0{duration(end - start):>{room - 1}}"
    return stack(line(Piece(scale, "quiet")), *(text for _, text in rows))


def _bar(
    start: datetime, end: datetime, since: datetime, until: datetime, room: int, mark: str = "╸"
) -> str:
    whole = (end - start).total_seconds() or 1.0
    left = int((since - start).total_seconds() / whole * (room - 1))
    right = int((until - start).total_seconds() / whole * (room - 1))
    left, right = max(0, min(left, room - 1)), max(0, min(right, room - 1))
    return " " * left + ("━" * (right - left + 1) if until > since else mark)


def _line(label: str, bar: str, took: str, tone: Tone) -> Text:
    return line(f"{cut(label, LABEL):<{LABEL}} ", Piece(bar, tone), Piece(f" {took}", "quiet"))


def _tone(entry: JournalEntry) -> Tone:
    if entry.outcome and entry.outcome.failed:
        return "bad"
    return "waiting" if entry.open else "good"


def _short(event: JournalEvent) -> str:
    # Its bar is a cross.
    return "attempt" if event.kind == "TransientError" else event.kind.lower()

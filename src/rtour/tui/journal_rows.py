"""A journal as rows of a grid: entries, and below each the attempts that failed after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rtour.client.journal import JournalEntry, JournalEvent
from rtour.client.model import Invocation
from rtour.client.rewinding import journal_after
from rtour.client.telling import Told, happened, result, subject, visible
from rtour.client.times import ago, duration
from rtour.tui.grid import Row
from rtour.tui.paint import Piece, Tone

TONES: dict[str, Tone] = {"good": "good", "bad": "bad", "waiting": "waiting", "quiet": "quiet"}


def journal_rows(
    invocation: Invocation,
    entries: Sequence[JournalEntry],
    events: Sequence[JournalEvent],
    now: datetime,
    *,
    until: int | None = None,
) -> list[Row]:
    """Rows in the order of the journal; keys lead back to the entry or event.

    With `until`, entries up to that index are as they were then, and the others are pale.
    """
    if until is not None:
        later = [entry for entry in entries if entry.index > until]
        rows = journal_rows(invocation, [*journal_after(entries, until), *later], events, now)
        return [row if _index(row) <= until else _pale(row) for row in rows]
    rows = []
    told = 0
    for entry in entries:
        if visible(entry):
            rows.append(_entry_row(invocation, entry, now))
        while told < len(events) and events[told].after_index <= entry.index:
            rows.append(_event_row(invocation, events[told], told))
            told += 1
    rows += [_event_row(invocation, events[each], each) for each in range(told, len(events))]
    return rows


def entry_of(entries: Sequence[JournalEntry], row: Row | None) -> JournalEntry | None:
    """The entry of a row; of a failed attempt, the entry after which it failed."""
    if row is None or not entries:
        return None
    index = _index(row)
    return next((entry for entry in reversed(entries) if entry.index <= index), None)


def _index(row: Row) -> int:
    return int(row.key.split(":")[1])


def _pale(row: Row) -> Row:
    texts = (cell.text if isinstance(cell, Piece) else cell for cell in row.cells)
    return Row(row.key, tuple(Piece(text, "quiet") for text in texts))


def event_of(events: Sequence[JournalEvent], row: Row | None) -> JournalEvent | None:
    """The event of a row, if it is one's."""
    if row is None or not row.key.startswith("event:"):
        return None
    position = int(row.key.split(":")[2])
    return events[position] if position < len(events) else None


def _entry_row(invocation: Invocation, entry: JournalEntry, now: datetime) -> Row:
    about = subject(invocation, entry, lambda at: ago(at, now) if at else "")
    told = result(entry)
    kind = Piece(entry.kind, "name")
    what: Piece | str = _joined(about, told, entry)
    return Row(f"entry:{entry.index}", (str(entry.index), kind, what, _at(invocation, entry)))


def _joined(about: str, told: Told | None, entry: JournalEntry) -> Piece | str:
    if told is None:
        return about
    arrow = "" if entry.kind == "Output" or told.tone == "waiting" or not about else "→ "
    tone = TONES[told.tone] if told.tone in ("bad", "waiting") else "plain"
    return Piece(f"{about} {arrow}{told.text}".strip(), tone)


def _event_row(invocation: Invocation, event: JournalEvent, position: int) -> Row:
    told = happened(event)
    sign, _, words = told.text.partition(" ")
    # The column before says that it is an attempt, and the sign that it failed.
    words = words.removeprefix("attempt failed").removeprefix(":").strip()
    at = f"+{duration(event.at - invocation.created_at)}" if event.at else ""
    tone = TONES[told.tone]
    kind = "attempt" if event.kind == "TransientError" else event.kind
    return Row(
        f"event:{event.after_index}:{position}",
        (Piece(sign, tone), Piece(kind, tone), Piece(words, tone), Piece(at, "quiet")),
    )


def _at(invocation: Invocation, entry: JournalEntry) -> Piece:
    if entry.appended_at is None:
        return Piece("")
    return Piece(f"+{duration(entry.appended_at - invocation.created_at)}", "quiet")

"""How an invocation looks in one line."""

from __future__ import annotations

from rtour.cli.output import Column, Look, Record
from rtour.client.telling import note, status

STYLES = {
    "running": "green",
    "backing-off": "red",
    "paused": "yellow",
    "pending": "yellow",
    "scheduled": "blue",
    "ready": "blue",
    "suspended": "dim",
}


def status_style(record: Record) -> str:
    """The colour of a status."""
    if record.get("completion_result") == "failure":
        return "red"
    return STYLES.get(record["status"], "")


def status_text(record: Record, _: Look) -> str:
    """The status, and for a completed one how it ended."""
    return status(record)


def note_text(record: Record, look: Look) -> str:
    """What is worth a second look."""
    return note(record, look.at)


COLUMNS = (
    Column("id", "ID"),
    Column("target", "TARGET", fold=True),
    Column("status", "STATUS", status_text, status_style),
    Column("created_at", "CREATED"),
    Column("note", "NOTE", note_text, fold=True),
)

"""How an invocation looks in one line."""

from __future__ import annotations

from rtour.cli.output import Column, Look, Record
from rtour.cli.wording import first_line

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
    if record["status"] == "completed" and record.get("completion_result"):
        return "failed" if record["completion_result"] == "failure" else "succeeded"
    return str(record["status"])


def note_text(record: Record, look: Look) -> str:
    """What is worth a second look."""
    status = record["status"]
    if record.get("completion_failure"):
        return first_line(record["completion_failure"])
    if status == "scheduled" and record.get("scheduled_start_at"):
        return f"starts {look.at(record['scheduled_start_at'])}"
    if status == "backing-off":
        again = look.at(record.get("next_retry_at"))
        attempt = f"attempt {record.get('retry_count') or 1} failed"
        failure = first_line(record.get("last_failure") or "")
        return f"{attempt}, next {again}: {failure}" if again else f"{attempt}: {failure}"
    if record.get("last_failure"):
        return first_line(record["last_failure"])
    return ""


COLUMNS = (
    Column("id", "ID"),
    Column("target", "TARGET", fold=True),
    Column("status", "STATUS", status_text, status_style),
    Column("created_at", "CREATED"),
    Column("note", "NOTE", note_text, fold=True),
)

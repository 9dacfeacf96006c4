"""Invocations and journal entries in words, one line each; how instants are told is handed in.

The same words stand in `rtour invocations describe`, in `list`, and in the terminal UI. Nothing
here knows colours: a `tone` says how something ended, and whoever shows it picks the looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from rtour.client.journal import (
    CANCEL_SIGNAL,
    FIRST_AWAKEABLE_SIGNAL,
    JournalEntry,
    JournalEvent,
    Outcome,
)
from rtour.client.model import Invocation
from rtour.client.wording import first_line, payload
from rtour.ids import awakeable_id

Tone = Literal["good", "bad", "waiting", "quiet"]
Instant = Callable[[datetime | None], str]

STATE_READS = {"GetEagerState", "GetLazyState", "GetEagerStateKeys", "GetLazyStateKeys"}


class Told(msgspec.Struct, frozen=True):
    """Words, and how they are meant."""

    text: str
    tone: Tone


def status(record: Mapping[str, Any]) -> str:
    """The status of a row of `sys_invocation`, and for a completed one how it ended."""
    if record["status"] == "completed" and record.get("completion_result"):
        return "failed" if record["completion_result"] == "failure" else "succeeded"
    return str(record["status"])


def note(record: Mapping[str, Any], at: Instant) -> str:
    """What is worth a second look in a row of `sys_invocation`."""
    if record.get("completion_failure"):
        return first_line(record["completion_failure"])
    if record["status"] == "scheduled" and record.get("scheduled_start_at"):
        return f"starts {at(record['scheduled_start_at'])}"
    if record["status"] == "backing-off":
        again = at(record.get("next_retry_at"))
        attempt = f"attempt {record.get('retry_count') or 1} failed"
        failed = first_line(record.get("last_failure") or "")
        return f"{attempt}, next {again}: {failed}" if again else f"{attempt}: {failed}"
    return first_line(record.get("last_failure") or "")


def visible(entry: JournalEntry) -> bool:
    """Notifications are told with their command, except those that have none."""
    return not entry.notification or entry.kind == "Signal"


def subject(invocation: Invocation, entry: JournalEntry, at: Instant) -> str:
    """What an entry is about: its name, target, value, time."""
    if entry.kind in ("Call", "OneWayCall") and entry.target:
        delayed = f" {at(entry.wake_up_at)}" if entry.wake_up_at else ""
        return f"{entry.target}({payload(entry.value)}){delayed}"
    if entry.kind == "Sleep" and entry.wake_up_at:
        verb = "ends" if entry.open else "ended"
        return _join(entry.name, f"{verb} {at(entry.wake_up_at)}")
    if entry.kind == "Signal":
        return signal(invocation, entry)
    if entry.kind == "SetState":
        return _join(entry.name, f"= {payload(entry.value)}")
    if entry.kind == "CompletePromise" and entry.value is not None:
        return _join(entry.name, f":= {payload(entry.value)}")
    value = payload(entry.value) if entry.value is not None else None
    return _join(entry.name, value, entry.invocation_id if not entry.target else None)


def signal(invocation: Invocation, entry: JournalEntry) -> str:
    """Which signal it is, by the name people know it under."""
    if entry.signal == CANCEL_SIGNAL:
        return "cancel"
    if entry.signal is not None and entry.signal >= FIRST_AWAKEABLE_SIGNAL:
        return f"awakeable {awakeable_id(invocation.id, entry.signal)}"
    return "" if entry.signal is None else f"#{entry.signal}"


def result(entry: JournalEntry) -> Told | None:
    """What became of an entry."""
    outcome = entry.outcome
    if outcome is None:
        waiting = entry.open and not entry.notification
        return Told("… waiting", "waiting") if waiting else None
    if outcome.failed:
        return Told(failure(outcome), "bad")
    if outcome.value is not None:
        return Told(payload(outcome.value), "good")
    return Told("nothing", "quiet") if entry.kind in STATE_READS else None


def failure(outcome: Outcome) -> str:
    """A failure with its code, on one line."""
    code = f"[{outcome.failure_code}] " if outcome.failure_code else ""
    return f"{code}{first_line(outcome.failure_message or '')}"


def happened(event: JournalEvent) -> Told:
    """What happened beside the journal."""
    if event.kind == "Paused":
        return Told("‖ paused", "waiting")
    if event.kind != "TransientError":
        return Told(f"· {event.kind}", "quiet")
    code = f"[{event.code}] " if event.code else ""
    where = f" in {event.command}" if event.command else ""
    message = first_line(event.message or "no message")
    return Told(f"✗ attempt failed{where}: {code}{message}", "bad")


def last_frame(stacktrace: str) -> str:
    """Where it happened: the innermost frame is the user's own code, the SDK's are above it."""
    lines = [line.strip() for line in stacktrace.splitlines()]
    frames = [position for position, line in enumerate(lines) if line.startswith(("File ", "at "))]
    if not frames:
        return ""
    return ": ".join(lines[frames[-1] : frames[-1] + 2])


def _join(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)

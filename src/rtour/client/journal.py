"""The journal of an invocation, read: what each entry is, its values, and what is still open.

`sys_journal` carries each entry as JSON with externally tagged unions and byte arrays
(`server-semantics.md` §12). Here it becomes one flat `JournalEntry` per command with the
notification that completed it folded in, which is what people look at. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from rtour.client.heads import cut_payload
from rtour.client.model import EventRow, JournalRow

CANCEL_SIGNAL = 1
FIRST_AWAKEABLE_SIGNAL = 17


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How something ended: a value, or a failure. A void success has neither."""

    value: bytes | None = None
    failure_code: int | None = None
    failure_message: str | None = None

    @property
    def failed(self) -> bool:
        """Whether it is a failure."""
        return self.failure_message is not None


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a journal.

    `kind` is Restate's name (`Run`, `Sleep`, `Call`…); `completion_id` links a command to its
    notification, whose index is `completed_by`; `target` and `invocation_id` belong to calls.
    """

    index: int
    kind: str
    notification: bool = False
    name: str | None = None
    appended_at: datetime | None = None
    completion_id: int | None = None
    completed_by: int | None = None
    completed_at: datetime | None = None
    outcome: Outcome | None = None
    value: bytes | None = None
    target: str | None = None
    invocation_id: str | None = None
    wake_up_at: datetime | None = None
    signal: int | None = None

    @property
    def open(self) -> bool:
        """Whether it is a command that still waits for its notification."""
        return self.completion_id is not None and self.completed_by is None


class JournalEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened beside the journal: a failed attempt, a pause."""

    after_index: int
    kind: str
    at: datetime | None = None
    message: str | None = None
    code: int | None = None
    restate_code: str | None = None
    stacktrace: str | None = None
    command: str | None = None


def read_entries(rows: Iterable[JournalRow]) -> list[JournalEntry]:
    """Rows in index order to entries, commands completed by their notifications."""
    entries = [_entry(row) for row in rows]
    by_completion: dict[int, JournalEntry] = {}
    for entry in entries:
        if entry.notification and entry.completion_id is not None:
            by_completion[entry.completion_id] = entry
    return [_completed(entry, by_completion) for entry in entries]


def read_event(row: EventRow) -> JournalEvent:
    """An event row, whatever its JSON holds."""
    body = _json(row.event_json)
    detail = body.get("last_failure") if row.event_type == "Paused" else body
    detail = detail if isinstance(detail, dict) else {}
    return JournalEvent(
        after_index=row.after_journal_entry_index,
        kind=row.event_type,
        at=row.appended_at,
        message=detail.get("error_message"),
        code=detail.get("error_code"),
        restate_code=detail.get("restate_doc_error_code"),
        stacktrace=detail.get("error_stacktrace"),
        command=_related(detail),
    )


def open_entries(entries: Iterable[JournalEntry]) -> list[JournalEntry]:
    """The commands that wait for something."""
    return [entry for entry in entries if not entry.notification and entry.open]


def _completed(entry: JournalEntry, by_completion: dict[int, JournalEntry]) -> JournalEntry:
    if entry.notification or entry.completion_id is None:
        return entry
    notification = by_completion.get(entry.completion_id)
    if notification is None:
        return entry
    return msgspec.structs.replace(
        entry,
        completed_by=notification.index,
        completed_at=notification.appended_at,
        outcome=notification.outcome,
    )


def _entry(row: JournalRow) -> JournalEntry:
    entry = _read(row)
    head = cut_payload(bytes.fromhex(row.head)) if row.head else None
    if head is None:
        return entry
    outcome = entry.outcome
    if outcome is None:
        return msgspec.structs.replace(entry, value=head)
    if outcome.failed:
        outcome = Outcome(failure_message=head.decode("utf-8", "replace") + "…")
    else:
        outcome = Outcome(value=head)
    return msgspec.structs.replace(entry, outcome=outcome)


def _read(row: JournalRow) -> JournalEntry:
    side, _, kind = row.entry_type.partition(": ")
    # Journals older than protocol v4 have no "Command: " in front, and their facts in columns.
    if not kind:
        side, kind = "Command", row.entry_type
    tagged = _json(row.entry_json)
    body = _single(tagged.get(side, {}))[1] if side == "Command" else _notification(tagged)
    entry = JournalEntry(
        index=row.index,
        kind=kind,
        notification=side == "Notification",
        name=body.get("name") or body.get("key") or row.name or row.promise_name or None,
        appended_at=row.appended_at,
        completion_id=body.get("result_completion_id", body.get("completion_id")),
        outcome=_outcome(body.get("result")),
        value=_bytes(body.get("payload", body.get("value"))),
        invocation_id=body.get("invocation_id") or row.invoked_id,
        target=_target(body.get("invocation_target")) or row.invoked_target,
        wake_up_at=_instant(body.get("wake_up_time")) or row.sleep_wakeup_at,
        signal=_signal(body.get("id")),
    )
    return _call(entry, body) if "request" in body else _addressed(entry, body)


def _call(entry: JournalEntry, body: dict[str, Any]) -> JournalEntry:
    request = body["request"]
    if not isinstance(request, dict):
        return entry
    return msgspec.structs.replace(
        entry,
        invocation_id=request.get("invocation_id"),
        target=_target(request.get("invocation_target")),
        value=_bytes(request.get("parameter")),
        wake_up_at=_instant(body.get("invoke_time")),
        # A one-way call only waits for the id of its invocation, which is no news to anybody.
        completion_id=body.get("result_completion_id"),
    )


def _addressed(entry: JournalEntry, body: dict[str, Any]) -> JournalEntry:
    """Entries that name another invocation or an awakeable."""
    if entry.kind == "SendSignal":
        signal = _signal(body.get("signal_id"))
        addressee = body.get("target_invocation_id")
        return msgspec.structs.replace(entry, signal=signal, invocation_id=addressee)
    if entry.kind == "CompleteAwakeable":
        return msgspec.structs.replace(entry, name=_text(body.get("id")))
    if entry.kind == "CompletePromise":
        return msgspec.structs.replace(entry, outcome=None, value=_promised(body.get("value")))
    if isinstance(body.get("target"), dict):
        tag, value = _single(body["target"])
        del tag
        return msgspec.structs.replace(entry, invocation_id=_text(value.get("")))
    return entry


def _notification(tagged: dict[str, Any]) -> dict[str, Any]:
    body = tagged.get("Notification", {})
    if not isinstance(body, dict):
        return {}
    if "ty" in body:
        # `entry_lite_json` is flat where `entry_json` has a tag.
        identity, number = _single(body.get("id"))
        known = {"completion_id": number.get("")} if identity == "CompletionId" else {}
        return {**body, **known}
    if "Completion" in body:
        return _single(body["Completion"])[1]
    return _single(body)[1]


def _single(tagged: object) -> tuple[str, dict[str, Any]]:
    """The one tag and body of an externally tagged value; a scalar body goes under ''."""
    if not isinstance(tagged, dict) or not tagged:
        return "", {}
    tag, body = next(iter(tagged.items()))
    return str(tag), body if isinstance(body, dict) else {"": body}


def _outcome(result: object) -> Outcome | None:
    if result is None:
        return None
    if result == "Failure":
        return Outcome(failure_message="")
    if result == "Void":
        return Outcome()
    tag, body = _single(result)
    if tag == "Failure":
        return Outcome(failure_code=body.get("code"), failure_message=str(body.get("message", "")))
    return Outcome(value=_bytes(body.get("")))


def _promised(value: object) -> bytes | None:
    outcome = _outcome(value)
    return outcome.value if outcome else None


def _target(tagged: object) -> str | None:
    body = _single(tagged)[1]
    if "name" not in body:
        return None
    parts = [body["name"], body.get("key"), body.get("handler")]
    return "/".join(str(part) for part in parts if part is not None)


def _signal(tagged: object) -> int | None:
    index = _single(tagged)[1].get("")
    return index if isinstance(index, int) else None


def _related(detail: dict[str, Any]) -> str | None:
    kind, name = detail.get("related_command_type"), detail.get("related_command_name")
    index = detail.get("related_command_index")
    if kind is None:
        return None
    label = f"{kind} '{name}'" if name else str(kind)
    return label if index is None else f"{label} (command {index})"


def _bytes(value: object) -> bytes | None:
    if not isinstance(value, list):
        return None
    try:
        return bytes(value)
    except (TypeError, ValueError):
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _instant(milliseconds: object) -> datetime | None:
    if not isinstance(milliseconds, int) or milliseconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError):
        return None


def _json(text: str | None) -> dict[str, Any]:
    """The object in `text`; anything else costs the details, not the journal."""
    try:
        value = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}

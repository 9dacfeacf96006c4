"""Notifications: how completions, signals and responses reach a journal, and who wakes up."""

from __future__ import annotations

from msgspec.structs import replace

from rtour.engine import awaiting
from rtour.engine.actions import Notify, StartAttempt, Verdict
from rtour.engine.changes import AppendEntry, DeleteTimer
from rtour.engine.commands import Complete, FireTimer, Record, Signal
from rtour.engine.decision import Decision
from rtour.engine.model import LIVE, Entry, Invocation, Status, TimerKind
from rtour.engine.view import View
from rtour.protocol.framing import encode_payload
from rtour.protocol.messages import VOID, MessageType, Notification, Result


def append(
    decision: Decision,
    at: int,
    invocation: Invocation,
    type: int,  # noqa: A002
    raw: bytes,
    callee: str | None = None,
) -> tuple[Invocation, Entry]:
    """Add the next entry to the journal."""
    entry = Entry(invocation.journal_length, type, raw, at, callee)
    decision.changes.append(AppendEntry(invocation.id, invocation.number, entry))
    grown = replace(
        invocation,
        journal_length=invocation.journal_length + 1,
        commands=invocation.commands + entry.is_command,
        modified_at=at,
    )
    return grown, entry


def notify(
    decision: Decision,
    at: int,
    invocation: Invocation,
    type: int,  # noqa: A002
    id: int | str,  # noqa: A002
    result: Result,
) -> Invocation:
    """Add a notification to a live invocation's journal; tell its attempt, or wake it.

    A paused one only takes it down: nothing but resume and cancel wakes it.
    """
    assert invocation.status in LIVE
    notification = Notification(type, id, result)
    raw = encode_payload(notification)
    invocation, entry = append(decision, at, invocation, type, raw)
    if invocation.status is Status.INVOKED:
        decision.actions.append(Notify(invocation.id, invocation.attempt, entry))
    elif invocation.status is Status.SUSPENDED:
        assert invocation.awaiting is not None
        rest = awaiting.remaining(invocation.awaiting, notification)
        if rest is None:
            return start_attempt(decision, at, invocation)
        invocation = replace(invocation, awaiting=rest)
    return invocation


def start_attempt(
    decision: Decision,
    at: int,
    invocation: Invocation,
    *,
    delay_ms: int = 0,
    retry: bool = False,
) -> Invocation:
    """Run the invocation under the next attempt number. Last step of a decision on it."""
    running_at = at if invocation.running_at is None else invocation.running_at
    invocation = replace(
        invocation,
        status=Status.INVOKED,
        attempt=invocation.attempt + 1,
        awaiting=None,
        pause_requested=False,
        running_at=running_at,
        modified_at=at,
    )
    decision.actions.append(StartAttempt(invocation, delay_ms, retry))
    return invocation


def on_complete(view: View, record: Record, command: Complete) -> Decision:
    decision = Decision()
    sink = command.sink
    invocation = view.invocation(sink.id)
    if invocation is None or invocation.number != sink.number or invocation.status not in LIVE:
        return decision
    decision.put(
        notify(decision, record.at, invocation, sink.type, sink.completion_id, command.result)
    )
    return decision


def on_signal(view: View, record: Record, command: Signal) -> Decision:
    """Signals to invocations that have not started, or have ended, are dropped (§5.4)."""
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is not None and invocation.status in LIVE:
        type_ = MessageType.SIGNAL
        decision.put(notify(decision, record.at, invocation, type_, command.signal, command.result))
    return decision.outcome(command.request_id, Verdict.ACCEPTED)


def fire_sleep(view: View, record: Record, command: FireTimer) -> Decision:
    """A sleep is over. The timer goes with the notification, so it cannot fire twice."""
    timer = command.timer
    assert timer.kind is TimerKind.SLEEP
    decision = Decision()
    decision.changes.append(DeleteTimer(timer))
    invocation = view.invocation(timer.invocation_id)
    if invocation is not None and invocation.number == timer.number and invocation.status in LIVE:
        decision.put(
            notify(
                decision,
                record.at,
                invocation,
                MessageType.SLEEP_COMPLETION,
                timer.completion_id,
                VOID,
            )
        )
    return decision

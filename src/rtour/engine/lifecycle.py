"""The life of an invocation: invoked, attempted, suspended, failed, ended."""

from __future__ import annotations

from msgspec.structs import replace

from rtour.engine import awaiting
from rtour.engine.actions import Accepted, Finished, SetTimer
from rtour.engine.changes import AppendEvent, DeleteInvocation, DeleteJournal, DeleteTimer, PutTimer
from rtour.engine.commands import (
    ANY_LIFE,
    AttemptExhausted,
    AttemptFailed,
    AttemptPaused,
    AttemptReport,
    AttemptSuspended,
    FireTimer,
    Invoke,
    Record,
)
from rtour.engine.decision import Decision
from rtour.engine.model import (
    LATEST,
    AttemptError,
    Event,
    EventType,
    Invocation,
    RequestSink,
    Status,
    Timer,
    TimerKind,
)
from rtour.engine.objects import forget_workflow, release, run_or_queue
from rtour.engine.outcomes import append, fire_sleep, start_attempt
from rtour.engine.places import advance
from rtour.engine.view import View
from rtour.engine.waiting import answer, answer_stored, tell_all, wait_for
from rtour.protocol.framing import decode, encode_payload
from rtour.protocol.messages import (
    Failure,
    Future,
    Input,
    MessageType,
    Notification,
    Output,
    Value,
)

ALREADY_INVOKED = Failure(409, "the workflow method was already invoked")
NO_OUTPUT = Failure(500, "unknown")


# --- invoke --------------------------------------------------------------------------------------


def on_invoke(view: View, record: Record, command: Invoke) -> Decision:
    decision = Decision()
    if command.place is not None and not advance(view, command, command.place, decision):
        return decision
    existing = None if command.fresh else view.invocation(command.id)
    if existing is not None:
        _join(existing, record, command, decision)
        return decision
    invocation, _ = append(
        decision,
        record.at,
        _new(record, command),
        MessageType.INPUT,
        encode_payload(Input(command.headers, command.body)),
    )
    admit(view, record, invocation, decision)
    decision.respond(
        command.accept_request_id, Accepted(command.id, False, invocation.scheduled_start_at)
    )
    return decision


def admit(view: View, record: Record, invocation: Invocation, decision: Decision) -> None:
    """Put a new invocation, with its journal so far, on its way: schedule, queue or run it."""
    if invocation.scheduled_start_at is None:
        run_or_queue(view, record, invocation, decision)
        return
    timer = Timer(
        invocation.scheduled_start_at, invocation.number, 0, TimerKind.START, invocation.id
    )
    decision.changes.append(PutTimer(timer))
    decision.actions.append(SetTimer(timer))
    decision.put(replace(invocation, status=Status.SCHEDULED, scheduled_at=record.at))


def _new(record: Record, command: Invoke) -> Invocation:
    return Invocation(
        id=command.id,
        number=record.sequence,
        target=command.target,
        status=Status.INVOKED,
        source=command.source,
        created_at=record.at,
        modified_at=record.at,
        completion_retention_ms=min(command.completion_retention_ms, LATEST),
        journal_retention_ms=min(command.journal_retention_ms, LATEST),
        idempotency_key=command.idempotency_key,
        sinks=() if command.sink is None else (command.sink,),
        trace=command.trace,
        scheduled_start_at=None if command.start_at is None else min(command.start_at, LATEST),
    )


def _join(existing: Invocation, record: Record, command: Invoke, decision: Decision) -> None:
    """The same request again: it waits for, or gets, the result of the first.

    A second call of a workflow's run method fails instead; a second send of it does not.
    """
    sink = command.sink
    decision.respond(
        command.accept_request_id, Accepted(existing.id, True, existing.scheduled_start_at)
    )
    if sink is None:
        return
    if existing.target.is_workflow_run:
        if isinstance(sink, RequestSink):
            decision.respond(sink.request_id, Finished(existing.id, ALREADY_INVOKED))
        else:
            answer(decision, sink, ALREADY_INVOKED, existing.id)
    elif existing.result is not None:
        answer_stored(decision, sink, existing)
    else:
        wait_for(existing, sink, record.at, decision)


def on_fire_timer(view: View, record: Record, command: FireTimer) -> Decision:
    timer = command.timer
    if timer.kind is TimerKind.SLEEP:
        return fire_sleep(view, record, command)
    decision = Decision()
    decision.changes.append(DeleteTimer(timer))
    invocation = view.invocation(timer.invocation_id)
    if (
        invocation is not None
        and invocation.number == timer.number
        and invocation.status is Status.SCHEDULED
    ):
        run_or_queue(view, record, invocation, decision)
    return decision


# --- reports of attempts -------------------------------------------------------------------------


def current(view: View, report: AttemptReport) -> Invocation | None:
    """The invocation, if the report is of the attempt that counts: the fence."""
    invocation = view.invocation(report.id)
    if invocation is None or invocation.status is not Status.INVOKED:
        return None
    if report.number not in {ANY_LIFE, invocation.number}:
        return None
    return invocation if invocation.attempt == report.attempt else None


def on_attempt_suspended(view: View, record: Record, command: AttemptSuspended) -> Decision:
    decision = Decision()
    invocation = current(view, command)
    if invocation is None:
        return decision
    rest = _still_awaited(view, invocation, command.awaiting, command.delivered)
    if invocation.pause_requested:
        pause(decision, record.at, invocation, None)
    elif rest is None:
        decision.put(start_attempt(decision, record.at, invocation))
    else:
        decision.put(
            replace(invocation, status=Status.SUSPENDED, awaiting=rest, modified_at=record.at)
        )
    return decision


def _still_awaited(
    view: View, invocation: Invocation, tree: Future, delivered: int
) -> Future | None:
    """The tree less what came since the attempt's input was closed; None if it can go on."""
    if delivered >= invocation.journal_length:
        return tree
    for entry in view.entries(invocation, delivered):
        if entry.is_command:
            continue
        notification = decode(entry.type, entry.raw)
        assert isinstance(notification, Notification)
        rest = awaiting.remaining(tree, notification)
        if rest is None:
            return None
        tree = rest
    return tree


def on_attempt_failed(view: View, record: Record, command: AttemptFailed) -> Decision:
    decision = Decision()
    invocation = current(view, command)
    if invocation is None:
        return decision
    if not command.repeated:
        _event(decision, record.at, invocation, EventType.TRANSIENT_ERROR, command.error)
    if invocation.pause_requested:
        pause(decision, record.at, invocation, command.error)
    else:
        decision.put(
            start_attempt(decision, record.at, invocation, delay_ms=command.delay_ms, retry=True)
        )
    return decision


def on_attempt_exhausted(view: View, record: Record, command: AttemptExhausted) -> Decision:
    decision = Decision()
    invocation = current(view, command)
    if invocation is None:
        return decision
    error = command.error
    if not command.repeated:
        _event(decision, record.at, invocation, EventType.TRANSIENT_ERROR, error)
    if command.pause:
        pause(decision, record.at, invocation, error)
    else:
        finish(view, record, invocation, Failure(error.code, error.message), decision)
    return decision


def on_attempt_paused(view: View, record: Record, command: AttemptPaused) -> Decision:
    decision = Decision()
    invocation = current(view, command)
    if invocation is not None and invocation.pause_requested:
        pause(decision, record.at, invocation, None)
    return decision


def stored_output(view: View, invocation: Invocation) -> Value | Failure:
    """The last Output of the journal: the result. End without one is the service's fault."""
    if invocation.output_index is None:
        return NO_OUTPUT
    entry = view.entries(invocation, invocation.output_index)[0]
    output = decode(entry.type, entry.raw)
    assert isinstance(output, Output)
    return output.result


# --- the end, and the pause ----------------------------------------------------------------------


def pause(decision: Decision, at: int, invocation: Invocation, error: AttemptError | None) -> None:
    """No more attempts until somebody resumes or cancels it; its lock stays."""
    _event(decision, at, invocation, EventType.PAUSED, error)
    decision.put(replace(invocation, status=Status.PAUSED, pause_requested=False, modified_at=at))


def _event(
    decision: Decision,
    at: int,
    invocation: Invocation,
    type_: EventType,
    error: AttemptError | None,
) -> None:
    event = Event(type_, invocation.journal_length - 1, at, error)
    decision.changes.append(AppendEvent(invocation.id, invocation.number, event))


def finish(
    view: View,
    record: Record,
    invocation: Invocation,
    result: Value | Failure,
    decision: Decision,
) -> None:
    """End a running invocation: tell who waits, keep what retention says, pass on the lock."""
    tell_all(view, invocation, result, decision)
    target = invocation.target
    if invocation.completion_retention_ms > 0:
        _keep(record.at, invocation, result, decision)
    else:
        decision.changes.append(DeleteInvocation(invocation.id, invocation.number))
        forget_workflow(target, decision)
    if target.takes_lock:
        release(view, target, decision)


def _keep(at: int, invocation: Invocation, result: Value | Failure, decision: Decision) -> None:
    keeps_journal = invocation.journal_retention_ms > 0
    if not keeps_journal:
        decision.changes.append(DeleteJournal(invocation.id, invocation.number))
    decision.put(
        replace(
            invocation,
            status=Status.COMPLETED,
            sinks=(),
            awaiting=None,
            pause_requested=False,
            journal_length=invocation.journal_length if keeps_journal else 0,
            commands=invocation.commands if keeps_journal else 0,
            output_index=invocation.output_index if keeps_journal else None,
            modified_at=at,
            completed_at=at,
            result=result,
        )
    )

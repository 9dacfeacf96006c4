"""Control operations: cancel, kill, pause, resume, purge, restart (http-api.md B6)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from rtour.engine.actions import AbortAttempt, Outcome, PauseAttempt, RetryNow, Verdict
from rtour.engine.changes import (
    AppendEntry,
    DeleteDocument,
    DeleteInvocation,
    DeleteJournal,
    PutDocument,
)
from rtour.engine.commands import (
    Cancel,
    Expire,
    Kill,
    Pause,
    Purge,
    PurgeJournal,
    Record,
    RestartAsNew,
    Resume,
    StoreDocuments,
)
from rtour.engine.decision import Decision
from rtour.engine.lifecycle import admit, finish
from rtour.engine.model import (
    WAITING,
    Entry,
    FromRestart,
    Invocation,
    Status,
)
from rtour.engine.objects import forget_workflow, leave_queue
from rtour.engine.outcomes import notify, start_attempt
from rtour.engine.view import View
from rtour.engine.waiting import tell_all
from rtour.protocol.framing import decode
from rtour.protocol.messages import VOID, Failure, MessageType, Notification, SignalIndex

CANCELED = Failure(409, "canceled")  # one l: the server's; the SDKs' own says "cancelled"
KILLED = Failure(409, "killed")


def on_cancel(view: View, record: Record, command: Cancel) -> Decision:
    """Not started: gone at once. Running: a signal for its SDK, which even wakes a paused one."""
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None:
        return _absent(decision, command.id, command.request_id)
    if invocation.status is Status.COMPLETED:
        return decision.outcome(
            command.request_id,
            Verdict.CONFLICT,
            f"The invocation '{command.id}' was already completed.",
        )
    if invocation.status in WAITING:
        _erase(view, invocation, CANCELED, decision)
        return decision.outcome(command.request_id, Verdict.DONE)
    was_paused = invocation.status is Status.PAUSED
    invocation = notify(
        decision, record.at, invocation, MessageType.SIGNAL, SignalIndex.CANCEL, VOID
    )
    if was_paused:
        invocation = start_attempt(decision, record.at, invocation)
    decision.put(invocation)
    return decision.outcome(command.request_id, Verdict.ACCEPTED)


def on_kill(view: View, record: Record, command: Kill) -> Decision:
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None:
        return _absent(decision, command.id, command.request_id)
    if invocation.status is Status.COMPLETED:
        return decision.outcome(
            command.request_id,
            Verdict.CONFLICT,
            f"The invocation '{command.id}' was already completed.",
        )
    if invocation.status in WAITING:
        _erase(view, invocation, KILLED, decision)
    else:
        for entry in view.entries(invocation):
            if entry.callee is not None:
                decision.messages.append(Kill(entry.callee))
        decision.actions.append(AbortAttempt(invocation.id))
        finish(view, record, invocation, KILLED, decision)
    return decision.outcome(command.request_id, Verdict.DONE)


def _erase(view: View, invocation: Invocation, result: Failure, decision: Decision) -> None:
    """Remove what has not started, as if it had never come; its timer will find nothing.

    State and promises of a workflow stay: shared handlers may have made them before any run.
    """
    if invocation.status is Status.INBOXED:
        leave_queue(view, invocation, decision)
    tell_all(view, invocation, result, decision)
    decision.changes.append(DeleteInvocation(invocation.id, invocation.number))


def on_pause(view: View, record: Record, command: Pause) -> Decision:
    """A running one pauses when its attempt ends; a suspended one stays as it is."""
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None:
        return _absent(decision, command.id, command.request_id)
    if invocation.status in {Status.SUSPENDED, Status.PAUSED}:
        return decision.outcome(command.request_id, Verdict.DONE)
    if invocation.status is not Status.INVOKED:
        return decision.outcome(
            command.request_id,
            Verdict.CONFLICT,
            f"The invocation '{command.id}' is not running, cannot be paused.",
        )
    decision.actions.append(PauseAttempt(invocation.id, invocation.attempt))
    decision.put(replace(invocation, pause_requested=True, modified_at=record.at))
    return decision.outcome(command.request_id, Verdict.ACCEPTED)


def on_resume(view: View, record: Record, command: Resume) -> Decision:
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None:
        return _absent(decision, command.id, command.request_id)
    refusal = _why_not_resume(invocation, command)
    if refusal is not None:
        decision.respond(command.request_id, refusal)
        return decision
    if invocation.status is Status.INVOKED:
        decision.actions.append(RetryNow(invocation.id))
        return decision.outcome(command.request_id, Verdict.DONE)
    if command.deployment_id is not None:
        invocation = replace(invocation, deployment_id=command.deployment_id)
    decision.put(start_attempt(decision, record.at, invocation))
    return decision.outcome(command.request_id, Verdict.DONE)


def _why_not_resume(invocation: Invocation, command: Resume) -> Outcome | None:
    id_ = invocation.id
    if invocation.status in WAITING:
        return Outcome(
            Verdict.TOO_EARLY,
            f"The invocation '{id_}' is either inboxed or scheduled, cannot be resumed.",
        )
    if invocation.status is Status.COMPLETED:
        return Outcome(Verdict.CONFLICT, f"The invocation '{id_}' is completed, cannot be resumed.")
    if command.deployment_id is None:
        return None
    if invocation.status is Status.INVOKED or invocation.deployment_id is None:
        return Outcome(
            Verdict.CONFLICT,
            f"The invocation '{id_}' is still running or the deployment id is not pinned yet, "
            "deployment id cannot be changed.",
        )
    return None


def on_purge(view: View, _record: Record, command: Purge) -> Decision:
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None:
        return _absent(decision, command.id, command.request_id)
    if invocation.status is not Status.COMPLETED:
        return _not_completed(decision, command.id, command.request_id)
    _forget(invocation, decision)
    return decision.outcome(command.request_id, Verdict.DONE)


def on_purge_journal(view: View, record: Record, command: PurgeJournal) -> Decision:
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None:
        return _absent(decision, command.id, command.request_id)
    if invocation.status is not Status.COMPLETED:
        return _not_completed(decision, command.id, command.request_id)
    _forget_journal(record.at, invocation, decision)
    return decision.outcome(command.request_id, Verdict.DONE)


def on_expire(view: View, record: Record, command: Expire) -> Decision:
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None or invocation.status is not Status.COMPLETED:
        return decision
    assert invocation.expires_at is not None
    if invocation.expires_at <= record.at:
        _forget(invocation, decision)
    elif invocation.journal_expires_at is not None and invocation.journal_expires_at <= record.at:
        _forget_journal(record.at, invocation, decision)
    return decision


def _forget(invocation: Invocation, decision: Decision) -> None:
    decision.changes.append(DeleteInvocation(invocation.id, invocation.number))
    forget_workflow(invocation.target, decision)


def _forget_journal(at: int, invocation: Invocation, decision: Decision) -> None:
    decision.changes.append(DeleteJournal(invocation.id, invocation.number))
    decision.put(
        replace(invocation, journal_length=0, commands=0, output_index=None, modified_at=at)
    )


# --- restart as new ------------------------------------------------------------------------------


def on_restart_as_new(view: View, record: Record, command: RestartAsNew) -> Decision:
    """A new invocation that begins with a copy of the old one's first entries.

    Copied commands are not carried out again; the completions that followed them are copied too.
    """
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None:
        return _absent(decision, command.id, command.request_id)
    if view.invocation(command.new_id) is not None:  # the same command again
        decision.respond(command.request_id, Outcome(Verdict.DONE, id=command.new_id))
        return decision
    refusal = _why_not_restart(invocation, command)
    if refusal is not None:
        decision.respond(command.request_id, refusal)
        return decision
    prefix = _copied(view.entries(invocation), command.from_index)
    if prefix is None:
        message = (
            f"The prefix of the journal '{command.id}' up to 'from' (included) contains some "
            "Commands without respective Completions."
        )
        return decision.outcome(command.request_id, Verdict.INVALID, message)
    copy = _restarted(record, command, invocation, prefix)
    for entry in prefix:
        decision.changes.append(AppendEntry(copy.id, copy.number, entry))
    admit(view, record, copy, decision)
    decision.respond(command.request_id, Outcome(Verdict.DONE, id=copy.id))
    return decision


def _why_not_restart(invocation: Invocation, command: RestartAsNew) -> Outcome | None:
    id_ = invocation.id
    if invocation.status in WAITING:
        return Outcome(
            Verdict.TOO_EARLY,
            f"The invocation '{id_}' cannot be restarted because it's not running yet.",
        )
    if invocation.status is not Status.COMPLETED:
        return Outcome(Verdict.CONFLICT, f"The invocation '{id_}' is still running.")
    if invocation.target.is_workflow_run:
        return Outcome(
            Verdict.UNPROCESSABLE,
            f"Restarting the invocation '{id_}' is not supported. Restarting workflows is not "
            "supported, and restarting invocations created using the old service protocol.",
        )
    if invocation.journal_length == 0:
        return Outcome(
            Verdict.GONE,
            f"The invocation '{id_}' cannot be restarted because the input is not available. "
            "This indicates that the journal was already purged, or not retained at all.",
        )
    if command.from_index >= invocation.journal_length:
        last = invocation.journal_length - 1
        return Outcome(Verdict.INVALID, f"The journal of '{id_}' ends with entry {last}")
    if command.from_index > 0 and (invocation.protocol_version or 0) < 6:
        return Outcome(
            Verdict.UNPROCESSABLE,
            "Restarting from an entry needs service protocol 6, this invocation ran on "
            f"{invocation.protocol_version}",
        )
    return None


def _restarted(
    record: Record, command: RestartAsNew, old: Invocation, prefix: list[Entry]
) -> Invocation:
    """The protocol version stays with a prefix, which no other can replay, and a deployment."""
    deployment_id = command.deployment_id or old.deployment_id
    keeps_version = command.from_index > 0 or deployment_id == old.deployment_id
    outputs = [entry.index for entry in prefix if entry.type == MessageType.OUTPUT]
    return Invocation(
        id=command.new_id,
        number=record.sequence,
        target=old.target,
        status=Status.INVOKED,
        source=FromRestart(old.id),
        created_at=record.at,
        modified_at=record.at,
        completion_retention_ms=old.completion_retention_ms,
        journal_retention_ms=old.journal_retention_ms,
        trace=old.trace,
        journal_length=len(prefix),
        commands=sum(entry.is_command for entry in prefix),
        output_index=outputs[-1] if outputs else None,
        deployment_id=deployment_id,
        protocol_version=old.protocol_version if keeps_version else None,
    )


def _copied(entries: list[Entry], from_index: int) -> list[Entry] | None:
    """Entries 0 to `from_index`, and the later completions of the commands among them.

    None if one of those commands has no completion yet. Signals after the prefix stay behind.
    """
    prefix = entries[: from_index + 1]
    wanted = {id_ for entry in prefix if entry.is_command for id_ in _completion_ids(entry)}
    for entry in prefix:
        wanted.discard(_completes(entry))
    for entry in entries[from_index + 1 :]:
        if _completes(entry) in wanted:
            wanted.discard(_completes(entry))
            prefix.append(entry)
    if wanted:
        return None
    return [replace(entry, index=index) for index, entry in enumerate(prefix)]


def _completion_ids(entry: Entry) -> Iterator[int]:
    command = decode(entry.type, entry.raw)
    for field in ("invocation_id_notification_idx", "result_completion_id"):
        id_ = getattr(command, field, None)
        if id_ is not None:
            yield id_


def _completes(entry: Entry) -> int | None:
    """The completion id of a notification entry; None for commands and signals."""
    if entry.is_command or entry.type == MessageType.SIGNAL:
        return None
    notification = decode(entry.type, entry.raw)
    assert isinstance(notification, Notification)
    assert isinstance(notification.id, int)
    return notification.id


# --- documents -----------------------------------------------------------------------------------


def on_store_documents(_view: View, _record: Record, command: StoreDocuments) -> Decision:
    decision = Decision()
    for document in command.documents:
        if document.json is None:
            decision.changes.append(DeleteDocument(document.kind, document.id))
        else:
            decision.changes.append(PutDocument(document.kind, document.id, document.json))
    return decision.outcome(command.request_id, Verdict.DONE)


def _absent(decision: Decision, id_: str, request_id: int) -> Decision:
    return decision.outcome(
        request_id, Verdict.NOT_FOUND, f"The requested invocation '{id_}' does not exist"
    )


def _not_completed(decision: Decision, id_: str, request_id: int) -> Decision:
    return decision.outcome(
        request_id, Verdict.CONFLICT, f"The invocation '{id_}' is not yet completed."
    )

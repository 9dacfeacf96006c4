"""The door of the engine: a record and a view go in, a decision comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rtour.engine import commands as c
from rtour.engine import control, journal, lifecycle, objects, outcomes, waiting
from rtour.engine.changes import DeleteInvocation, PutInvocation
from rtour.engine.decision import Decision
from rtour.engine.model import DocumentKind, Status
from rtour.engine.transitions import may_follow
from rtour.engine.view import DocumentKey, InvocationKey, Key, ObjectKey, View

HANDLERS: dict[type, Callable[[View, c.Record, Any], Decision]] = {
    c.Invoke: lifecycle.on_invoke,
    c.Begin: objects.on_begin,
    c.FireTimer: lifecycle.on_fire_timer,
    c.StoreEntry: journal.on_store_entry,
    c.ProposeRun: journal.on_propose_run,
    c.AttemptSuspended: lifecycle.on_attempt_suspended,
    c.AttemptFailed: lifecycle.on_attempt_failed,
    c.AttemptExhausted: lifecycle.on_attempt_exhausted,
    c.AttemptPaused: lifecycle.on_attempt_paused,
    c.AttemptEnded: journal.on_attempt_ended,
    c.Complete: outcomes.on_complete,
    c.Signal: outcomes.on_signal,
    c.Attach: waiting.on_attach,
    c.Detach: waiting.on_detach,
    c.Tell: waiting.on_tell,
    c.GetOutput: waiting.on_get_output,
    c.Cancel: control.on_cancel,
    c.Kill: control.on_kill,
    c.Pause: control.on_pause,
    c.Resume: control.on_resume,
    c.Purge: control.on_purge,
    c.PurgeJournal: control.on_purge_journal,
    c.Expire: control.on_expire,
    c.RestartAsNew: control.on_restart_as_new,
    c.PatchState: objects.on_patch_state,
    c.StoreDocuments: control.on_store_documents,
}


def apply(view: View, record: c.Record) -> Decision:
    """Decide what one record does. Reads only what `keys` declares, writes nothing itself."""
    command = record.command
    decision = HANDLERS[type(command)](view, record, command)
    for change in decision.changes:
        if type(change) is PutInvocation:
            invocation = change.invocation
            if invocation.number == record.sequence:  # made by this record: it was not there
                _assert_follows(command, invocation.id, None, invocation.status)
            else:
                _assert_allowed(view, command, invocation.id, invocation.status)
        elif type(change) is DeleteInvocation:
            _assert_allowed(view, command, change.id, None)
    return decision


def _assert_allowed(view: View, command: c.Command, id_: str, after: Status | None) -> None:
    stored = view.invocation(id_)
    _assert_follows(command, id_, stored.status if stored else None, after)


def _assert_follows(
    command: c.Command, id_: str, before: Status | None, after: Status | None
) -> None:
    assert may_follow(type(command), before, after), (
        f"{type(command).__name__} must not take {id_} from {before} to {after}"
    )


def keys(command: c.Command) -> tuple[Key, ...]:
    """All that `apply` may read for this command, known before it runs."""
    match command:
        case c.Invoke():
            return _keys_of_invoke(command)
        case c.FireTimer():
            return (InvocationKey(command.timer.invocation_id),)
        case c.Complete():
            return (InvocationKey(command.sink.id),)
        case c.PatchState():
            return (ObjectKey(command.service, command.key),)
        case c.RestartAsNew():
            return (InvocationKey(command.id), InvocationKey(command.new_id))
        case c.StoreDocuments():
            return ()
        case _:
            return (InvocationKey(command.id),)


def _keys_of_invoke(command: c.Invoke) -> tuple[Key, ...]:
    target, place = command.target, command.place
    found: tuple[Key, ...] = (InvocationKey(command.id),)
    if target.key is not None:
        found += (ObjectKey(target.service, target.key),)
    if place is not None:
        found += (DocumentKey(DocumentKind.SUBSCRIPTION_PLACES, place.subscription),)
    return found

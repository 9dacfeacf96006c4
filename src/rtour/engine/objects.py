"""Virtual objects and workflows: who holds the lock, who waits for it, and what state there is."""

from __future__ import annotations

from msgspec.structs import replace

from rtour.engine.actions import Verdict
from rtour.engine.changes import (
    ClearPromises,
    ClearState,
    DeleteInboxItem,
    DeleteLock,
    DeleteState,
    PutInboxItem,
    PutLock,
    PutState,
)
from rtour.engine.commands import Begin, PatchState, Record
from rtour.engine.decision import Decision
from rtour.engine.model import InboxItem, Invocation, StatePatch, Status, Target
from rtour.engine.outcomes import start_attempt
from rtour.engine.view import View
from rtour.ids import state_version


def run_or_queue(view: View, record: Record, invocation: Invocation, decision: Decision) -> None:
    """Run a new or just due invocation, or put it behind the holder of its object's lock."""
    target = invocation.target
    if target.takes_lock:
        assert target.key is not None
        if view.lock(target.service, target.key) is not None:
            _queue(record, invocation, decision)
            return
        decision.changes.append(PutLock(target.service, target.key, invocation.id))
    decision.put(start_attempt(decision, record.at, invocation))


def _queue(record: Record, invocation: Invocation, decision: Decision) -> None:
    target = invocation.target
    assert target.key is not None
    item = InboxItem(record.sequence, invocation_id=invocation.id)
    decision.changes.append(PutInboxItem(target.service, target.key, item))
    decision.put(
        replace(
            invocation,
            status=Status.INBOXED,
            inbox_sequence=record.sequence,
            inboxed_at=record.at,
            modified_at=record.at,
        )
    )


def leave_queue(view: View, invocation: Invocation, decision: Decision) -> None:
    """Take an inboxed invocation out of its object's queue.

    It may hold the lock already, its Begin still under way: then the next in the queue gets it.
    """
    assert invocation.status is Status.INBOXED
    target, sequence = invocation.target, invocation.inbox_sequence
    assert target.key is not None
    assert sequence is not None
    if view.lock(target.service, target.key) == invocation.id:
        release(view, target, decision)
    else:
        decision.changes.append(DeleteInboxItem(target.service, target.key, sequence))


def release(view: View, target: Target, decision: Decision) -> None:
    """Give the lock to the next in the queue, applying state patches on the way."""
    service, key = target.service, target.key
    assert key is not None
    state: dict[bytes, bytes] | None = None
    for item in view.inbox(service, key):
        decision.changes.append(DeleteInboxItem(service, key, item.sequence))
        if item.invocation_id is not None:
            decision.changes.append(PutLock(service, key, item.invocation_id))
            decision.messages.append(Begin(item.invocation_id))
            return
        assert item.patch is not None
        state = _state_by_now(view, service, key, decision) if state is None else state
        state = _patch(service, key, state, item.patch, decision)
    decision.changes.append(DeleteLock(service, key))


def _state_by_now(view: View, service: str, key: str, decision: Decision) -> dict[bytes, bytes]:
    """The object's state, with what the decision, which is about no other, has made of it."""
    state = dict(view.all_state(service, key))
    for change in decision.changes:
        match change:
            case PutState():
                state[change.name] = change.value
            case DeleteState():
                state.pop(change.name, None)
            case ClearState():
                state.clear()
    return state


def on_begin(view: View, record: Record, command: Begin) -> Decision:
    """Run what the lock was given to, unless it was killed or cancelled on the way here."""
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None or invocation.status is not Status.INBOXED:
        return decision
    target = invocation.target
    assert target.key is not None
    if view.lock(target.service, target.key) == invocation.id:
        decision.put(start_attempt(decision, record.at, replace(invocation, inbox_sequence=None)))
    return decision


def on_patch_state(view: View, record: Record, command: PatchState) -> Decision:
    decision = Decision()
    service, key = command.service, command.key
    if view.lock(service, key) is not None:
        item = InboxItem(record.sequence, patch=command.patch)
        decision.changes.append(PutInboxItem(service, key, item))
    else:
        _patch(service, key, view.all_state(service, key), command.patch, decision)
    return decision.outcome(command.request_id, Verdict.ACCEPTED)


def _patch(
    service: str, key: str, state: dict[bytes, bytes], patch: StatePatch, decision: Decision
) -> dict[bytes, bytes]:
    """Replace the state unless it changed since `patch.version`; the state as it is then."""
    if patch.version is not None and patch.version != state_version(state):
        return state
    decision.changes.append(ClearState(service, key))
    for name, value in patch.entries.items():
        decision.changes.append(PutState(service, key, name, value))
    return patch.entries


def forget_workflow(target: Target, decision: Decision) -> None:
    """State and promises of a workflow key go with the record of its run."""
    if target.is_workflow_run:
        assert target.key is not None
        decision.changes.append(ClearState(target.service, target.key))
        decision.changes.append(ClearPromises(target.service, target.key))

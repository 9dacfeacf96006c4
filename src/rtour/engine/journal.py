"""What each command entry means: stored and effective in one step (protocol §5.4).

Preconditions (targets exist, state only for keyed handlers, ids parse) are the attempt's to check
before it proposes an entry; here they are asserted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from rtour.engine import lifecycle
from rtour.engine.actions import AckEntry, SetTimer
from rtour.engine.changes import ClearState, DeleteState, PutPromise, PutState, PutTimer
from rtour.engine.commands import (
    Attach,
    AttemptEnded,
    Cancel,
    Complete,
    GetOutput,
    Invoke,
    ProposeRun,
    Record,
    StoreEntry,
)
from rtour.engine.commands import Signal as SignalCommand
from rtour.engine.decision import Decision
from rtour.engine.lifecycle import current
from rtour.engine.model import (
    LATEST,
    CallerSink,
    FromService,
    Invocation,
    Promise,
    Timer,
    TimerKind,
)
from rtour.engine.outcomes import append, notify
from rtour.engine.view import View
from rtour.ids import parse_awakeable_id
from rtour.protocol import messages as m
from rtour.protocol.messages import VOID, Failure, MessageType, Value

ALREADY_COMPLETED = Failure(409, "promise was already completed")


class Step:
    """One command entry on its way into a journal: what its effect reads and adds to."""

    __slots__ = ("command", "decision", "invocation", "record", "view")

    def __init__(
        self,
        view: View,
        record: Record,
        command: StoreEntry,
        invocation: Invocation,
        decision: Decision,
    ) -> None:
        self.view = view
        self.record = record
        self.command = command
        self.invocation = invocation
        self.decision = decision

    def notify(self, type_: MessageType, completion_id: int, result: m.Result) -> None:
        self.invocation = notify(
            self.decision, self.record.at, self.invocation, type_, completion_id, result
        )

    def sink(self, completion_id: int, type_: MessageType) -> CallerSink:
        """Where the answer of another invocation is to go."""
        invocation = self.invocation
        return CallerSink(invocation.id, invocation.number, completion_id, type_)

    @property
    def object(self) -> tuple[str, str]:
        """Service and key of the keyed target."""
        target = self.invocation.target
        assert target.key is not None, "state and promises belong to keyed services"
        return target.service, target.key


def on_store_entry(view: View, record: Record, command: StoreEntry) -> Decision:
    decision = Decision()
    invocation = current(view, command)
    if invocation is not None and command.command_index == invocation.commands:
        decision.put(_store(view, record, command, invocation, decision))
    return decision


def on_attempt_ended(view: View, record: Record, command: AttemptEnded) -> Decision:
    """End, with the entries that came right before it. The last Output is the result."""
    decision = Decision()
    invocation = current(view, command)
    if invocation is None:
        return decision
    result = None
    for each in command.entries:
        if each.command_index == invocation.commands:
            invocation = _store(view, record, each, invocation, decision)
            result = each.entry.result if isinstance(each.entry, m.Output) else result
    if result is None:
        result = lifecycle.stored_output(view, invocation)
    lifecycle.finish(view, record, invocation, result, decision)
    return decision


def _store(
    view: View, record: Record, command: StoreEntry, invocation: Invocation, decision: Decision
) -> Invocation:
    """Append the entry and decide its effect. The invocation is grown by it, and not put yet."""
    step = Step(view, record, command, _pin(invocation, command), decision)
    callee = command.callee.id if command.callee else None
    step.invocation, _ = append(
        step.decision, record.at, step.invocation, command.type, command.raw, callee
    )
    if command.ack:  # before the notifications that the entry itself leads to (§5.5)
        step.decision.actions.append(AckEntry(command.id, command.attempt, command.command_index))
    effect = EFFECTS.get(type(command.entry))
    if effect is not None:
        effect(step, command.entry)
    return step.invocation


def on_propose_run(view: View, record: Record, command: ProposeRun) -> Decision:
    """The result of a side effect becomes an entry; from now on it is replayed, not run."""
    decision = Decision()
    invocation = current(view, command)
    if invocation is not None:
        decision.put(
            notify(
                decision,
                record.at,
                _pin(invocation, command),
                MessageType.RUN_COMPLETION,
                command.completion_id,
                command.result,
            )
        )
    return decision


def _pin(invocation: Invocation, command: StoreEntry | ProposeRun) -> Invocation:
    """The first stored thing binds an invocation to its deployment and protocol version."""
    if invocation.deployment_id is not None and invocation.protocol_version is not None:
        return invocation
    return replace(
        invocation,
        deployment_id=command.deployment_id,
        protocol_version=command.protocol_version,
    )


# --- effects, one per command entry --------------------------------------------------------------


def _output(step: Step, _entry: m.Output) -> None:
    invocation = step.invocation
    step.invocation = replace(invocation, output_index=invocation.journal_length - 1)


def _set_state(step: Step, entry: m.SetState) -> None:
    assert step.invocation.target.may_write_state
    step.decision.changes.append(PutState(*step.object, entry.key, entry.value))


def _clear_state(step: Step, entry: m.ClearState) -> None:
    assert step.invocation.target.may_write_state
    step.decision.changes.append(DeleteState(*step.object, entry.key))


def _clear_all_state(step: Step, _entry: m.ClearAllState) -> None:
    assert step.invocation.target.may_write_state
    step.decision.changes.append(ClearState(*step.object))


def _get_lazy_state(step: Step, entry: m.GetLazyState) -> None:
    value = step.view.state(*step.object, entry.key)
    result = VOID if value is None else Value(value)
    step.notify(MessageType.GET_LAZY_STATE_COMPLETION, entry.result_completion_id, result)


def _get_lazy_state_keys(step: Step, entry: m.GetLazyStateKeys) -> None:
    keys = m.StateKeys(tuple(step.view.all_state(*step.object)))
    step.notify(MessageType.GET_LAZY_STATE_KEYS_COMPLETION, entry.result_completion_id, keys)


def _get_promise(step: Step, entry: m.GetPromise) -> None:
    type_ = MessageType.GET_PROMISE_COMPLETION
    promise = step.view.promise(*step.object, entry.key) or Promise()
    if promise.result is not None:
        step.notify(type_, entry.result_completion_id, promise.result)
        return
    waiter = step.sink(entry.result_completion_id, type_)
    step.decision.changes.append(
        PutPromise(*step.object, entry.key, Promise(waiters=(*promise.waiters, waiter)))
    )


def _peek_promise(step: Step, entry: m.PeekPromise) -> None:
    promise = step.view.promise(*step.object, entry.key)
    result = promise.result if promise else None
    step.notify(MessageType.PEEK_PROMISE_COMPLETION, entry.result_completion_id, result or VOID)


def _complete_promise(step: Step, entry: m.CompletePromise) -> None:
    type_ = MessageType.COMPLETE_PROMISE_COMPLETION
    promise = step.view.promise(*step.object, entry.key) or Promise()
    if promise.result is not None:
        step.notify(type_, entry.result_completion_id, ALREADY_COMPLETED)
        return
    completed = Promise(result=entry.completion)
    step.decision.changes.append(PutPromise(*step.object, entry.key, completed))
    for waiter in promise.waiters:
        step.decision.messages.append(Complete(waiter, entry.completion))
    step.notify(type_, entry.result_completion_id, VOID)


def _sleep(step: Step, entry: m.Sleep) -> None:
    timer = Timer(
        min(entry.wake_up_time, LATEST),
        step.invocation.number,
        entry.result_completion_id,
        TimerKind.SLEEP,
        step.invocation.id,
    )
    step.decision.changes.append(PutTimer(timer))
    step.decision.actions.append(SetTimer(timer))


def _invoke(
    step: Step, entry: m.Call | m.OneWayCall, sink: CallerSink | None, start_at: int | None
) -> None:
    callee = step.command.callee
    assert callee is not None, "the attempt resolves the target of a call"
    caller = step.invocation
    step.decision.messages.append(
        Invoke(
            id=callee.id,
            target=callee.target,
            source=FromService(caller.id, caller.target),
            headers=entry.headers,
            body=entry.parameter,
            start_at=start_at,
            completion_retention_ms=callee.completion_retention_ms,
            journal_retention_ms=callee.journal_retention_ms,
            idempotency_key=entry.idempotency_key,
            sink=sink,
            trace=callee.trace or caller.trace,
            fresh=callee.fresh,
            cause=callee.cause,
        )
    )
    step.notify(
        MessageType.CALL_INVOCATION_ID_COMPLETION,
        entry.invocation_id_notification_idx,
        m.InvocationId(callee.id),
    )


def _call(step: Step, entry: m.Call) -> None:
    sink = step.sink(entry.result_completion_id, MessageType.CALL_COMPLETION)
    _invoke(step, entry, sink, None)


def _one_way_call(step: Step, entry: m.OneWayCall) -> None:
    """`invoke_time` 0 is now; any other is a schedule, even if it has passed."""
    _invoke(step, entry, None, entry.invoke_time or None)


def _send_signal(step: Step, entry: m.SendSignal) -> None:
    if entry.signal == m.SignalIndex.CANCEL:
        step.decision.messages.append(Cancel(entry.target_invocation_id))
        return
    step.decision.messages.append(
        SignalCommand(entry.target_invocation_id, entry.signal, entry.result)
    )


def _complete_awakeable(step: Step, entry: m.CompleteAwakeable) -> None:
    id_, index = parse_awakeable_id(entry.awakeable_id)
    step.decision.messages.append(SignalCommand(id_, index, entry.result))


def _attach(step: Step, entry: m.AttachInvocation) -> None:
    assert step.command.resolved_id is not None
    sink = step.sink(entry.result_completion_id, MessageType.ATTACH_INVOCATION_COMPLETION)
    step.decision.messages.append(Attach(step.command.resolved_id, sink))


def _get_output(step: Step, entry: m.GetInvocationOutput) -> None:
    assert step.command.resolved_id is not None
    sink = step.sink(entry.result_completion_id, MessageType.GET_INVOCATION_OUTPUT_COMPLETION)
    step.decision.messages.append(GetOutput(step.command.resolved_id, sink))


# Entries without an effect (eager state reads, Run) are only stored.
EFFECTS: dict[type, Callable[[Step, Any], None]] = {
    m.Output: _output,
    m.SetState: _set_state,
    m.ClearState: _clear_state,
    m.ClearAllState: _clear_all_state,
    m.GetLazyState: _get_lazy_state,
    m.GetLazyStateKeys: _get_lazy_state_keys,
    m.GetPromise: _get_promise,
    m.PeekPromise: _peek_promise,
    m.CompletePromise: _complete_promise,
    m.Sleep: _sleep,
    m.Call: _call,
    m.OneWayCall: _one_way_call,
    m.SendSignal: _send_signal,
    m.CompleteAwakeable: _complete_awakeable,
    m.AttachInvocation: _attach,
    m.GetInvocationOutput: _get_output,
}

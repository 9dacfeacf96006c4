"""Who waits for the end of an invocation, and how they are told.

The first few are in the invocation's row, which is all that most ever have. Whoever comes when the
row is full has a row of their own, so that the ten thousandth costs what the tenth did. There are
such rows only while the invocation's is full: who leaves it makes room for one of them.

The end tells those in the row, and the first of the others. If there are more, a `Telling` keeps
the result, and each commit from then on takes the next of them: their completions and the end of
their rows are one. It needs neither the invocation nor its id, which may be forgotten and used
again meanwhile. Who waited and ended before is passed over when its turn comes (`on_complete`).
"""

from __future__ import annotations

from msgspec.structs import replace

from rtour.engine.actions import Finished, NotFound, NotReady, Respond, Response, TellRest
from rtour.engine.changes import DeleteTelling, DeleteWaiter, PutTelling, PutWaiter
from rtour.engine.commands import Attach, Complete, Detach, GetOutput, Record, Tell
from rtour.engine.decision import Decision
from rtour.engine.model import CallerSink, Invocation, RequestSink, Sink, Status, Telling
from rtour.engine.view import View
from rtour.protocol.messages import VOID, Failure, Value

NOT_FOUND = Failure(404, "not found")
SINKS_IN_ROW = 4
TOLD_AT_ONCE = 100  # 5 ms of the loop's time
TOLD_BYTES = 4 << 20  # at once: each is told a copy of the result, but one in any case


def wait_for(invocation: Invocation, sink: Sink, at: int, decision: Decision) -> None:
    """Let `sink` be told when the invocation ends. To say it again changes nothing."""
    assert invocation.status is not Status.COMPLETED
    if sink in invocation.sinks:
        return
    if len(invocation.sinks) < SINKS_IN_ROW:
        decision.put(replace(invocation, sinks=(*invocation.sinks, sink), modified_at=at))
    else:
        decision.changes.append(PutWaiter(invocation.id, invocation.number, sink))


def tell_all(
    view: View, invocation: Invocation, result: Value | Failure, decision: Decision
) -> None:
    """The invocation ends: tell who waits, or as many as a commit should take."""
    for sink in invocation.sinks:
        answer(decision, sink, result, invocation.id)
    if len(invocation.sinks) >= SINKS_IN_ROW:
        telling = Telling(invocation.id, invocation.number, result)
        if not _tell_next(view, telling, decision):
            decision.changes.append(PutTelling(telling))


def on_tell(view: View, _record: Record, command: Tell) -> Decision:
    decision = Decision()
    telling = view.telling(command.id, command.number)
    if telling is not None and _tell_next(view, telling, decision):
        decision.changes.append(DeleteTelling(telling.id, telling.number))
    return decision


def _tell_next(view: View, telling: Telling, decision: Decision) -> bool:
    """Tell the next of those who have rows of their own; whether those were the last."""
    size = len(telling.result.content) if isinstance(telling.result, Value) else 0
    count = min(TOLD_AT_ONCE, TOLD_BYTES // (size + 1) + 1)
    waiting = view.waiters(telling.id, telling.number, count + 1)
    for sink in waiting[:count]:
        answer(decision, sink, telling.result, telling.id)
        decision.changes.append(DeleteWaiter(telling.id, telling.number, sink))
    if len(waiting) <= count:
        return True
    decision.actions.append(TellRest(telling.id, telling.number))
    return False


def answer(
    decision: Decision,
    sink: Sink,
    result: Value | Failure,
    id: str,  # noqa: A002
    expires_at: int | None = None,
) -> None:
    """Tell one who waits the result of an invocation; `expires_at` goes with a stored one."""
    if isinstance(sink, CallerSink):
        decision.messages.append(Complete(sink, result))
    else:
        decision.actions.append(Respond(sink.request_id, Finished(id, result, expires_at)))


def answer_stored(decision: Decision, sink: Sink, invocation: Invocation) -> None:
    """The same of an invocation that had ended before somebody asked."""
    assert invocation.result is not None
    answer(decision, sink, invocation.result, invocation.id, invocation.expires_at)


def _answer_without_result(
    decision: Decision, sink: Sink, response: Response, result: Failure | None
) -> Decision:
    if isinstance(sink, CallerSink):
        decision.messages.append(Complete(sink, result or VOID))
    else:
        decision.respond(sink.request_id, response)
    return decision


# --- commands ------------------------------------------------------------------------------------


def on_attach(view: View, record: Record, command: Attach) -> Decision:
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None:
        return _answer_without_result(decision, command.sink, NotFound(command.id), NOT_FOUND)
    if invocation.status is Status.COMPLETED:
        answer_stored(decision, command.sink, invocation)
    else:
        wait_for(invocation, command.sink, record.at, decision)
    return decision


def on_detach(view: View, record: Record, command: Detach) -> Decision:
    """Keep no list of clients that went away: they come again and again with a new number."""
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None:
        return decision
    gone = RequestSink(command.request_id)
    if gone in invocation.sinks:
        left = _without(view, invocation, gone, decision)
        decision.put(replace(invocation, sinks=left, modified_at=record.at))
    elif len(invocation.sinks) >= SINKS_IN_ROW:
        decision.changes.append(DeleteWaiter(invocation.id, invocation.number, gone))
    return decision


def _without(
    view: View, invocation: Invocation, gone: Sink, decision: Decision
) -> tuple[Sink, ...]:
    """The row's waiters but for one, whose place the first of the others takes."""
    left = tuple(sink for sink in invocation.sinks if sink != gone)
    if len(left) >= SINKS_IN_ROW or len(invocation.sinks) < SINKS_IN_ROW:
        return left
    following = view.waiters(invocation.id, invocation.number, 1)
    for sink in following:
        decision.changes.append(DeleteWaiter(invocation.id, invocation.number, sink))
    return (*left, *following)


def on_get_output(view: View, _record: Record, command: GetOutput) -> Decision:
    decision = Decision()
    invocation = view.invocation(command.id)
    if invocation is None:
        return _answer_without_result(decision, command.sink, NotFound(command.id), NOT_FOUND)
    if invocation.status is Status.COMPLETED:
        answer_stored(decision, command.sink, invocation)
        return decision
    return _answer_without_result(decision, command.sink, NotReady(command.id), None)

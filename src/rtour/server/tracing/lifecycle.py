"""Spans from what the engine decides: invocations that begin, commands that complete, ends.

The processor shows every record with its decision, before it is written: the view still holds
what was. All that is told here is durable a moment later, or the server stops.
"""

from __future__ import annotations

import logging
from typing import Final

from rtour.engine import commands as c
from rtour.engine.actions import Finished, Respond
from rtour.engine.changes import AppendEntry, DeleteInvocation, PutInvocation
from rtour.engine.control import CANCELED, KILLED
from rtour.engine.decision import Decision
from rtour.engine.model import FromRestart, Invocation, Place, Status, Trace
from rtour.engine.view import View
from rtour.protocol.framing import decode
from rtour.protocol.messages import Failure, Output, Value
from rtour.server.live import code_text
from rtour.server.trace_context import SpanContext, parse
from rtour.server.tracing.spans import Attributes, Code, Link, Span, about, short
from rtour.server.tracing.tracer import Tracer

log = logging.getLogger("rtour.tracing")

_LINKED: Final[Attributes] = (("restate.runtime", True),)


class Lifecycle:
    """Watches decisions. A bug in here costs spans and one line of the log, nothing else."""

    def __init__(self, tracer: Tracer, view: View) -> None:
        self._tracer = tracer
        self._view = view
        self._broke = False

    def __call__(self, record: c.Record, decision: Decision) -> None:
        try:
            self._look(record, decision)
        except Exception:
            if not self._broke:
                self._broke = True
                log.exception(
                    "A span could not be made of %.1000r; no more of these are told",
                    record,
                    extra={"invocation": record.command},
                )

    def _look(self, record: c.Record, decision: Decision) -> None:
        began = False
        for change in decision.changes:
            if isinstance(change, AppendEntry):
                if not change.entry.is_command:
                    self._completed(change)
            elif isinstance(change, PutInvocation):
                invocation = change.invocation
                if invocation.number == record.sequence:
                    if not began:
                        began = True
                        self._began(invocation, record.command)
                elif invocation.status is Status.COMPLETED:
                    assert invocation.result is not None
                    self._ended(invocation, invocation.result)
            elif isinstance(change, DeleteInvocation):
                self._deleted(change, record.command, decision)

    def _completed(self, change: AppendEntry) -> None:
        invocation = self._view.invocation(change.id)
        if invocation is not None and invocation.number == change.number:
            self._tracer.commands.completed(self._view, invocation, change.entry)

    # --- the beginning ---------------------------------------------------------------------------

    def _began(self, invocation: Invocation, command: c.Command) -> None:
        context, parent = self._tracer.start_of(invocation)
        if not self._tracer.tells(context):
            return
        name = "invocation-start"
        if isinstance(invocation.source, FromRestart):
            name = "restart-as-new"
            old = self._view.invocation(invocation.source.id)
            if old is not None:
                parent = self._tracer.start_of(old)[0].span_id
        if isinstance(command, c.Invoke) and command.place is not None:
            parent = self._taken(context, invocation, command.place)
        cause = command.cause if isinstance(command, c.Invoke) else None
        self._point(context, parent, name, invocation, links=_links(cause))

    def _taken(self, context: SpanContext, invocation: Invocation, place: Place) -> bytes:
        """The span of the Kafka record that an invocation is of."""
        above = SpanContext(context.trace_id, self._tracer.span_id(), context.sampled)
        group, topic, partition = place.source.rsplit("/", 2)
        record: Attributes = (
            ("messaging.system", "kafka"),
            ("messaging.operation.type", "process"),
            ("messaging.consumer.group.name", group),
            ("messaging.source.name", topic),
            ("messaging.source.partition.id", int(partition)),
            ("messaging.kafka.offset", place.offset),
        )
        self._point(above, b"", "ingress_kafka", invocation, record)
        return above.span_id

    # --- the end ---------------------------------------------------------------------------------

    def _deleted(self, change: DeleteInvocation, command: c.Command, decision: Decision) -> None:
        """An invocation goes: at its end, if nothing of it is kept, or long after it."""
        invocation = self._view.invocation(change.id)
        if invocation is None or invocation.status is Status.COMPLETED:
            return
        self._tell_end(invocation, self._result(invocation, command, decision))

    def _ended(self, invocation: Invocation, result: Value | Failure) -> None:
        before = self._view.invocation(invocation.id)
        if before is not None and before.status is not Status.COMPLETED:
            self._tell_end(invocation, result)

    def _tell_end(self, invocation: Invocation, result: Value | Failure) -> None:
        self._tracer.commands.forget(invocation.id)
        start, _ = self._tracer.start_of(invocation)
        if not self._tracer.tells(start):
            return
        context = SpanContext(start.trace_id, self._tracer.span_id(), start.sampled, start.state)
        if isinstance(result, Failure):
            how: Attributes = (
                ("restate.invocation.result", "failure"),
                ("error.message", result.message),
                ("restate.invocation.error.code", code_text(result.code)),
            )
            code, message = Code.ERROR, result.message
        else:
            how = (("restate.invocation.result", "success"),)
            code, message = Code.OK, ""
        self._point(context, start.span_id, "invocation-end", invocation, how, code, message)

    def _result(
        self, invocation: Invocation, command: c.Command, decision: Decision
    ) -> Value | Failure:
        """The result of an invocation of which nothing is kept: as told to whoever waits."""
        for action in decision.actions:
            if isinstance(action, Respond) and isinstance(action.response, Finished):
                return action.response.result
        for message in decision.messages:
            if isinstance(message, c.Complete) and isinstance(message.result, Value | Failure):
                return message.result
        if isinstance(command, c.AttemptExhausted):
            return Failure(command.error.code, command.error.message)
        for each in reversed(command.entries if isinstance(command, c.AttemptEnded) else ()):
            if isinstance(each.entry, Output):
                return each.entry.result
        if isinstance(command, c.AttemptEnded) and invocation.output_index is not None:
            entry = self._view.entries(invocation, invocation.output_index)[0]
            output = decode(entry.type, entry.raw)
            assert isinstance(output, Output)
            return output.result
        return KILLED if isinstance(command, c.Kill) else CANCELED

    def _point(
        self,
        context: SpanContext,
        parent: bytes,
        name: str,
        invocation: Invocation,
        more: Attributes = (),
        code: Code = Code.UNSET,
        message: str = "",
        links: tuple[Link, ...] = (),
    ) -> None:
        """A span that is a point in time."""
        now = self._tracer.now_ns()
        self._tracer.finish(
            Span(
                context,
                f"{name} {short(invocation.target)}",
                now,
                now,
                parent,
                more,
                code=code,
                message=message,
                links=links,
                subject=about(invocation.id, invocation.target),
            )
        )


def _links(cause: Trace | None) -> tuple[Link, ...]:
    context = parse(cause)
    return () if context is None else (Link(context, _LINKED),)

"""The span of an attempt: when it ran, what it did, how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from rtour.engine.commands import Callee
from rtour.engine.model import Invocation, Trace
from rtour.protocol import messages as m
from rtour.server.attempt_errors import AttemptFailure
from rtour.server.attempt_terms import Ended, Route, Suspended
from rtour.server.trace_context import SpanContext, own_trace
from rtour.server.tracing.commands import command_type
from rtour.server.tracing.spans import Attributes, Code, Event, Span, about, short

if TYPE_CHECKING:
    from rtour.server.tracing.tracer import Tracer

EVENTS_MAX: Final = 1000  # of one span; more are counted
TEXT_MAX: Final = 16_000  # characters of what a service said about its failure
_LIFECYCLE: Final = "restate.invocation.lifecycle."


class AttemptSpan:
    """One attempt, child of its invocation's start span and parent of what it calls.

    An attempt that is not recorded still carries its context on.
    """

    __slots__ = (
        "_context",
        "_dropped",
        "_events",
        "_invocation",
        "_parent",
        "_route",
        "_started",
        "_tracer",
    )

    def __init__(self, tracer: Tracer, invocation: Invocation, route: Route) -> None:
        start, _ = tracer.start_of(invocation)
        self._tracer = tracer
        self._invocation = invocation
        self._route = route
        self._context = SpanContext(start.trace_id, tracer.span_id(), start.sampled, start.state)
        self._parent = start.span_id
        self._started = tracer.now_ns()
        self._events: list[Event] = []
        self._dropped = 0

    # --- what goes on with the context -----------------------------------------------------------

    @property
    def trace(self) -> Trace:
        """What the service is sent: its spans become children of this one."""
        return self._context.trace

    def calling(self, callee: Callee, entry: m.Command) -> Callee:
        """The callee, in this trace if its result is awaited, else in one of its own, linked."""
        if isinstance(entry, m.Call):
            return replace(callee, trace=self.trace)
        own = own_trace(callee.id, sampled=self._context.sampled)
        return replace(callee, trace=own.trace, cause=self.trace)

    # --- what happens ----------------------------------------------------------------------------

    def command(self, entry: Any) -> None:
        """The service made a command."""
        if not self._context.sampled or self._tracer.counts.full:
            return
        attributes: Attributes = (("restate.journal.command.type", command_type(entry)),)
        if entry.name:
            attributes += (("restate.journal.command.name", entry.name),)
        self._event("new_command", attributes)
        self._tracer.commands.made(self._invocation, self._context, entry, attributes)

    def run_ended(self, completion_id: int) -> None:
        """The service proposed the result of a side effect."""
        if self._context.sampled:  # the id in the official server's words
            self._event(
                "run_ended",
                (("restate.journal.notification.id", f"CompletionId: {completion_id}"),),
            )

    def end(self, outcome: Ended | Suspended | AttemptFailure | None) -> None:
        """It came to this; None if it was broken off, by a kill or a stop of the server."""
        match outcome:
            case Ended():
                self._finish(Code.OK)
            case Suspended():
                self._event("suspended")
                self._finish(Code.UNSET)
            case AttemptFailure():
                self._events.append(Event(self._tracer.now_ns(), "exception", _details(outcome)))
                self._finish(Code.ERROR, "transient failure")
            case None:
                self._finish(Code.ERROR, "aborted")

    def _event(self, name: str, attributes: Attributes = ()) -> None:
        if len(self._events) < EVENTS_MAX:
            self._events.append(Event(self._tracer.now_ns(), _LIFECYCLE + name, attributes))
        else:
            self._dropped += 1

    def _finish(self, code: Code, message: str = "") -> None:
        if not self._tracer.tells(self._context):
            return
        self._tracer.finish(
            Span(
                self._context,
                f"invocation-attempt {short(self._invocation.target)}",
                self._started,
                self._tracer.now_ns(),
                self._parent,
                self._deployment(),
                tuple(self._events),
                code=code,
                message=message,
                dropped_events=self._dropped,
                subject=about(self._invocation.id, self._invocation.target),
            )
        )

    def _deployment(self) -> Attributes:
        route = self._route
        return (
            ("rpc.system", "restate"),
            ("restate.deployment.id", route.deployment_id),
            ("restate.deployment.address", route.endpoint.uri),
            ("restate.deployment.service_protocol_version", route.protocol_version),
        )


def _details(failure: AttemptFailure) -> Attributes:
    """What failed, in OpenTelemetry's words."""
    error = failure.error
    details: Attributes = (
        ("exception.type", error.doc_code or str(error.code)),
        ("exception.message", error.message[:TEXT_MAX]),
    )
    if error.stacktrace:
        details += (("exception.stacktrace", error.stacktrace[:TEXT_MAX]),)
    return details

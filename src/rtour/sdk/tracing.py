"""OpenTelemetry in handlers: spans are below the server's span of the attempt, and made once.

    service = rtour.Service("Greeter", invocation_context_managers=[handler_span])
    tracer = RestateTracer(opentelemetry.trace.get_tracer("shop"))

`handler_span` makes a span of each attempt and lets the spans of libraries find it. A tracer that
is wrapped makes no spans of code that only replays: what it did was told by an earlier attempt.
Whoever wants neither imports nothing, and pays nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

try:
    from opentelemetry import context as otel
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    from opentelemetry.util._decorator import _agnosticcontextmanager
    from opentelemetry.util.types import Attributes
except ImportError as error:
    raise ImportError(
        "tracing handlers needs OpenTelemetry: pip install 'rtour[tracing]'"
    ) from error

from rtour.sdk.attempt import current
from rtour.sdk.context import InvocationContext
from rtour.sdk.exceptions import SuspendedException

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_OPEN: Final = "rtour.tracing"


@asynccontextmanager
async def handler_span() -> AsyncIterator[trace.Span]:
    """A span for as long as a handler runs, as an invocation context manager.

    It is of kind SERVER, named after the handler, and the current span inside. An attempt that
    suspends ends it with an event of that name; the next attempt makes another one.
    """
    context = current.get()
    target = context.attempt.target
    service, _, handler = target.partition("/")
    tracer = trace.get_tracer("rtour")
    with tracer.start_as_current_span(
        target,
        context=_above(context),
        kind=trace.SpanKind.SERVER,
        attributes={
            "rpc.system": "restate",
            "rpc.service": service,
            "rpc.method": handler,
            "restate.invocation.id": context.attempt.vm.start.debug_id,
        },
    ) as span:
        try:
            yield span
        except SuspendedException:
            span.add_event("suspended")
            raise


class RestateTracer(trace.Tracer):
    """A tracer for handlers: silent in replays, and never without a parent.

    A span's parent is the span around it, or else the server's span of the attempt. While the
    journal is replayed a span is not recorded, and what begins inside it hangs one level higher.
    Spans that nobody ended are ended with the attempt.
    """

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def start_span(
        self,
        name: str,
        context: otel.Context | None = None,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> trace.Span:
        """Start a span that the caller ends."""
        handler = current.get(None)
        if handler is not None:
            if not trace.get_current_span(context).get_span_context().is_valid:
                context = _above(handler)
            if handler.attempt.vm.replaying:
                return trace.NonRecordingSpan(trace.get_current_span(context).get_span_context())
        span = self._tracer.start_span(
            name,
            context,
            kind,
            attributes,
            links,
            start_time,
            record_exception,
            set_status_on_exception,
        )
        if handler is not None:
            handler.extension_data.setdefault(_OPEN, _Open()).spans.append(span)
        return span

    @_agnosticcontextmanager
    def start_as_current_span(
        self,
        name: str,
        context: otel.Context | None = None,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[trace.Span]:
        """Start a span that is the current one within the block, and ends with it."""
        span = self.start_span(name, context, kind, attributes, links, start_time)
        with trace.use_span(span, end_on_exit, record_exception, set_status_on_exception):
            yield span

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tracer, name)


class RestateTracerProvider(trace.TracerProvider):
    """A provider of `RestateTracer`s, for libraries that take a provider and make tracers."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._provider = provider

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        """The provider's tracer, wrapped."""
        return RestateTracer(self._provider.get_tracer(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)


class _Open:
    """The spans of an attempt, closed with it by the SDK."""

    def __init__(self) -> None:
        self.spans: list[trace.Span] = []

    def __close__(self) -> None:
        for span in self.spans:
            if span.is_recording():
                span.end()
        self.spans.clear()


def _above(context: InvocationContext) -> otel.Context:
    """The server's span of this attempt, as its `traceparent` names it."""
    return _PROPAGATOR.extract(context.attempt.headers)

"""Spans of handlers are below the attempt's, told once, and end with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import rtour
from rtour.ext.tracing import RestateTracer, RestateTracerProvider, handler_span
from rtour.sdk import tracing
from tests.sdk.peer import Peer

TRACE = 0x0AF7651916CD43DD8448EB211C80319C
ATTEMPT = 0xB7AD6B7169203331
TRACEPARENT = f"00-{TRACE:032x}-{ATTEMPT:016x}-01"

provider = TracerProvider()
exporter = InMemorySpanExporter()
provider.add_span_processor(SimpleSpanProcessor(exporter))
tracer = RestateTracer(provider.get_tracer("tests"))
service = rtour.Service("S", invocation_context_managers=[handler_span])
plain = rtour.Service("Plain")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Keeps what is exported; `handler_span` uses the same provider."""
    exporter.clear()
    monkeypatch.setattr(tracing.trace, "get_tracer", provider.get_tracer)
    yield exporter
    exporter.clear()


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def id_of(span: ReadableSpan) -> int:
    context = span.context
    assert context is not None
    assert context.trace_id == TRACE
    return int(context.span_id)


@service.handler()
async def works(ctx: rtour.Context) -> str:
    with tracer.start_as_current_span("before"):
        await ctx.run_typed("step", step)
    await ctx.sleep(timedelta(seconds=1))
    with tracer.start_as_current_span("after") as span:
        span.set_attribute("n", 1)
    return "done"


async def step() -> None:
    with provider.get_tracer("library").start_as_current_span("query"):
        pass


@plain.handler()
async def forgets(ctx: rtour.Context) -> None:
    tracer.start_span("forgotten")
    with tracer.start_as_current_span("fails"):
        raise rtour.TerminalError("no")


@tracer.start_as_current_span("decorated")
async def decorated(ctx: rtour.Context) -> None:
    await ctx.run_typed("step", step)


@plain.handler()
async def decorates(ctx: rtour.Context) -> None:
    await decorated(ctx)


def peer(*services: rtour.Service, streaming: bool) -> Peer:
    made = Peer(*services, streaming=streaming)
    made.attempt_headers = {"traceparent": TRACEPARENT}
    return made


@pytest.mark.parametrize("streaming", [True, False])
async def test_each_span_is_made_once(spans: InMemorySpanExporter, streaming: bool) -> None:
    """However often the handler is replayed; what is made inside it hangs below its attempt."""
    server = peer(service, streaming=streaming)
    await server.invoke("S/works")
    told = spans.get_finished_spans()
    names = [span.name for span in told]
    assert sorted(name for name in names if name != "S/works") == ["after", "before", "query"]
    handlers = {id_of(span): span for span in told if span.name == "S/works"}
    assert len(handlers) == server.attempts
    assert {parent_of(span) for span in handlers.values()} == {ATTEMPT}
    by_name = {span.name: span for span in told}
    assert parent_of(by_name["query"]) == id_of(by_name["before"])
    assert parent_of(by_name["before"]) in handlers
    assert parent_of(by_name["after"]) in handlers
    suspended = [[event.name for event in span.events] for span in handlers.values()]
    assert suspended == [["suspended"]] * (server.attempts - 1) + [[]]
    assert {span.status.status_code for span in told} == {trace.StatusCode.UNSET}


async def test_spans_end_with_the_attempt(spans: InMemorySpanExporter) -> None:
    """A forgotten one is closed, a failure recorded; without more the parent is the attempt."""
    failed = await peer(plain, streaming=True).invoke("Plain/forgets")
    assert failed.message == "no"
    told = {span.name: span for span in spans.get_finished_spans()}
    assert {parent_of(span) for span in told.values()} == {ATTEMPT}
    assert told["fails"].status.status_code is trace.StatusCode.ERROR
    assert told["forgotten"].end_time is not None


async def test_a_decorated_coroutine_is_a_span(spans: InMemorySpanExporter) -> None:
    """As with OpenTelemetry's own tracers."""
    await peer(plain, streaming=True).invoke("Plain/decorates")
    told = {span.name: span for span in spans.get_finished_spans()}
    assert parent_of(told["query"]) == id_of(told["decorated"])


def test_outside_of_handlers_it_is_the_tracer_it_wraps(spans: InMemorySpanExporter) -> None:
    """A program that also does other things keeps one tracer."""
    with RestateTracerProvider(provider).get_tracer("x").start_as_current_span("outside"):
        pass
    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert RestateTracerProvider(provider).resource is provider.resource


def test_services_that_do_not_trace_load_nothing() -> None:
    """And who asks for it without OpenTelemetry is told what to install."""
    program = (
        "import sys; import rtour; rtour.app([rtour.Service('S')])\n"
        "assert not [name for name in sys.modules if 'opentelemetry' in name]\n"
        "sys.modules['opentelemetry'] = None\n"
        "try:\n    import rtour.ext.tracing\nexcept ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "tracing handlers needs OpenTelemetry: pip install 'rtour[tracing]'\n"
    assert done.returncode == 0, done.stderr

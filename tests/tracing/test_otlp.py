"""What is exported is OTLP: the official schema reads it, as protobuf and as JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

from rtour.server.trace_context import SpanContext
from rtour.server.tracing import otlp, otlp_json
from rtour.server.tracing.spans import Code, Event, Link, Span
from tests.tracing.collector import from_json, plain

TEXT = st.text(max_size=12)
IDS = {size: st.binary(min_size=size, max_size=size) for size in (8, 16)}
CONTEXTS = st.builds(SpanContext, IDS[16], IDS[8], st.just(value=True), TEXT)
VALUES = TEXT | st.integers(-(1 << 63), (1 << 63) - 1) | st.booleans()
ATTRIBUTES = st.lists(st.tuples(TEXT, VALUES), max_size=3).map(tuple)
INSTANTS = st.integers(0, (1 << 64) - 1)
SPANS = st.builds(
    Span,
    CONTEXTS,
    TEXT,
    INSTANTS,
    INSTANTS,
    IDS[8] | st.just(b""),
    ATTRIBUTES,
    st.lists(st.builds(Event, INSTANTS, TEXT, ATTRIBUTES), max_size=2).map(tuple),
    st.lists(st.builds(Link, CONTEXTS, ATTRIBUTES), max_size=2).map(tuple),
    st.sampled_from(Code),
    TEXT,
    st.integers(0, 1 << 31),
)


@pytest.mark.parametrize("json", [False, True])
@given(told=SPANS, resource=ATTRIBUTES)
def test_a_span_comes_through_whole(json: bool, told: Span, resource: tuple) -> None:
    """Every field of a span, its events and its links arrive as they were."""
    form = otlp_json if json else otlp
    body = form.export_request(resource, "1.0", [form.span(told), form.span(told)])
    request = from_json(body) if json else service.ExportTraceServiceRequest.FromString(body)
    (group,) = request.resource_spans
    (scope,) = group.scope_spans
    assert plain(group.resource.attributes) == dict(resource)
    assert (scope.scope.name, scope.scope.version, len(scope.spans)) == ("services", "1.0", 2)
    span = scope.spans[1]
    assert (span.trace_id, span.span_id) == (told.context.trace_id, told.context.span_id)
    assert (span.trace_state, span.parent_span_id) == (told.context.state, told.parent_id)
    assert (span.name, span.kind, span.flags) == (told.name, span.SPAN_KIND_INTERNAL, 1)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (told.start_ns, told.end_ns)
    assert plain(span.attributes) == dict(told.attributes)
    assert (span.status.code, span.status.message) == (told.code, told.message)
    assert span.dropped_events_count == told.dropped_events
    assert [(each.time_unix_nano, each.name, plain(each.attributes)) for each in span.events] == [
        (event.at_ns, event.name, dict(event.attributes)) for event in told.events
    ]
    assert [(each.trace_id, each.span_id, plain(each.attributes)) for each in span.links] == [
        (link.context.trace_id, link.context.span_id, dict(link.attributes)) for link in told.links
    ]


def test_what_a_collector_refused_is_read() -> None:
    """Both encodings of the answer tell how many spans, and why; anything else is no refusal."""
    partial = service.ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    answer = service.ExportTraceServiceResponse(partial_success=partial)
    assert otlp.rejected(answer.SerializeToString()) == (3, "too old")
    json = b'{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "too old"}}'
    assert otlp_json.rejected(json) == (3, "too old")
    for nothing in (b"", b"\xff\xff", b"\x08\x01", b"<html>"):
        assert otlp.rejected(nothing) == (0, "")
    for nothing in (b"", b"{}", b"[]", b"<html>", b'{"partialSuccess": null}'):
        assert otlp_json.rejected(nothing) == (0, "")

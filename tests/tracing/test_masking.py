"""No span carries credentials to a collector."""

from __future__ import annotations

from rtour.redaction import MASK, Redactor
from rtour.server.trace_context import SpanContext
from rtour.server.tracing.masking import Masked
from rtour.server.tracing.spans import Code, Event, Span

SECRET = "hunter2hunter2"
CONTEXT = SpanContext(bytes(15) + b"\x01", bytes(7) + b"\x01", True, "")


def test_spans_are_masked() -> None:
    """Addresses and errors, in the span, its events and its status; names and ids stay."""
    span = Span(
        CONTEXT,
        "attempt",
        1,
        2,
        attributes=(
            ("restate.deployment.address", f"http://svc:9080/?token={SECRET}"),
            ("rpc.service", "Greeter"),
            ("restate.deployment.service_protocol_version", 6),
        ),
        events=(
            Event(1, "exception", (("exception.message", f"x-mine: {SECRET}"),)),
            Event(1, "end"),
        ),
        code=Code.ERROR,
        message=f"it sent Bearer {SECRET}",
    )
    masked = Masked(Redactor(["x-mine"]))(span)
    assert SECRET not in repr(masked)
    assert masked.attributes[0][1] == f"http://svc:9080/?token={MASK}"
    assert masked.attributes[1:] == span.attributes[1:]
    assert masked.events[1] == span.events[1]

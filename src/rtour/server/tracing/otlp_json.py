"""OTLP as JSON: the same request as `otlp`, with ids in hex and 64-bit numbers as strings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from rtour.server.tracing.otlp import SCOPE
from rtour.server.tracing.spans import Attributes, Event, Link, Span
from rtour.unreadable import UNREADABLE

_INTERNAL = 1


def export_request(resource: Attributes, version: str, encoded: Iterable[bytes]) -> bytes:
    """The request that carries spans, each encoded by `span`."""
    scope = {
        "scope": {"name": SCOPE, "version": version},
        "spans": [msgspec.Raw(each) for each in encoded],
    }
    about = {"attributes": _attributes(resource)}
    return msgspec.json.encode({"resourceSpans": [{"resource": about, "scopeSpans": [scope]}]})


def span(told: Span) -> bytes:
    """One span object."""
    context = told.context
    return msgspec.json.encode(
        {
            "traceId": context.trace_id.hex(),
            "spanId": context.span_id.hex(),
            "traceState": context.state,
            "parentSpanId": told.parent_id.hex(),
            "name": told.name,
            "kind": _INTERNAL,
            "startTimeUnixNano": str(told.start_ns),
            "endTimeUnixNano": str(told.end_ns),
            "attributes": _attributes(told.subject + told.attributes),
            "events": [_event(each) for each in told.events],
            "droppedEventsCount": told.dropped_events,
            "links": [_link(each) for each in told.links],
            "status": {"code": int(told.code), "message": told.message},
            "flags": 1,
        }
    )


def _event(event: Event) -> dict[str, Any]:
    return {
        "timeUnixNano": str(event.at_ns),
        "name": event.name,
        "attributes": _attributes(event.attributes),
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "traceId": link.context.trace_id.hex(),
        "spanId": link.context.span_id.hex(),
        "traceState": link.context.state,
        "attributes": _attributes(link.attributes),
    }


def _attributes(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in attributes]


def _value(value: str | int | bool) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)}


def rejected(response: bytes) -> tuple[int, str]:
    """How many spans the collector did not want, and why."""
    try:
        partial = msgspec.json.decode(response or b"{}").get("partialSuccess") or {}
        return int(partial.get("rejectedSpans", 0)), str(partial.get("errorMessage", ""))
    except (*UNREADABLE, AttributeError, TypeError, ValueError):
        return 0, ""

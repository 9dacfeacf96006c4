"""OTLP as protobuf: spans to the bytes of an ExportTraceServiceRequest, and answers read.

Written by hand on `protocol.protobuf`, as the service protocol is: eight small messages, and no
collector library in the server. `tests/server/test_otlp.py` decodes what comes out with the
official schema.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from struct import Struct
from typing import Final

from rtour.errors import ProtocolError
from rtour.protocol.protobuf import block, fields, number, text, varint
from rtour.server.tracing.spans import Attributes, Code, Event, Link, Span

SCOPE: Final = "services"  # as the official server names it
# Keys and lengths of ids, of 16 bytes and of 8.
_TRACE_ID, _SPAN_ID, _PARENT_ID = b"\x0a\x10", b"\x12\x08", b"\x22\x08"
_KIND_AND_START: Final = b"\x30\x01\x39"  # internal; and the key of what follows
_FLAGS: Final = b"\x85\x01" + (1).to_bytes(4, "little")  # sampled
_TIME: Final = Struct("<cQ").pack
_TIMES: Final = Struct("<3sQcQ").pack
_STATUSES: Final = {
    code: block(b"\x7a", number(b"\x18", code)) for code in Code.__members__.values()
}
_REMEMBERED_MAX: Final = 256  # characters of a value


def export_request(resource: Attributes, version: str, encoded: Iterable[bytes]) -> bytes:
    """The request that carries spans, each encoded by `span`."""
    scope = block(b"\x0a", text(b"\x0a", SCOPE) + text(b"\x12", version))
    about = block(b"\x0a", _attributes(b"\x0a", resource))
    spans = b"".join([block(b"\x12", each) for each in encoded])
    return block(b"\x0a", about + block(b"\x12", scope + spans))


def span(told: Span) -> bytes:
    """One Span message. Most spans have no more than what is always written: the rest is asked."""
    context = told.context
    parts = [
        _TRACE_ID,
        context.trace_id,
        _SPAN_ID,
        context.span_id,
        _name(b"\x2a", told.name),
        _TIMES(_KIND_AND_START, told.start_ns, b"\x41", told.end_ns),
        _attributes(b"\x4a", told.subject),
        _attributes(b"\x4a", told.attributes),
        _status(told.code, told.message),
        _FLAGS,
    ]
    if told.parent_id:
        parts += (_PARENT_ID, told.parent_id)
    if context.state:
        parts.append(text(b"\x1a", context.state))
    for event in told.events:
        parts.append(block(b"\x5a", _event(event)))
    if told.dropped_events:
        parts.append(number(b"\x60", told.dropped_events))
    for link in told.links:
        parts.append(block(b"\x6a", _link(link)))
    return b"".join(parts)


def _event(event: Event) -> bytes:
    at = _TIME(b"\x09", event.at_ns)
    return at + _name(b"\x12", event.name) + _attributes(b"\x1a", event.attributes)


def _link(link: Link) -> bytes:
    context = link.context
    ids = block(b"\x0a", context.trace_id) + block(b"\x12", context.span_id)
    return ids + text(b"\x1a", context.state) + _attributes(b"\x22", link.attributes)


def _status(code: Code, message: str) -> bytes:
    if not message:
        return _STATUSES[code]
    return block(b"\x7a", text(b"\x12", message) + number(b"\x18", code))


# What most spans have in common with others is encoded once: a span costs a tenth of it then.
_name: Final = lru_cache(maxsize=1024)(text)


def _attributes(key: bytes, attributes: Attributes) -> bytes:
    for _, value in attributes:
        # True equals 1, and would be taken for it.
        if isinstance(value, bool) or (isinstance(value, str) and len(value) > _REMEMBERED_MAX):
            return _encoded(key, attributes)
    return _remembered(key, attributes) if attributes else b""


def _encoded(key: bytes, attributes: Attributes) -> bytes:
    return b"".join(
        [
            block(key, text(b"\x0a", name) + block(b"\x12", _value(value)))
            for name, value in attributes
        ]
    )


# What spans of an invocation share comes several times and never again, most else for ever.
_remembered: Final = lru_cache(maxsize=4096)(_encoded)


def _value(value: str | int | bool) -> bytes:
    """An AnyValue: written also when it is empty or zero, since it is one of several."""
    if isinstance(value, str):
        return block(b"\x0a", value.encode())
    if isinstance(value, bool):
        return b"\x10" + varint(value)
    return b"\x18" + varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def rejected(response: bytes) -> tuple[int, str]:
    """How many spans the collector did not want, and why, by an ExportTraceServiceResponse."""
    try:
        partial = fields(fields(response).get(0x0A, b""))
        return partial.get(0x08, 0), partial.get(0x12, b"").decode("utf-8", "replace")
    except (ProtocolError, AttributeError, TypeError):
        return 0, ""

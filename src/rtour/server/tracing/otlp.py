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
_INTERNAL: Final = b"\x30\x01"  # kind
_FLAGS: Final = b"\x85\x01" + (1).to_bytes(4, "little")  # sampled
_TIME: Final = Struct("<cQ").pack
_TIMES: Final = Struct("<cQcQ").pack
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
    """One Span message."""
    context = told.context
    return b"".join(
        (
            b"\x0a\x10",  # an id of 16 bytes, and one of 8
            context.trace_id,
            b"\x12\x08",
            context.span_id,
            text(b"\x1a", context.state),
            block(b"\x22", told.parent_id) if told.parent_id else b"",
            _name(b"\x2a", told.name),
            _INTERNAL,
            _TIMES(b"\x39", told.start_ns, b"\x41", told.end_ns),
            _attributes(b"\x4a", told.attributes),
            *[block(b"\x5a", _event(each)) for each in told.events],
            number(b"\x60", told.dropped_events),
            *[block(b"\x6a", _link(each)) for each in told.links],
            _status(told.code, told.message),
            _FLAGS,
        )
    )


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
    return b"".join(
        [
            _attribute(key, name, it)
            if isinstance(it, int) or len(it) <= _REMEMBERED_MAX
            else _encoded(key, name, it)
            for name, it in attributes
        ]
    )


def _encoded(key: bytes, name: str, value: str | int | bool) -> bytes:
    return block(key, text(b"\x0a", name) + block(b"\x12", _value(value)))


# Ids of invocations come several times and never again.
_attribute: Final = lru_cache(maxsize=4096, typed=True)(_encoded)


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

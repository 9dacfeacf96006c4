"""W3C trace context: who is whose parent, as it travels in headers and rests in the database."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from rtour import ids
from rtour.engine.commands import Invoke
from rtour.engine.model import Invocation, Trace

_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_SAMPLED: Final = 1


class SpanContext(msgspec.Struct, frozen=True, gc=False):
    """A span as its children know it: 16 bytes of trace id, 8 of span id, and whether to record."""

    trace_id: bytes
    span_id: bytes
    sampled: bool = True
    state: str = ""

    @property
    def header(self) -> str:
        """The `traceparent` that makes others children of this span."""
        flags = "01" if self.sampled else "00"
        return f"00-{self.trace_id.hex()}-{self.span_id.hex()}-{flags}"

    @property
    def trace(self) -> Trace:
        """The context as it is stored with an invocation."""
        return Trace(self.header, self.state)


def parse(trace: Trace | None) -> SpanContext | None:
    """The context of a stored or received trace; None if there is none, or no valid one."""
    found = None if trace is None else _TRACEPARENT.fullmatch(trace.parent.strip())
    if trace is None or found is None:
        return None
    trace_id, span_id, flags, rest = found.groups()
    if rest and trace.parent.startswith("00"):  # only later versions may say more
        return None
    sampled = bool(int(flags, 16) & _SAMPLED)
    return SpanContext(bytes.fromhex(trace_id), bytes.fromhex(span_id), sampled, trace.state)


def invocation_uuid(invocation_id: str) -> bytes:
    """The 16 bytes that are an invocation's own; the last 8 are the id of its start span."""
    return ids.invocation_id_to_bytes(invocation_id)[8:]


def own_trace(invocation_id: str, *, sampled: bool) -> SpanContext:
    """The context of an invocation that starts a trace: its start span, which has no parent."""
    uuid = invocation_uuid(invocation_id)
    return SpanContext(uuid, uuid[8:], sampled)


def trace_id(told: Invocation | Invoke) -> str:
    """The trace that an invocation belongs to, in hex, whether spans are made of it or not."""
    above = parse(told.trace)
    return (invocation_uuid(told.id) if above is None else above.trace_id).hex()


def parent_of(invocation: Invocation) -> SpanContext | None:
    """The span above an invocation's start span, as stored with it."""
    return parse(invocation.trace)

"""Spans as values: what a collector is told, whatever the encoding."""

from __future__ import annotations

import enum

import msgspec

from rtour.engine.model import Target
from rtour.server.trace_context import SpanContext

Attributes = tuple[tuple[str, str | int | bool], ...]


class Code(enum.IntEnum):
    """OTLP's status codes."""

    UNSET = 0
    OK = 1
    ERROR = 2


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that happened within a span."""

    at_ns: int
    name: str
    attributes: Attributes = ()


class Link(msgspec.Struct, frozen=True, gc=False):
    """A span of another trace that led to this one."""

    context: SpanContext
    attributes: Attributes = ()


class Span(msgspec.Struct, frozen=True, gc=False):
    """One finished span. Instants are nanoseconds since the epoch; no `parent_id` makes a root.

    `subject` are the attributes that all spans of an invocation have: names and ids.
    """

    context: SpanContext
    name: str
    start_ns: int
    end_ns: int
    parent_id: bytes = b""
    attributes: Attributes = ()
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    code: Code = Code.UNSET
    message: str = ""
    dropped_events: int = 0
    subject: Attributes = ()


def short(target: Target) -> str:
    """A target without its key, so that all calls of a handler have one span name."""
    if target.key is None:
        return f"{target.service}/{target.handler}"
    return f"{target.service}/{{key}}/{target.handler}"


def about(invocation_id: str, target: Target) -> Attributes:
    """The attributes that say which invocation a span is of."""
    return (
        ("rpc.service", target.service),
        ("rpc.method", target.handler),
        ("restate.invocation.id", invocation_id),
        ("restate.invocation.target", str(target)),
    )

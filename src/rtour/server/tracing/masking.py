"""Spans without credentials: in addresses of deployments, and in what services say went wrong."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from rtour.redaction import Redactor
from rtour.server.tracing.spans import Attributes, Event, Span

# The others are made of names and ids, and there are many.
_TEXTS: Final = frozenset(
    {
        "restate.deployment.address",
        "error.message",
        "exception.message",
        "exception.stacktrace",
    }
)


class Masked:
    """The same span, with a mask for every credential."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact

    def __call__(self, span: Span) -> Span:
        events = tuple(map(self._event, span.events))
        message = self._redact(span.message) if span.message else ""
        attributes = self._attributes(span.attributes)
        return replace(span, attributes=attributes, events=events, message=message)

    def _event(self, event: Event) -> Event:
        if not event.attributes:
            return event
        return replace(event, attributes=self._attributes(event.attributes))

    def _attributes(self, attributes: Attributes) -> Attributes:
        if _TEXTS.isdisjoint(name for name, _ in attributes):
            return attributes
        return tuple(
            (name, self._redact(value) if name in _TEXTS and isinstance(value, str) else value)
            for name, value in attributes
        )

"""Spans without credentials: in addresses of deployments, and in what services say went wrong."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from rtour.redaction import Redactor
from rtour.server.tracing.spans import Attributes, Event, Span

# The others are made of names and ids, and there are many.
_REMEMBERED_MAX: Final = 256  # characters
_TEXTS: Final = frozenset(
    {
        "restate.deployment.address",
        "error.message",
        "exception.message",
        "exception.stacktrace",
    }
)


class Masked:
    """The same span, with a mask for every credential; most spans are as they were."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact
        # All attempts on a deployment have its address.
        self._remembered = lru_cache(maxsize=256)(redact)

    def __call__(self, span: Span) -> Span:
        attributes = self._attributes(span.attributes)
        events = span.events
        if any(map(_has_text, events)):
            events = tuple(map(self._event, events))
        message = self._redact(span.message) if span.message else ""
        if attributes is span.attributes and events is span.events and message == span.message:
            return span
        return replace(span, attributes=attributes, events=events, message=message)

    def _event(self, event: Event) -> Event:
        return replace(event, attributes=self._attributes(event.attributes))

    def _attributes(self, attributes: Attributes) -> Attributes:
        for name, value in attributes:
            if name in _TEXTS and value != self._masked(value):
                return tuple(
                    (name, self._masked(value) if name in _TEXTS else value)
                    for name, value in attributes
                )
        return attributes

    def _masked(self, value: str | int | bool) -> str | int | bool:
        if not isinstance(value, str):
            return value
        return self._remembered(value) if len(value) <= _REMEMBERED_MAX else self._redact(value)


def _has_text(event: Event) -> bool:
    return any(name in _TEXTS for name, _ in event.attributes)

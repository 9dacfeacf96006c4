"""The spans of commands: from when the service made one to when its result was stored.

A sleep, a call or a promise outlives the attempt that asked for it, so its span is kept open here,
in memory, until the notification comes. What is not here then (the server was restarted, or too
many are open) is read back from the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from rtour.engine.model import Entry, Invocation
from rtour.engine.view import View
from rtour.protocol import messages as m
from rtour.protocol.framing import decode
from rtour.server.trace_context import SpanContext
from rtour.server.tracing.spans import Attributes, Code, Span

if TYPE_CHECKING:
    from rtour.server.tracing.tracer import Tracer

OPEN_MAX: Final = 100_000
_MS: Final = 1_000_000


class _Open(msgspec.Struct, frozen=True, gc=False):
    name: str
    parent: SpanContext
    started_ns: int
    attributes: Attributes


class CommandSpans:
    """The commands whose results are awaited, by invocation and completion id."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._open: dict[str, dict[int, _Open]] = {}
        self._count = 0

    def made(
        self, invocation: Invocation, parent: SpanContext, entry: Any, attributes: Attributes
    ) -> None:
        """A command came: a span at once if nothing is awaited, else it stays open."""
        if isinstance(entry, m.Output):  # the end span tells it
            return
        now = self._tracer.now_ns()
        made = _Open(name_of(entry), parent, now, attributes)
        completion_id = getattr(entry, "result_completion_id", None)
        if completion_id is None:
            self._finish(made, now)
        elif self._count < OPEN_MAX:
            opened = self._open.setdefault(invocation.id, {})
            self._count += completion_id not in opened
            opened[completion_id] = made

    def completed(self, view: View, invocation: Invocation, entry: Entry) -> None:
        """A notification is being stored: it ends the span of its command, if it is of one."""
        if entry.type in {m.MessageType.SIGNAL, m.MessageType.CALL_INVOCATION_ID_COMPLETION}:
            return
        if self._tracer.counts.full and invocation.id not in self._open:
            return
        notification = decode(entry.type, entry.raw)
        assert isinstance(notification, m.Notification)
        assert isinstance(notification.id, int)
        opened = self._open.get(invocation.id, {})
        made = opened.pop(notification.id, None)
        if made is not None:
            self._count -= 1
            if not opened:
                del self._open[invocation.id]
        else:
            made = self._read_back(view, invocation, notification.id)
        if made is not None:
            result = notification.result
            failure = result.message if isinstance(result, m.Failure) else None
            self._finish(made, self._tracer.now_ns(), failure)

    def forget(self, invocation_id: str) -> None:
        """The invocation ended: nobody awaits what is still open, which ends with it."""
        opened = self._open.pop(invocation_id, {})
        self._count -= len(opened)
        now = self._tracer.now_ns()
        for made in opened.values():
            self._finish(made, now)

    def _read_back(self, view: View, invocation: Invocation, completion_id: int) -> _Open | None:
        """The command as the journal has it, below the start span since its attempt is unknown."""
        start, _ = self._tracer.start_of(invocation)
        if not start.sampled:
            return None
        for entry in view.entries(invocation):
            if entry.is_command:
                command: Any = decode(entry.type, entry.raw)
                if getattr(command, "result_completion_id", None) == completion_id:
                    attributes = (("restate.journal.command.type", command_type(command)),)
                    return _Open(name_of(command), start, entry.appended_at * _MS, attributes)
        return None

    def _finish(self, made: _Open, at_ns: int, failure: str | None = None) -> None:
        parent = made.parent
        if not self._tracer.tells(parent):
            return
        context = SpanContext(parent.trace_id, self._tracer.span_id(), True, parent.state)
        self._tracer.finish(
            Span(
                context,
                made.name,
                made.started_ns,
                max(at_ns, made.started_ns),
                parent.span_id,
                made.attributes,
                code=Code.UNSET if failure is None else Code.ERROR,
                message=failure or "",
            )
        )


def command_type(entry: m.Command) -> str:
    """`Command/Sleep`, as the official server writes it."""
    return f"Command/{type(entry).__name__}"


def name_of(entry: Any) -> str:
    """`Sleep`, `Run charge`, `Call Payment/charge`, `SetState cart`."""
    kind = type(entry).__name__
    match entry:
        case m.Call() | m.OneWayCall():
            keyed = "/{key}" if entry.key else ""
            return f"{kind} {entry.service_name}{keyed}/{entry.handler_name}"
        case m.GetLazyState() | m.GetEagerState() | m.SetState() | m.ClearState():
            return f"{kind} {entry.key.decode('utf-8', 'replace')}"
        case m.GetPromise() | m.PeekPromise() | m.CompletePromise():
            return f"{kind} {entry.key}"
        case _:
            return f"{kind} {entry.name}" if entry.name else kind

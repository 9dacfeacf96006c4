"""Decisions as text: one line for each change, action and message.

    + entry inv_1/1 Sleep until=5000 completion=1      a row written
    - lock Greeter/Ada                                 a row removed
    > set-timer sleep inv_1/1 at=5000                  told to the outside
    ~ begin inv_2                                      a message to another key

The engine's test scripts, `rtour invocations describe --decisions` and the terminal UI print with
this, so what is tested is what is shown. Fields that have their default value are left out.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from rtour.engine import changes as c
from rtour.engine.commands import Command
from rtour.engine.decision import Decision
from rtour.engine.model import (
    CallerSink,
    Entry,
    Invocation,
    RequestSink,
    Status,
    Target,
    Timer,
)
from rtour.protocol.framing import decode
from rtour.protocol.messages import (
    Combinator,
    Failure,
    Future,
    Header,
    InvocationId,
    MessageType,
    Notification,
    StateKeys,
    Value,
    Void,
)
from rtour.protocol.trees import fold, nested


def narrate(decision: Decision) -> Iterator[str]:
    """All lines of one decision."""
    yield from effects(decision)
    for message in decision.messages:
        yield f"~ {command(message)}"


def effects(decision: Decision) -> Iterator[str]:
    """The lines of a decision without its messages."""
    for change in decision.changes:
        yield _change(change)
    for action in decision.actions:
        yield f"> {_words(action)} {_fields(action)}"


def command(command: Command) -> str:
    """One line for a command."""
    return f"{_words(command)} {_fields(command)}"


def entry(entry: Entry) -> str:
    """What a journal entry says, without its place."""
    message = decode(entry.type, entry.raw)
    callee = f" -> {entry.callee}" if entry.callee else ""
    if isinstance(message, Notification):
        name = MessageType(message.type).name.title().replace("_", "")
        return f"{name} {_show(message.id)} = {_show(message.result)}"
    return f"{type(message).__name__} {_fields(message)}".rstrip() + callee


def invocation(invocation: Invocation) -> str:
    """What may have changed of an invocation."""
    parts = [invocation.id, invocation.status.value]
    if invocation.status is not Status.COMPLETED:
        parts.append(f"attempt={invocation.attempt}")
    parts.append(f"journal={invocation.journal_length}/{invocation.commands}")
    if invocation.pause_requested:
        parts.append("pause-requested")
    for name in ("deployment_id", "awaiting", "inbox_sequence", "sinks", "result"):
        value = getattr(invocation, name)
        if value is not None and value != ():
            parts.append(f"{name.removesuffix('_id')}={_show(value)}")
    return " ".join(parts)


# --- lines ---------------------------------------------------------------------------------------


def _change(change: c.Change) -> str:
    match change:
        case c.PutInvocation():
            return f"+ invocation {invocation(change.invocation)}"
        case c.DeleteInvocation() | c.DeleteJournal() | c.DeleteTelling():
            return f"- {_noun(change)} {change.id}"
        case c.AppendEntry():
            return f"+ entry {change.id}/{change.entry.index} {entry(change.entry)}"
        case c.AppendEvent():
            event = change.event
            error = f" {_show(event.error)}" if event.error else ""
            return f"+ event {change.id}/{event.after_index} {event.type.value}{error}"
        case c.PutWaiter() | c.DeleteWaiter():
            sign = "+" if isinstance(change, c.PutWaiter) else "-"
            return f"{sign} waiter {change.id} {_show(change.sink)}"
        case c.PutTelling(telling):
            return f"+ telling {telling.id} {_show(telling.result)}"
    sign = "+" if type(change).__name__.startswith("Put") else "-"
    return f"{sign} {_noun(change)} {_fields(change)}"


def _noun(change: c.Change) -> str:
    return _words(change).partition("-")[2]


def _words(struct: msgspec.Struct) -> str:
    """`SetTimer` is set-timer."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(struct).__name__).lower()


# Shown by value alone when they come first; others as name=value.
_PLAIN = {
    "id", "target", "timer", "sink", "request_id", "response", "invocation", "signal", "result",
    "item", "kind", "service", "verdict",
}  # fmt: skip


_SHORT = {
    "wake_up_time": "until",
    "result_completion_id": "completion",
    "invocation_id_notification_idx": "id_completion",
}


def _fields(struct: msgspec.Struct) -> str:
    parts: list[str] = []
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if field.name == "key" and hasattr(struct, "service"):
            parts[-1] = f"{parts[-1]}/{value}"
        elif value == field.default or value is None:
            continue
        elif field.name in _PLAIN:
            parts.append(_show(value))
        elif field.name not in {"raw", "type"}:
            parts.append(f"{_SHORT.get(field.name, field.name)}={_show(value)}")
    return " ".join(parts)


# --- values --------------------------------------------------------------------------------------


def _show(value: Any) -> str:
    show = _SHOW.get(type(value))
    if show is not None:
        return show(value)
    if isinstance(value, enum.Enum):
        return value.value if isinstance(value.value, str) else value.name.lower()
    if isinstance(value, msgspec.Struct):
        return f"{_words(value)}({_fields(value)})"
    return str(value)


def _list(values: tuple[Any, ...]) -> str:
    return "[" + ", ".join(map(_show, values)) + "]"


def _mapping(values: dict[bytes, bytes]) -> str:
    return "{" + ", ".join(f"{_show(k)}: {_show(v)}" for k, v in values.items()) + "}"


def _text(value: bytes) -> str:
    return json.dumps(value.decode(errors="backslashreplace"), ensure_ascii=False)


_COMBINATORS = {
    Combinator.UNKNOWN: "unknown",
    Combinator.FIRST_COMPLETED: "first",
    Combinator.ALL_COMPLETED: "settled",
    Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED: "any",
    Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED: "all",
}


def _future(tree: Future) -> str:
    return fold(tree, nested, _node)


def _node(future: Future, children: list[str]) -> str:
    leaves = [
        *map(str, future.completions),
        *(f"s{index}" for index in future.signals),
        *(f"'{name}'" for name in future.named_signals),
        *children,
    ]
    return f"{_COMBINATORS[future.combinator]}({', '.join(leaves)})"


def _timer(timer: Timer) -> str:
    what = f"/{timer.completion_id}" if timer.completion_id else ""
    return f"{timer.kind.name.lower()} {timer.invocation_id}{what} at={timer.at}"


_SHOW: dict[type, Callable[[Any], str]] = {
    bytes: _text,
    str: lambda value: json.dumps(value, ensure_ascii=False) if " " in value else value,
    tuple: _list,
    dict: _mapping,
    Target: str,
    Timer: _timer,
    Future: _future,
    Invocation: lambda value: f"{value.id} attempt={value.attempt}",
    Entry: lambda value: f"{value.index} {entry(value)}",
    CallerSink: lambda sink: f"{sink.id}/{sink.completion_id}",
    RequestSink: lambda sink: f"request({sink.request_id})",
    Header: lambda header: f"{header.key}: {header.value}",
    Void: lambda _: "void",
    Value: lambda value: _text(value.content),
    Failure: lambda failure: f"{failure.code} {failure.message!r}",
    InvocationId: lambda value: value.id,
    StateKeys: lambda value: _list(value.keys),
}

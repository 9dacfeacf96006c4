"""Is this command the one that was recorded? And if not, an error that says what happened.

Equality follows the protocol (§5.3): all fields but those that may differ between attempts, such
as the wake-up time of a sleep. A mismatch is shown as two columns, recorded and attempted, with
the likely cause, because the cause is nearly always in the handler's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rtour.protocol import messages as m

JOURNAL_MISMATCH: Final = 570

_IGNORED: Final[dict[type, frozenset[str]]] = {
    m.Sleep: frozenset({"wake_up_time", "result_completion_id"}),
    m.OneWayCall: frozenset({"invoke_time"}),
}
_PAYLOADS: Final[dict[type, frozenset[str]]] = {
    m.SetState: frozenset({"value"}),
    m.Output: frozenset({"result"}),
    m.Call: frozenset({"parameter"}),
    m.OneWayCall: frozenset({"parameter"}),
    m.CompletePromise: frozenset({"completion"}),
    m.CompleteAwakeable: frozenset({"result"}),
    m.SendSignal: frozenset({"result"}),
}
_COLUMN: Final = 40
_NONE: Final[frozenset[str]] = frozenset()


def matches(recorded: m.Command, attempted: m.Command, check_payloads: bool) -> bool:
    """Whether the handler does what it did before."""
    kind = type(attempted)
    if type(recorded) is not kind:
        return False
    if kind is m.Input or recorded == attempted:
        return True
    if kind not in _IGNORED and (check_payloads or kind not in _PAYLOADS):
        return False
    return not _differences(recorded, attempted, check_payloads)


def _differences(
    recorded: m.Command, attempted: m.Command, check_payloads: bool = True
) -> list[str]:
    kind = type(attempted)
    ignored = _IGNORED.get(kind, _NONE)
    if not check_payloads:
        ignored |= _PAYLOADS.get(kind, _NONE)
    return [
        field
        for field in kind.__struct_fields__
        if field not in ignored and getattr(recorded, field) != getattr(attempted, field)
    ]


# --- messages ----------------------------------------------------------------------------------


def mismatch(index: int, recorded: m.Command, attempted: m.Command) -> str:
    """What was recorded, what the code did instead, and what usually causes it."""
    same_kind = type(recorded) is type(attempted)
    fields = _differences(recorded, attempted) if same_kind else ["name"]
    rows = [
        ("", "recorded", "attempted"),
        ("command", _describe(recorded), _describe(attempted)),
        *((field, _show(recorded, field), _show(attempted, field)) for field in fields),
    ]
    cause = _value_cause(fields) if same_kind else _ORDER_CAUSE
    return (
        f"Journal mismatch at command {index}: the handler does not do what the journal recorded.\n"
        f"{_table(rows)}\n{cause}"
    )


def left_over(index: int, recorded: m.Command) -> str:
    """The handler ended, the journal did not."""
    return (
        f"Journal mismatch at command {index}: the handler ended, "
        f"but the journal goes on with {_describe(recorded)}.\n{_ORDER_CAUSE}"
    )


def unreachable_await(index: int, recorded: m.Command) -> str:
    """The handler waits for what the journal does not hold, before replay is over."""
    return (
        f"Journal mismatch at command {index}: the handler waits for a result that the journal "
        f"does not hold, although it goes on with {_describe(recorded)}.\n{_ORDER_CAUSE}"
    )


_ORDER_CAUSE: Final = (
    "Likely cause: the code of the handler was changed while this invocation was in flight, or it "
    "branches on something that differs between attempts (time, randomness, environment, a file, "
    "a network answer). Take such values from ctx.run, ctx.time, ctx.random or ctx.uuid."
)


def _value_cause(fields: Sequence[str]) -> str:
    verb = "was" if len(fields) == 1 else "were"
    return (
        f"Likely cause: {' and '.join(fields)} {verb} computed from something that differs between "
        "attempts (time, randomness, the order of a set, environment), or the code was changed "
        "while this invocation was in flight. Take such values from ctx.run, ctx.time, ctx.random "
        "or ctx.uuid."
    )


def _describe(command: m.Command) -> str:
    return f"{type(command).__name__} {command.name!r}" if command.name else type(command).__name__


def _show(command: m.Command, field: str) -> str:
    return _text(getattr(command, field))


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode(errors="backslashreplace")
    elif isinstance(value, msgspec.Struct):
        value = ", ".join(_text(getattr(value, name)) for name in value.__struct_fields__)
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _COLUMN else f"{text[: _COLUMN - 1]}…"


def _table(rows: list[tuple[str, str, str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(
        f"  {name:<{widths[0]}}  {recorded:<{widths[1]}}  {attempted}".rstrip()
        for name, recorded, attempted in rows
    )

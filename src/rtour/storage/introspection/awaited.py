"""What a suspended invocation waits for, as the official server's columns write it."""

from __future__ import annotations

import msgspec

from rtour.protocol.messages import Combinator, Future
from rtour.protocol.trees import fold, nested
from rtour.storage.futures import from_text

# Up to this version of the protocol a suspension lists what may wake it and not how it combines.
_FLAT = 6

_NAMES = {
    Combinator.UNKNOWN: "Unknown",
    Combinator.FIRST_COMPLETED: "FirstCompleted",
    Combinator.ALL_COMPLETED: "AllCompleted",
    Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED: "FirstSucceededOrAllFailed",
    Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED: "AllSucceededOrFirstFailed",
}
_json = msgspec.json.Encoder().encode


def completions(awaiting: str | None) -> str | None:
    """The ids of the completions in the outermost node of a stored future, as a JSON list."""
    return _numbers(awaiting, "completions")


def signals(awaiting: str | None) -> str | None:
    """The indexes of the signals in the outermost node of a stored future, as a JSON list."""
    return _numbers(awaiting, "signals")


def stored_tree(awaiting: str | None, protocol_version: int | None) -> str | None:
    """A stored future as `tree` writes it; its suspension came in this protocol version."""
    if awaiting is None:
        return None
    future = from_text(awaiting)
    if protocol_version is not None and protocol_version <= _FLAT:
        future = Future(future.completions, future.signals, future.named_signals)
    return tree(future)


def tree(future: Future) -> str:
    """`{"FirstCompleted":[{"Single":{"CompletionId":1}},{"AllCompleted":[…]}]}`."""
    return fold(future, nested, _node)


def _node(future: Future, children: list[str]) -> str:
    leaves: list[tuple[str, int | str]] = [
        *(("CompletionId", number) for number in future.completions),
        *(("SignalIndex", number) for number in future.signals),
        *(("SignalName", name) for name in future.named_signals),
    ]
    singles = [_json({"Single": {kind: leaf}}).decode() for kind, leaf in leaves]
    return f'{{"{_NAMES[future.combinator]}":[{",".join(singles + children)}]}}'


def _numbers(awaiting: str | None, field: str) -> str | None:
    if awaiting is None:
        return None
    return _json(getattr(from_text(awaiting), field)).decode()

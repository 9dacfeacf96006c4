"""What a suspended invocation waits for, as the official server's columns write it."""

from __future__ import annotations

from typing import Any

import msgspec

from rtour.protocol.messages import Combinator, Future

# Up to this version of the protocol a suspension lists what may wake it and not how it combines.
_FLAT = 6

_NAMES = {
    Combinator.UNKNOWN: "Unknown",
    Combinator.FIRST_COMPLETED: "FirstCompleted",
    Combinator.ALL_COMPLETED: "AllCompleted",
    Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED: "FirstSucceededOrAllFailed",
    Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED: "AllSucceededOrFirstFailed",
}
_future = msgspec.json.Decoder(Future).decode


def completions(awaiting: str | None) -> str | None:
    """The ids of all awaited completions of a stored future, as a JSON list."""
    return _numbers(awaiting, "completions")


def signals(awaiting: str | None) -> str | None:
    """The indexes of all awaited signals of a stored future, as a JSON list."""
    return _numbers(awaiting, "signals")


def stored_tree(awaiting: str | None, protocol_version: int | None) -> str | None:
    """A stored future as `tree` writes it; its suspension came in this protocol version."""
    if awaiting is None:
        return None
    future = _future(awaiting)
    if protocol_version is not None and protocol_version <= _FLAT:
        future = Future(future.completions, future.signals, future.named_signals)
    return tree(future)


def tree(future: Future) -> str:
    """`{"FirstCompleted":[{"Single":{"CompletionId":1}},{"AllCompleted":[…]}]}`."""
    return msgspec.json.encode(_node(future)).decode()


def _node(future: Future) -> dict[str, Any]:
    leaves = [
        *({"CompletionId": number} for number in future.completions),
        *({"SignalIndex": number} for number in future.signals),
        *({"SignalName": name} for name in future.named_signals),
    ]
    nested = [_node(child) for child in future.nested]
    return {_NAMES[future.combinator]: [*({"Single": leaf} for leaf in leaves), *nested]}


def _numbers(awaiting: str | None, field: str) -> str | None:
    if awaiting is None:
        return None
    return msgspec.json.encode(sorted(set(_leaves(_future(awaiting), field)))).decode()


def _leaves(future: Future, field: str) -> list[int]:
    own: list[int] = list(getattr(future, field))
    return own + [number for child in future.nested for number in _leaves(child, field)]

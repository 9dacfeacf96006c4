"""What the results in the journal are to a handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rtour.protocol import messages as m
from rtour.sdk.serde import Serde

T = TypeVar("T")
Decode = Callable[[m.Result], T]


def decode_with(serde: Serde[T]) -> Decode[T | None]:
    """Values through a serde; no value is None."""

    def decode(result: m.Result) -> T | None:
        return serde.deserialize(result.content) if isinstance(result, m.Value) else None

    return decode


def decode_nothing(_result: m.Result) -> None:
    """For results that only say that something is done."""


def decode_invocation_id(result: m.Result) -> str:
    assert isinstance(result, m.InvocationId), f"{result} is no invocation id"
    return result.id


def decode_state_keys(result: m.Result) -> list[str]:
    assert isinstance(result, m.StateKeys), f"{result} are no state keys"
    return [key.decode() for key in result.keys]

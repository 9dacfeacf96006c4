"""What a load is, and what is reported of it."""

from __future__ import annotations

import random
import string

import msgspec


def text(length: int) -> str:
    """Letters that no compression makes much shorter: how much is written must not hang on that."""
    return "".join(random.Random(length).choices(string.ascii_letters + string.digits, k=length))


class Load(msgspec.Struct, frozen=True):
    """POST a JSON text of `payload` bytes: for `seconds`, or `requests` times in all."""

    url: str
    connections: int
    seconds: float
    keys: int = 1
    payload: int = 1
    requests: int | None = None

    @property
    def body(self) -> str:
        return f'"{text(self.payload)}"'


class Report(msgspec.Struct, frozen=True):
    """Times are those of single requests, from its first byte sent to its last one received.

    `began` is by the monotonic clock, which all processes share: before it, the generator started.
    """

    requests: int
    failures: int
    seconds: float
    p50_ms: float
    p99_ms: float
    began: float

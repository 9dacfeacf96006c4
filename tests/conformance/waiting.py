"""Waiting for a condition in another process: ask again until it holds or the time is up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

# How often we ask. It only bounds how late we notice; no test relies on it.
ASK_EVERY_S = 0.02


class GaveUpError(AssertionError):
    """The condition did not come true in time."""


async def eventually(
    what: str,
    ask: Callable[[], Awaitable[T]],
    until: Callable[[T], bool] = bool,
    within_s: float = 20.0,
) -> T:
    """Ask until `until(answer)` holds and return that answer; fail with the last one seen."""
    deadline = time.monotonic() + within_s
    while True:
        answer = await ask()
        if until(answer):
            return answer
        if time.monotonic() > deadline:
            raise GaveUpError(f"{what}: not within {within_s} s; last answer: {answer!r}")
        await asyncio.sleep(ASK_EVERY_S)

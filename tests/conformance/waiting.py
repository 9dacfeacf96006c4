"""Waiting for a condition in another process: ask again until it holds or the time is up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

# How often we ask: at first often, then less so, because asking costs the asked something too. It
# only bounds how late we notice; no test relies on it.
ASK_AGAIN_S, ASK_SELDOM_S, SELDOMER = 0.02, 0.2, 1.3


class GaveUpError(AssertionError):
    """The condition did not come true in time."""


async def eventually(
    what: str,
    ask: Callable[[], Awaitable[T]],
    until: Callable[[T], bool] = bool,
    within_s: float = 20.0,
) -> T:
    """Ask until `until(answer)` holds and return that answer; fail with the last one seen."""
    deadline, pause = time.monotonic() + within_s, ASK_AGAIN_S
    while True:
        answer = await ask()
        if until(answer):
            return answer
        if time.monotonic() > deadline:
            raise GaveUpError(f"{what}: not within {within_s} s; last answer: {answer!r}")
        await asyncio.sleep(pause)
        pause = min(pause * SELDOMER, ASK_SELDOM_S)

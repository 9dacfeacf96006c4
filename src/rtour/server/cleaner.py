"""Forgets what is past its retention, now and then (server-semantics.md §10)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random

from rtour.clock import Clock
from rtour.engine.commands import Command, Expire

log = logging.getLogger("rtour.cleaner")

PAGE = 500  # small enough that a large backlog holds up nobody


class Cleaner:
    """Scans each `interval_ms`; the first time after 20 to 40 % of it, as Restate does."""

    def __init__(
        self,
        expired: Callable[[int, int], list[tuple[str, bool]]],
        propose: Callable[[Command], None],
        caught_up: Callable[[], Awaitable[None]],
        clock: Clock,
        random: Random,
        interval_ms: int,
    ) -> None:
        self._expired = expired
        self._propose = propose
        self._caught_up = caught_up
        self._clock = clock
        self._random = random
        self._interval_ms = interval_ms

    async def run(self) -> None:
        """Clean until cancelled."""
        await asyncio.sleep(self._interval_ms / 1000 * self._random.uniform(0.2, 0.4))
        while True:
            count = await self.clean()
            if count:
                log.info("Forgot %d invocations or journals past their retention", count)
            await asyncio.sleep(self._interval_ms / 1000)

    async def clean(self) -> int:
        """One scan, page by page; returns how many were past their time."""
        count = 0
        now = self._clock.now_ms()
        while page := self._expired(now, PAGE):
            count += len(page)
            for id_, _whole in page:
                self._propose(Expire(id_))
            await self._caught_up()
            if len(page) < PAGE:
                break
        return count

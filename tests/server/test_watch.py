"""The watch over silent attempts: newcomers have no timer of their own."""

from __future__ import annotations

import asyncio

from rtour.server.watch import NEW_S, Watch
from tests.virtual_time import VirtualClock, run


class Attempt:
    """Notes when it was told to look after itself."""

    def __init__(self) -> None:
        self.armed_at: list[float] = []

    def arm(self) -> None:
        self.armed_at.append(asyncio.get_running_loop().time())


def test_an_attempt_that_ends_soon_is_never_armed() -> None:
    """Who ends before the newcomers' time is up costs no timer; who lasts gets one, once."""

    async def main(_clock: VirtualClock) -> None:
        watch, brief, lasting = Watch(), Attempt(), Attempt()
        watch.begin(brief, 60)
        watch.begin(lasting, 60)
        watch.end(brief)
        await asyncio.sleep(30)
        watch.end(lasting)
        assert brief.armed_at == []
        assert lasting.armed_at == [NEW_S]

    run(main)


def test_a_short_limit_is_armed_at_once() -> None:
    """A limit that would pass among the newcomers gets its timer right away."""

    async def main(_clock: VirtualClock) -> None:
        watch, hasty = Watch(), Attempt()
        watch.begin(hasty, NEW_S)
        assert hasty.armed_at == [0.0]

    run(main)

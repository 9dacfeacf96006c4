"""The loop's lateness is what its timers say."""

from __future__ import annotations

import asyncio

from rtour.server.lateness import Lateness
from tests import virtual_time
from tests.virtual_time import VirtualClock, VirtualLoop


def test_work_that_holds_the_loop_makes_it_late() -> None:
    """By as long as it held it; and the next look, before which nothing did, finds it in time."""

    async def main(_: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        lateness = Lateness()
        task = loop.create_task(lateness.run())
        await asyncio.sleep(0.1)
        loop.now_s += 3  # the work that holds the loop
        await asyncio.sleep(0.1)
        assert 2.5 <= lateness.seconds < 3
        await asyncio.sleep(1)
        assert lateness.seconds < 0.01
        task.cancel()

    virtual_time.run(main)

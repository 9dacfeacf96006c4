"""The loop's lateness is what its timers say."""

from __future__ import annotations

import asyncio
import time

from rtour.server.lateness import Lateness


async def test_work_that_holds_the_loop_makes_it_late() -> None:
    """And the next look, before which nothing did, finds it in time again."""
    lateness = Lateness()
    task = asyncio.get_running_loop().create_task(lateness.run())
    async with asyncio.timeout(30):
        while lateness.seconds < 0.3:
            time.sleep(0.9)  # noqa: ASYNC251, TID251 - the work that holds the loop
            await asyncio.sleep(0)
        while lateness.seconds >= 0.3:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

"""A developer who drives the server's clock: skips, freezes, lets it go, and remembers.

What was acknowledged holds in every later life. Once a skip is over, nothing is left waiting that
was due by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Protocol

from rtour.clock import ClockState
from rtour.errors import RtourError
from rtour.server.time_control import Moved, TimeControl
from tests.simulation.clock import WallClock
from tests.simulation.faults import Faults
from tests.simulation.life import Life

PATIENCE_S = 5.0
SKIPS_MS = (5, 400, 3_000, 20_000)
ALL_SKIPS_MAX_MS = 200_000  # far below retention: within it, answers are asked for again
LEFT_ALONE_S = (0.0, 0.3, 2.0, 6.0)


class Host(Protocol):
    """What a developer knows of the world."""

    @property
    def life(self) -> Life | None: ...

    @property
    def clock(self) -> WallClock: ...

    @property
    def faults(self) -> Faults: ...

    def chance(self, probability: float) -> bool: ...

    def crash(self, how: str) -> None: ...

    def note(self, event: str) -> None: ...

    def fail(self, what: str) -> None: ...


class Driver:
    """Drives one clock through all lives of its server."""

    def __init__(self, host: Host, random: Random) -> None:
        self._host = host
        self._random = random
        self._skipped_ms = 0
        self._acknowledged: ClockState | None = ClockState()

    async def drive(self, mean_s: float) -> None:
        """Drive now and then, until cancelled."""
        acts: list[Callable[[Life, TimeControl], Awaitable[None]]] = [
            *[self._skip] * 4,
            *[self._skip_to_next] * 2,
            *[self._freeze] * 2,
            *[self._let_go] * 2,
            *[self._let_go_by_leaps] * 2,
            self._go_back,
        ]
        while True:
            await asyncio.sleep(self._random.expovariate(1 / mean_s))
            life = self._host.life
            if life is not None and life.time is not None:
                await self._random.choice(acts)(life, life.time)

    async def let_go(self) -> None:
        """The clock goes on by itself."""
        life = self._host.life
        if life is not None and life.time is not None and life.time.state.frozen_at is not None:
            await self._change(life, life.time, "let go", life.time.resume())

    async def leap(self, by_ms: int) -> bool:
        """Move on for good, in every second world whose clock can be driven."""
        life = self._host.life
        if life is None or life.time is None or self._random.random() < 0.5:
            return False
        return await self._change(life, life.time, "leap", life.time.skip(by_ms)) is not None

    def restarted(self, life: Life) -> None:
        """A life began: its clock stands as it was last acknowledged, or further on."""
        known = self._acknowledged
        if known is None or life.time is None:
            return
        state = life.time.state
        same = (state.frozen_at is None, state.auto) == (known.frozen_at is None, known.auto)
        # Where a machine's clock was set back, records say where to go on: that is not stored.
        moved_back = not self._host.clock.jumps and self._place(state) < self._place(known)
        if not same or moved_back:
            self._host.fail(f"the clock is kept: it was acknowledged as {known}, now it is {state}")

    @staticmethod
    def _place(state: ClockState) -> int:
        return state.offset_ms if state.frozen_at is None else state.frozen_at

    # --- what developers do ----------------------------------------------------------------------

    async def _skip(self, life: Life, time: TimeControl) -> None:
        by_ms = self._random.choice(SKIPS_MS)
        if self._skipped_ms + by_ms > ALL_SKIPS_MAX_MS:
            return
        self._skipped_ms += by_ms
        target, jumps = time.clock.now_ms() + by_ms, self._host.clock.jumps
        late = life.waiting_until(target)
        moved = await self._change(life, time, f"skip {by_ms} ms", time.skip(by_ms))
        if moved is None or life.dead or self._host.clock.jumps != jumps:
            return
        if moved.by_ms != by_ms or time.clock.now_ms() < target:
            self._host.fail(f"a skip of {by_ms} ms moves as far, not to {time.clock.now_ms()}")
        left = late & life.waiting_until(target)
        if left:
            self._host.fail(f"what is due begins with the skip: {sorted(map(str, left))} did not")

    async def _skip_to_next(self, life: Life, time: TimeControl) -> None:
        await self._change(life, time, "skip to next", time.skip_to_next())

    async def _freeze(self, life: Life, time: TimeControl) -> None:
        if await self._change(life, time, "freeze", time.freeze()) is not None:
            await asyncio.sleep(self._random.choice(LEFT_ALONE_S))

    async def _let_go(self, life: Life, time: TimeControl) -> None:
        await self._change(life, time, "let go", time.resume())

    async def _let_go_by_leaps(self, life: Life, time: TimeControl) -> None:
        await self._change(life, time, "let go by leaps", time.resume(auto=True))

    async def _go_back(self, life: Life, time: TimeControl) -> None:
        """Is refused."""
        past, jumps = time.clock.now_ms() - 1, self._host.clock.jumps
        moved = await self._change(life, time, "skip back", time.skip_to(past))
        if moved is not None and self._host.clock.jumps == jumps:
            self._host.fail("time never goes back: a skip into the past was taken")

    async def _change(
        self, life: Life, time: TimeControl, what: str, change: Awaitable[Moved]
    ) -> Moved | None:
        """Drive, and remember what was acknowledged. None if no answer came, or a refusal."""
        self._acknowledged = None
        if self._host.chance(self._host.faults.crash_when_driven):
            after_s = self._random.choice((0.0, 0.0005, 0.001, 0.003))
            asyncio.get_running_loop().call_later(after_s, self._host.crash, "as it is driven")
        try:
            async with asyncio.timeout(PATIENCE_S):
                moved = await change
        except (TimeoutError, RtourError) as error:
            self._host.note(f"{what}: {error!r}")
            return None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():  # the developer goes away, not the server
                raise
            return None
        if not life.dead:
            self._acknowledged = time.state
            self._host.note(f"{what}: {time.state}")
        return moved

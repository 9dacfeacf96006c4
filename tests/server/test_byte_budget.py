"""Bytes that all attempts share: who gets room, who waits, and that all of it comes back."""

from __future__ import annotations

import asyncio

from rtour.server.byte_budget import SMALL_BYTES_MAX, ByteBudget, Claim
from tests.virtual_time import VirtualClock, run


class Line:
    """Claims on a budget of 100, whose waits run beside the test."""

    def __init__(self) -> None:
        self.budget = ByteBudget(100)
        self._waits: dict[Claim, asyncio.Task[bool]] = {}

    async def claim(self, deployment_id: str, amount: int) -> Claim:
        claim = self.budget.claim(deployment_id, amount)
        self._waits[claim] = asyncio.get_running_loop().create_task(claim.take())
        await asyncio.sleep(0)
        return claim

    async def got(self, claim: Claim) -> bool:
        return await self._waits[claim]

    def cancel(self, claim: Claim) -> None:
        self._waits[claim].cancel()


def test_small_is_relative() -> None:
    """A sixteenth of the budget at most, and 64 KiB."""
    assert ByteBudget(256 << 20).small == SMALL_BYTES_MAX
    assert ByteBudget(1600).small == 100


def test_a_deployment_holds_half_at_most() -> None:
    """The third of three claims waits for its own deployment; others pass it, its own do not."""

    async def main(_clock: VirtualClock) -> None:
        line = Line()
        first, second = await line.claim("a", 25), await line.claim("a", 25)
        third, fourth = await line.claim("a", 10), await line.claim("a", 1)
        other = await line.claim("b", 50)
        assert [claim.held for claim in (first, second, third, fourth, other)] == [
            *(True, True, False, False, True)
        ]
        first.give_up()
        assert await line.got(third)
        assert await line.got(fourth)
        assert line.budget.left == 100 - 25 - 11 - 50

    run(main)


def test_what_is_larger_than_half_counts_as_half() -> None:
    """It gets through once nothing else of its deployment does."""

    async def main(_clock: VirtualClock) -> None:
        line = Line()
        small, huge = await line.claim("a", 1), await line.claim("a", 1_000_000)
        assert not huge.held
        small.give_up()
        assert await line.got(huge)
        assert line.budget.left == 50

    run(main)


def test_nobody_overtakes_who_waits_for_the_budget() -> None:
    """A large claim is not starved by small ones that would fit."""

    async def main(_clock: VirtualClock) -> None:
        line = Line()
        held = [await line.claim("a", 40), await line.claim("b", 40)]
        large, late = await line.claim("c", 30), await line.claim("d", 5)
        assert not late.held
        assert not line.budget.claim("e", 1).take_now()
        held[0].give_up()
        assert await line.got(large)
        assert await line.got(late)

    run(main)


def test_who_gives_up_makes_room_for_those_behind() -> None:
    """Also who waits: its place goes to the next, and it hears that it got nothing."""

    async def main(_clock: VirtualClock) -> None:
        line = Line()
        await line.claim("a", 40)
        await line.claim("b", 40)
        large, late = await line.claim("c", 30), await line.claim("d", 5)
        large.give_up()
        assert not await line.got(large)
        assert await line.got(late)
        assert line.budget.waiting == 0

    run(main)


def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    """Before its turn it leaves the line; in the turn of its cancellation it can give all back."""

    async def main(_clock: VirtualClock) -> None:
        line = Line()
        first, second, third = [await line.claim("a", 50) for _ in range(3)]
        line.cancel(second)
        await asyncio.sleep(0)
        first.give_up()
        assert third.held
        fourth = await line.claim("a", 50)
        third.give_up()  # the fourth has it now, and does not know
        line.cancel(fourth)
        await asyncio.sleep(0)
        fourth.give_up()
        fourth.give_up()
        assert (line.budget.left, line.budget.waiting) == (100, 0)

    run(main)

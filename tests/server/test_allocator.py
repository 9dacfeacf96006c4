"""Memory that large payloads took goes back to the system, and not while they come."""

from __future__ import annotations

import asyncio

import pytest

from rtour.server import allocator
from tests.virtual_time import VirtualClock, run

MIB = 1 << 20


class Memory:
    """What a process has, and how much of it is free."""

    def __init__(self) -> None:
        self.bytes, self.free, self.given_back = 50 * MIB, 0, 0

    def resident(self) -> int:
        return self.bytes

    def give_back(self) -> None:
        self.bytes -= self.free
        self.free = 0
        self.given_back += 1

    def grow(self, mib: int, *, free: int) -> None:
        self.bytes += mib * MIB
        self.free += free * MIB


async def watched(memory: Memory, *grown: tuple[int, int]) -> list[int]:
    """How often memory was given back after each growth, by so much and so much free, of 6 s."""
    task = asyncio.get_running_loop().create_task(
        allocator.keep_small(memory.give_back, memory.resident)
    )
    await asyncio.sleep(0)
    counts = []
    for mib, free in grown:
        memory.grow(mib, free=free)
        await asyncio.sleep(6)
        counts.append(memory.given_back)
    task.cancel()
    return counts


@pytest.mark.parametrize(
    ("grown", "counts"),
    [
        pytest.param([(40, 40), (0, 0), (0, 0)], [0, 0, 0], id="a little is kept"),
        pytest.param([(400, 400), (100, 100), (0, 0), (0, 0)], [0, 0, 1, 1], id="when calm"),
        pytest.param([(400, 0), (0, 0), (0, 0), (0, 0)], [0, 1, 1, 1], id="what is used, stays"),
        pytest.param([(400, 0), (0, 0), (80, 80), (0, 0)], [0, 1, 1, 2], id="again, beyond that"),
    ],
)
def test_free_memory_is_given_back(grown: list[tuple[int, int]], counts: list[int]) -> None:
    """Once it is much and grows no more; what is in use is not looked for again and again."""

    async def main(_clock: VirtualClock) -> None:
        assert await watched(Memory(), *grown) == counts

    run(main)


def test_the_environment_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets glibc up by hand is left alone."""
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    assert allocator.set_up() is None

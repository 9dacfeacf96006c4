"""Four times what a server can do, for a minute: it refuses the rest, and is itself again after.

The services, the server and the client share the machine, so the capacity is measured first, as it
is here and now. Figures are printed; docs/limits.md has some.
"""

from __future__ import annotations

import math
from pathlib import Path
from time import perf_counter

import httpx
import pytest

from tests.torture.bounds import Arena, arena
from tests.torture.overload import Offer, Report, run

pytestmark = pytest.mark.slow

TIMES = 4
OVERLOADED_S = 60.0
CALLERS = 64
MEASURED_S = 5.0
CALM_WITHIN_S = 5.0
CALM_CALLS = 20


async def median_ms(here: Arena, path: str) -> float:
    """What a call takes, one after the other; infinite if one is refused."""
    times = []
    async with httpx.AsyncClient(timeout=60) as client:
        for _ in range(CALM_CALLS):
            began = perf_counter()
            if (await client.post(here.ingress_url + path)).status_code != 200:
                return math.inf
            times.append((perf_counter() - began) * 1000)
    return sorted(times)[CALM_CALLS // 2]


async def calm_after_s(here: Arena, path: str, normal_ms: float) -> float:
    """How long from now until calls take what they took before."""
    began = perf_counter()
    while True:
        at = perf_counter() - began
        if await median_ms(here, path) < 2 * normal_ms:
            return at


async def overload(here: Arena, path: str) -> tuple[Report, float]:
    """Offer four times the capacity; what came of it, and the capacity."""
    url = f"{here.ingress_url}{path}"
    measured = await run(Offer(url, MEASURED_S, connections=CALLERS))
    capacity = measured.statuses[200] / MEASURED_S
    return await run(Offer(url, OVERLOADED_S, rate=TIMES * capacity)), capacity


@pytest.mark.parametrize(
    ("path", "slots"), [("/Bounds/noop", 1000), ("/Bounds/slow", 50)], ids=["busy", "slow service"]
)
async def test_four_times_the_capacity(tmp_path: Path, path: str, slots: int) -> None:
    """No crash, bounded memory, 429 with Retry-After for the rest, calm within 5 s."""
    config = tmp_path / "rtour.toml"
    config.write_text(f"[limits]\nconcurrent_attempts = {slots}\n")
    async with arena(tmp_path, "--config", str(config)) as here:
        normal_ms = await median_ms(here, path)
        before = here.memory_mb()
        here.forget_peak()
        report, capacity = await overload(here, path)
        calm_s = await calm_after_s(here, path, normal_ms)
        grown = here.memory_mb(peak=True) - before
        print(f"\n{path}: {capacity:.0f}/s is its capacity\n{report}")
        print(f"memory: {before:.0f} MB before, {grown:.0f} MB more at most")
        calm_s += report.drained_s
        print(f"a call takes {normal_ms:.1f} ms before, the same {calm_s:.1f} s after")
        assert report.lost == 0
        assert report.offered > 0.9 * TIMES * capacity * OVERLOADED_S, "the client kept up"
        assert set(report.statuses) == {200, 429}
        assert report.refused_without_retry_after == 0
        assert grown < 300
        assert calm_s < CALM_WITHIN_S

"""What the server promises is kept, whatever is done to its process and its disk.

Each test puts 64 connections of load on a real server with services on the official SDK, does harm,
lets all work end, and asks the checker. `pytest tests/torture --kills 300` kills in earnest.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.torture.checker import problems
from tests.torture.load import Load
from tests.torture.victim import Victim, disk_faults

pytestmark = pytest.mark.slow

TMPFS_MB = 3


@pytest.fixture
async def victim(tmp_path: Path) -> AsyncIterator[Victim]:
    victim = Victim(tmp_path)
    await victim.start_services()
    yield victim
    victim.stop()


@pytest.fixture
def faults(tmp_path: Path) -> dict[str, str]:
    found = disk_faults(tmp_path)
    if found is None:
        pytest.skip("needs a C compiler and LD_PRELOAD")
    return found


async def verdict(victim: Victim, load: Load) -> list[str]:
    """All work ends; then what the checker says, and whether an alarm was early."""
    await load.finish()
    victim.stop()
    early = [f"{-late} ms early" for late in load.late_ms if late < 0]
    print(
        f"{len(load.acks)} acknowledged counts and {len(load.late_ms)} alarms over "
        f"{load.lost_connections} lost connections; {len(early)} early"
    )
    assert load.acks, "there was no load"
    return problems(victim.database, victim.effects, load.acks) + early


async def test_killed_at_random_times(victim: Victim, kills: int) -> None:
    """SIGKILL under load, again and again: nothing acknowledged is lost, nothing counts twice."""
    random = Random(kills)
    await victim.start()
    await victim.register()
    load = Load(victim.ingress_port)
    load.start()
    for _ in range(kills):
        await asyncio.sleep(random.uniform(0.05, 0.8))
        victim.kill()
        await victim.start()
    assert await verdict(victim, load) == []
    assert load.lost_connections > kills


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_at_commits(
    victim: Victim, faults: dict[str, str], kills: int, moment: str
) -> None:
    """SIGKILL instead of, or right after, the nth sync of the log."""
    random = Random(moment)
    await victim.start()
    await victim.register()
    load = Load(victim.ingress_port)
    load.start()
    for _ in range(max(kills // 2, 2)):
        victim.kill()
        syncs = random.randint(20, 300)
        await victim.start(faults | {"TORTURE_FAULT": f"kill-{moment}:{syncs}"})
        await victim.ended()
        await victim.start()
    assert await verdict(victim, load) == []


async def test_failing_syncs_end_the_server(victim: Victim, faults: dict[str, str]) -> None:
    """When the disk no longer takes a commit the server says so and ends; nothing is lost."""
    await victim.start()
    await victim.register()
    victim.kill()
    await victim.start(faults | {"TORTURE_FAULT": "eio:100"})
    load = Load(victim.ingress_port)
    load.start()
    await victim.ended()
    assert "commit failed" in victim.log()
    await victim.start()
    assert await verdict(victim, load) == []


async def test_a_slow_disk_only_costs_time(victim: Victim, faults: dict[str, str]) -> None:
    """With 30 ms a sync everything is answered, by larger commits."""
    await victim.start(faults | {"TORTURE_FAULT": "slow:30"})
    await victim.register()
    load = Load(victim.ingress_port)
    load.start()
    await asyncio.sleep(3)
    assert await verdict(victim, load) == []
    assert load.lost_connections == 0


async def test_stopped_and_continued(victim: Victim) -> None:
    """SIGSTOP looks like a network that hangs; alarms that come due meanwhile are only late."""
    await victim.start()
    await victim.register()
    load = Load(victim.ingress_port)
    load.start()
    for _ in range(3):
        await asyncio.sleep(0.5)
        victim.signal(signal.SIGSTOP)
        await asyncio.sleep(1.0)
        victim.signal(signal.SIGCONT)
    assert await verdict(victim, load) == []


async def test_out_of_file_descriptors(victim: Victim) -> None:
    """With fewer descriptors than clients, all are served in the end."""
    await victim.start(files=64)
    await victim.register()
    load = Load(victim.ingress_port, connections=128)
    load.start()
    await asyncio.sleep(4)
    assert await verdict(victim, load) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of few megabytes, where we may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MB}m", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount a tmpfs here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def enlarge(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)


async def test_a_full_disk_ends_the_server(tmp_path: Path, small_disk: Path) -> None:
    """Without space the server ends; with space it goes on where it was, and nothing is lost."""
    victim = Victim(tmp_path, small_disk / "data")
    try:
        await victim.start_services()
        await victim.start()
        await victim.register()
        load = Load(victim.ingress_port)
        load.start()
        await victim.ended()
        assert "full" in victim.log()
        enlarge(small_disk)
        await victim.start()
        assert await verdict(victim, load) == []
    finally:
        victim.stop()

"""What the server promises is kept, whatever is done to its process.

Each test puts 64 connections of load on a real server with services on the official SDK, does harm,
lets all work end, and asks the checker. `pytest tests/torture --kills 300` kills in earnest.
"""

from __future__ import annotations

import asyncio
import signal
import time
from random import Random

import pytest

from tests.conformance.waiting import eventually
from tests.torture.load import Client, Load
from tests.torture.verdict import verdict
from tests.torture.victim import DiskFaults, Victim

pytestmark = pytest.mark.slow

KILLED = {-signal.SIGKILL, 128 + signal.SIGKILL}
FILES = 64
STOPPED_S = 1.0


async def test_killed_at_random_times(victim: Victim, kills: int) -> None:
    """SIGKILL under load, again and again: nothing acknowledged is lost, nothing counts twice.

    Each life takes up where the last one was torn off, without a word of complaint.
    """
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
    assert victim.complaints() == []


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_at_commits(
    victim: Victim, faults: DiskFaults, kills: int, moment: str
) -> None:
    """SIGKILL instead of, or right after, the nth sync of the ledger."""
    random = Random(moment)
    await victim.start()
    await victim.register()
    load = Load(victim.ingress_port)
    load.start()
    for _ in range(max(kills // 2, 2)):
        victim.kill()
        syncs = random.randint(20, 300)
        assert await victim.short_life(faults.env(f"kill-{moment}:{syncs}")) in KILLED
        await victim.start()
    assert await verdict(victim, load) == []
    assert victim.complaints() == []


async def test_stopped_and_continued(victim: Victim) -> None:
    """SIGSTOP looks like a network that hangs: who waits is answered after SIGCONT, on the
    connection that it has, and alarms that come due meanwhile are only late.
    """
    await victim.start()
    await victim.register()
    load = Load(victim.ingress_port, patience_s=60)
    load.start()
    await _stop_and_continue(victim, load)
    assert await verdict(victim, load) == []
    assert (load.lost_connections, dict(load.refusals)) == (0, {})
    assert max(load.late_ms) >= STOPPED_S * 500, "an alarm was due while the server stood still"
    assert victim.complaints() == []


async def test_stopped_for_longer_than_clients_wait(victim: Victim) -> None:
    """Clients who give up and ask again, with the same key, count once."""
    await victim.start()
    await victim.register()
    load = Load(victim.ingress_port, patience_s=STOPPED_S / 4)
    load.start()
    await _stop_and_continue(victim, load)
    victim.signal(signal.SIGCONT)
    load.be_patient()
    assert await verdict(victim, load) == []
    assert load.gave_up >= load.connections, "everybody lost patience"
    assert victim.complaints() == []


async def test_services_stopped_and_continued(victim: Victim) -> None:
    """Services that hang cost time; the server goes on, and answers others meanwhile."""
    await victim.start()
    await victim.register()
    load = Load(victim.ingress_port, patience_s=60)
    load.start()
    await load.answered(50)
    victim.signal_services(signal.SIGSTOP)
    await asyncio.sleep(STOPPED_S)
    assert await victim.metric("rtour_commands_total") > 0, "operators are answered"
    victim.signal_services(signal.SIGCONT)
    assert await verdict(victim, load) == []
    assert (load.lost_connections, dict(load.refusals)) == (0, {})
    assert victim.complaints() == []


async def test_out_of_file_descriptors(victim: Victim) -> None:
    """With fewer descriptors than clients, all are served in the end, by the same process.

    Whoever comes later finds it well: it needs no restart.
    """
    await victim.start(files=FILES)
    await victim.register()
    pid = victim.pid
    load = Load(victim.ingress_port, connections=2 * FILES)
    load.start()
    await eventually("no descriptor is left", lambda: _exhausted(victim), within_s=30)
    await load.answered(100)
    await load.finish()
    assert victim.pid == pid, "the server goes on"
    began = time.monotonic()
    late = Client(victim.ingress_port)
    status, _ = await late.post("/Counter/late/add", b'"late"', "late")
    late.close()
    assert (status, time.monotonic() - began < 5) == (200, True)
    problems = await verdict(victim, load)
    assert problems == ["doubled: late is 1, only 0 were acknowledged"], "the one above"
    assert victim.complaints() == []


async def _stop_and_continue(victim: Victim, load: Load) -> None:
    for turn in range(3):
        await load.answered(30 * (turn + 1))
        victim.signal(signal.SIGSTOP)
        await asyncio.sleep(STOPPED_S)
        victim.signal(signal.SIGCONT)


async def _exhausted(victim: Victim) -> bool:
    return victim.open_files() >= FILES - 1

"""What the server promises is kept, whatever its disk does.

As in `test_torture`: 64 connections of load, harm, all work ends, and the checker compares. A disk
that fails ends the server: it says why, exits with 1, and its next life goes on where it was.
"""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rtour.cli.diagnostics import ExitCode
from tests.torture.load import Load
from tests.torture.verdict import verdict
from tests.torture.victim import LEDGER, DiskFaults, Victim

pytestmark = pytest.mark.slow

TMPFS_MB = 3
SLOW_MS = 30
LOADED = 500  # counts: for a disk of 30 ms a sync a few seconds
FULL = ("No space left on device", "database or disk is full")  # of the system, of SQLite
ENDING = (
    "CRITICAL A commit failed, nothing after it would be durable: stopping.",
    "Nothing was acknowledged that is not stored.",
)


def ended_for(victim: Victim, *reasons: str) -> None:
    """The log tells why the server ended: once when it happened, once as the last word.

    The reason is one of those that are given.
    """
    told = victim.complaints()
    assert len(told) == 2, told
    assert all(words in told[0] for words in ENDING), told
    assert told[1].startswith("error: "), told
    assert any(reason in told[0] and reason in told[1] for reason in reasons), told


@pytest.mark.parametrize(
    ("file", "fault", "reason"),
    [
        (LEDGER, "eio:1", "Input/output error"),
        (LEDGER, "once:1", "Input/output error"),
        (LEDGER, "bad:1", "Input/output error"),
        (LEDGER, "full:1", "No space left on device"),
        ("*-wal", "bad:1", "disk I/O error"),
        ("*-wal", "full:1", "database or disk is full"),
        ("*-wal", "once:1", "Input/output error"),
        ("*rtour.db", "eio:1", "disk I/O error"),
        ("*rtour.db", "once:1", "disk I/O error"),
        ("*rtour.db", "bad:1", "disk I/O error"),
    ],
)
async def test_a_failing_disk_ends_the_server(
    victim: Victim, faults: DiskFaults, file: str, fault: str, reason: str
) -> None:
    """Whether ledger, log or database cannot be written or synced, be it only once."""
    await victim.start(faults.env(fault, file=file, now=False))
    await victim.register()
    load = Load(victim.ingress_port)
    load.start()
    await load.answered(50)
    faults.begin()
    assert await victim.ended() == ExitCode.FAILED
    ended_for(victim, reason)
    before = len(load.acks)
    await victim.start()
    await load.answered(before + 50)
    assert await verdict(victim, load) == []
    assert load.lost_connections
    assert set(load.refusals) <= {503}, "nobody was told anything else"


async def test_a_database_without_room_costs_nothing_yet(
    victim: Victim, faults: DiskFaults
) -> None:
    """While ledger and log have room the server goes on: the database is caught up with later."""
    await victim.start(faults.env("full:1", file="*rtour.db", now=False))
    await victim.register()
    load = Load(victim.ingress_port)
    load.start()
    await load.answered(50)
    faults.begin()
    await load.answered(len(load.acks) + LOADED)
    assert await verdict(victim, load) == []
    assert (load.lost_connections, dict(load.refusals)) == (0, {})


async def test_a_start_on_a_failing_disk_is_refused(victim: Victim, faults: DiskFaults) -> None:
    """What a killed server left cannot be folded in: nothing is served, and nothing harmed."""
    await victim.start()
    await victim.register()
    load = Load(victim.ingress_port)
    load.start()
    await load.answered(50)
    victim.kill()
    assert await victim.short_life(faults.env("eio:1", file="*rtour.db")) == ExitCode.FAILED
    (told,) = victim.complaints()
    assert "rtour.db cannot be used: disk I/O error. Nothing was acknowledged" in told
    await victim.start()
    assert await verdict(victim, load) == []


async def test_a_slow_disk_only_costs_time(victim: Victim, faults: DiskFaults) -> None:
    """With 30 ms a sync nobody is turned away, and commits become larger instead of waiting."""
    await victim.start(faults.env(f"slow:{SLOW_MS}"))
    await victim.register()
    load = Load(victim.ingress_port)
    load.start()
    await load.answered(LOADED)
    commands = await victim.metric("rtour_commands_total")
    commits = await victim.metric("rtour_commit_duration_seconds_count")
    assert await verdict(victim, load) == []
    assert (load.lost_connections, dict(load.refusals)) == (0, {})
    assert commands / commits > 4, f"{commands} commands in {commits} commits"
    assert victim.complaints() == []


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


@pytest.fixture
async def cramped(tmp_path: Path, small_disk: Path) -> AsyncIterator[Victim]:
    """A victim whose data is on a small disk."""
    victim = Victim(tmp_path, small_disk / "data")
    await victim.start_services()
    yield victim
    victim.stop()


def enlarge(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)


async def test_a_full_disk_ends_the_server(cramped: Victim, small_disk: Path) -> None:
    """Without space the server ends; with space it goes on where it was, and nothing is lost.

    Started while the disk is still full it ends the same way, or does not start: no harm is done.
    """
    await cramped.start()
    await cramped.register()
    load = Load(cramped.ingress_port)
    load.start()
    assert await cramped.ended() == ExitCode.FAILED
    ended_for(cramped, *FULL)
    assert await cramped.short_life() == ExitCode.FAILED
    assert any(reason in cramped.complaints()[-1] for reason in FULL)
    enlarge(small_disk)
    before = len(load.acks)
    await cramped.start()
    await load.answered(before + 50)
    assert await verdict(cramped, load) == []
    assert set(load.refusals) <= {503}, "nobody was told anything else"

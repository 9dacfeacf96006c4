"""Worlds in which everything goes wrong, and nothing is lost: `nox -s sim -- --seeds 10000`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.seeds import reports
from tests.simulation.world import simulate

FEW = range(8)
SOON = range(80)
EVENTS = (
    "the server crashes before a commit",
    "the server crashes after a commit",
    "the server crashes before StartAttempt",
    "the server crashes because a commit failed",
    "the server crashes while the log is folded in",
    "the server crashes as it is driven",
    "a connection is cut",
    "a service's process dies",
    "the clock jumps",
    "Kill: ",
    "AbortAttempt",
    "Pause: ",
    "restart: ",
    "patch: ",
    "skip 20000 ms: ClockState",
    "freeze: ClockState",
    "let go by leaps: ClockState",
    "skip back: ",
    "leap: ClockState",
    "Kafka gives",
)


@pytest.mark.parametrize("seed", FEW)
def test_a_few_worlds(seed: int) -> None:
    """Every invariant holds; in each default run of the tests."""
    report = simulate(seed)
    assert not report.violations, report.story()


@pytest.mark.slow
def test_many_worlds(seeds: range) -> None:
    """Every invariant holds in every world."""
    bad = [report for report in reports(seeds) if report.violations]
    assert not bad, "\n\n".join([f"{len(bad)} bad worlds", *(report.story() for report in bad[:3])])


def test_a_seed_makes_the_same_world_again() -> None:
    """The trace is identical, also in a process that hashes strings differently."""
    code = "from tests.simulation.world import simulate; print(simulate(3).digest)"
    other = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert simulate(3).digest == other.stdout.strip()


def test_worlds_are_eventful() -> None:
    """The faults are there: crashes, cut connections, clocks that jump or are driven."""
    missing = set(EVENTS)
    for seed in SOON:
        seen = " ".join(simulate(seed).trace)
        missing = {event for event in missing if event not in seen}
        if not missing:
            break
    assert not missing

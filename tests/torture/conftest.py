"""The option of `pytest tests/torture --kills 300`, and what the tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.torture.victim import DiskFaults, Victim, disk_faults

KILLS = 8
CUTS = 12


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=KILLS, help="how often the server is killed")
    parser.addoption("--cuts", type=int, default=CUTS, help="how many disks a power cut leaves")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills", default=KILLS))


@pytest.fixture
def cuts_wanted(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--cuts", default=CUTS))


@pytest.fixture
async def victim(tmp_path: Path) -> AsyncIterator[Victim]:
    """Services that run, and a server that does not yet."""
    victim = Victim(tmp_path)
    await victim.start_services()
    yield victim
    victim.stop()


@pytest.fixture
def faults(tmp_path: Path) -> DiskFaults:
    found = disk_faults(tmp_path)
    if found is None:
        pytest.skip("needs a C compiler and LD_PRELOAD")
    return found

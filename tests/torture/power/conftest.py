"""What tests of power cuts share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.torture.power.mounted import KINDS, Mountable, missing
from tests.torture.victim import Victim


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mountable]:
    """A place for disks, with nothing on the first one but an empty file system."""
    reason = missing(request.param)
    if reason is not None:
        pytest.skip(reason)
    place = Mountable(tmp_path, request.param)
    place.make()
    yield place
    place.close()


@pytest.fixture
async def on_disk(tmp_path: Path, place: Mountable) -> AsyncIterator[Victim]:
    """Services that run, and a server that does not yet, whose data is on the disk."""
    victim = Victim(tmp_path, place.at / "data")
    await victim.start_services()
    yield victim
    victim.stop()

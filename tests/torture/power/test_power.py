"""Power cuts at any moment of a server's life: what was acknowledged is there, and nothing twice.

One life is recorded, and then ended by many power cuts, each on a disk of its own that the kernel
mounts and a server starts on. `pytest tests/torture/power --cuts 300` cuts in earnest.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.torture.power.disk import Keep
from tests.torture.power.life import Cut, after, cuts, lived
from tests.torture.power.mounted import Mountable
from tests.torture.victim import DiskFaults, Victim

pytestmark = pytest.mark.slow

COUNTS = 300


async def test_power_cuts(on_disk: Victim, place: Mountable, cuts_wanted: int) -> None:
    """While it starts for the first time, works, makes a backup and stops."""
    life = await lived(on_disk, place, COUNTS)
    promised = unfinished = 0
    tried: Counter[str] = Counter()
    for cut in cuts(life, cuts_wanted, Random(cuts_wanted)):
        found, aftermath = await after(on_disk, place, life, cut)
        assert found == [], cut
        promised += aftermath.promised
        unfinished += aftermath.open
        tried[f"{cut.phase} {cut.keep}"] += 1
    print(
        f"{place.kind}: {cuts_wanted} disks of {life.disk.position} writes and flushes; "
        f"{promised} answers kept, {unfinished} were open; {dict(tried)}"
    )


async def test_a_disk_that_lies_is_found_out(
    on_disk: Victim, place: Mountable, faults: DiskFaults
) -> None:
    """With a ledger that is never synced answers are lost, and the checker says so."""
    life = await lived(on_disk, place, COUNTS, faults.env("lie:1"))
    answered = Random(1).choice([at for at in life.answers() if at <= life.phases["load"][1]])
    found, _ = await after(on_disk, place, life, Cut("load", answered, Keep.NOTHING, 1))
    assert any(problem.startswith(("lost: ", "doubled: ")) for problem in found), found

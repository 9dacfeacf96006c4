"""How every test of this folder ends: all work is done, then everything is compared."""

from __future__ import annotations

from tests.torture.checker import problems
from tests.torture.load import Load
from tests.torture.victim import Victim


async def verdict(victim: Victim, load: Load) -> list[str]:
    """All work ends; then what the checker says, and whether an alarm was early."""
    await load.finish()
    victim.stop()
    early = [f"{-late} ms early" for late in load.late_ms if late < 0]
    print(
        f"{len(load.acks)} acknowledged counts and {len(load.late_ms)} alarms over "
        f"{load.lost_connections} lost connections; {len(early)} early; refused: "
        f"{dict(load.refusals)}"
    )
    assert load.acks, "there was no load"
    return problems(victim.database, victim.effects, load.acks) + early

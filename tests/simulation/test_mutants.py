"""The simulator is tested: it finds every planted bug, or it is not good enough."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import SEEDS, hunt, hunts, planted, row
from tests.simulation.plant import Mutant
from tests.simulation.planted import MUTANTS

NAMES = [mutant.name for mutant in MUTANTS]
QUICK = [
    "messages to other keys wait for the next batch",
    "completions do not reach the suspended",
    "a restart forgets what ran",
    "timers fire 30 ms early",
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMES)
def test_every_plant_has_its_place(mutant: Mutant) -> None:
    """The code that a mutant replaces is still there, and compiles when replaced."""
    with planted(mutant):
        pass


@pytest.mark.parametrize("name", QUICK)
def test_plain_bugs_show_at_once(name: str) -> None:
    """In each default run of the tests, a few mutants."""
    found = hunt(MUTANTS[NAMES.index(name)], seeds=5)
    assert found.seeds is not None


@pytest.mark.slow
def test_every_planted_bug_is_found() -> None:
    """Each within SEEDS worlds; the table says after how many, and by which complaint."""
    found = list(hunts())
    print("\n".join(map(row, found)))
    missed = [one.mutant.name for one in found if one.seeds is None]
    assert not missed, f"not found in {SEEDS} worlds: {missed}"

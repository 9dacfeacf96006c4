"""The page of what survives what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.simulation.planted import MUTANTS

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "durability.md").read_text()
TESTS = "\n".join(path.read_text() for path in sorted((REPOSITORY / "tests").rglob("test_*.py")))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", PAGE))))
def test_every_test_that_the_page_names_is_there(name: str) -> None:
    """Renamed or removed, a test takes its line of the page with it."""
    assert f"def {name}(" in TESTS


@pytest.mark.parametrize("place", sorted(set(re.findall(r"`(tests/[\w/.]+)`", PAGE))))
def test_every_file_that_the_page_names_is_there(place: str) -> None:
    """Files and folders of tests."""
    assert (REPOSITORY / place).exists()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(\w+\.py)`", PAGE))))
def test_every_part_of_the_simulator_that_the_page_names_is_there(name: str) -> None:
    """Where an invariant is checked."""
    folder = REPOSITORY / "tests" / "simulation"
    assert any((place / name).exists() for place in (folder, REPOSITORY / "tests" / "torture"))


def test_every_planted_bug_is_on_the_page() -> None:
    """With the seeds that it took: `python -m tests.simulation.mutants` prints the table."""
    row = r"^\| ([^|]+?) \| (?:server|engine|storage)[\w.]* \| +\d+ \|"
    told = set(re.findall(row, PAGE, re.MULTILINE))
    assert told == {mutant.name for mutant in MUTANTS}

"""Benchmarks run by name; here only that each of them still could."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import msgspec
import pytest

from tests import benchmarks
from tests.benchmarks import report, results

# The packages beside which we are measured are installed by `nox -s bench` alone.
OURS = [found.name for found in pkgutil.iter_modules(benchmarks.__path__) if not found.ispkg]


@pytest.mark.parametrize("name", OURS)
def test_a_benchmark_loads(name: str) -> None:
    """What one of them takes from another is there."""
    assert importlib.import_module(f"tests.benchmarks.{name}").__doc__


def some_results(**cells: float) -> results.Results:
    """One setup's cells, each with one round."""
    machine = results.Machine(2, "cpu", 8.0, "6", "3.11", 100.0)
    made = results.Results("2026-01-01 00:00", "abc", machine, 1, 1.0)
    for cell, value in cells.items():
        made.note("rtour", cell, "p50_ms", value)
    return made


def test_a_run_is_added_to_an_earlier_one() -> None:
    """Its cells stand beside the others; one measured again is the later one's, failed or not."""
    earlier, later = some_results(a=1.0, b=2.0, c=5.0), some_results(b=3.0)
    later.failed["rtour"] = {"c": "refused"}
    both = results.added(earlier, later)
    assert results.difference(earlier, later) == ""
    assert {cell: both.median("rtour", cell, "p50_ms") for cell in "abc"} == {
        "a": 1.0,
        "b": 3.0,
        "c": None,
    }
    assert both.failed == {"rtour": {"c": "refused"}}


def test_a_run_of_other_rounds_is_not_added_to() -> None:
    """Medians of one round and of five are not of one kind."""
    later = msgspec.structs.replace(some_results(), rounds=5)
    assert results.difference(some_results(), later) == "it has 1 rounds of 1 s"


def test_the_report_in_the_docs_is_of_the_results_beside_it() -> None:
    """docs/benchmarks/run.md says what run.json holds."""
    folder = Path(__file__).parents[2] / "docs" / "benchmarks"
    written = (folder / "run.md").read_text()
    assert written == report.markdown(results.load(folder / "run.json")) + "\n"

"""Benchmarks run by name; here only that each of them still could."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

from tests import benchmarks
from tests.benchmarks import report, results

# The packages beside which we are measured are installed by `nox -s bench` alone.
OURS = [found.name for found in pkgutil.iter_modules(benchmarks.__path__) if not found.ispkg]


@pytest.mark.parametrize("name", OURS)
def test_a_benchmark_loads(name: str) -> None:
    """What one of them takes from another is there."""
    assert importlib.import_module(f"tests.benchmarks.{name}").__doc__


def test_the_report_in_the_docs_is_of_the_results_beside_it() -> None:
    """docs/benchmarks/run.md says what run.json holds."""
    folder = Path(__file__).parents[2] / "docs" / "benchmarks"
    written = (folder / "run.md").read_text()
    assert written == report.markdown(results.load(folder / "run.json")) + "\n"

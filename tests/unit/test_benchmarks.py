"""Benchmarks run by name; here only that each of them still could."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from tests import benchmarks

# The packages beside which we are measured are installed by `nox -s bench` alone.
OURS = [found.name for found in pkgutil.iter_modules(benchmarks.__path__) if not found.ispkg]


@pytest.mark.parametrize("name", OURS)
def test_a_benchmark_loads(name: str) -> None:
    """What one of them takes from another is there."""
    assert importlib.import_module(f"tests.benchmarks.{name}").__doc__

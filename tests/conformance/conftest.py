"""Fixtures of the conformance tests: shared sites, and the observations made on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.endpoints import Setup
from tests.conformance.observe import observe
from tests.conformance.scenarios.catalogue import Outcome
from tests.conformance.servers import Kind

Observed = Callable[[Kind, Setup], dict[str, Outcome]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record", action="store_true", help="write tests/conformance/recorded/ from the oracle"
    )


@pytest.fixture(scope="session")
def observed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    """All selected scenarios on one site, run together at the first question and then kept."""
    kept: dict[tuple[Kind, Setup], dict[str, Outcome]] = {}

    def ask(kind: Kind, setup: Setup) -> dict[str, Outcome]:
        if (kind, setup) not in kept:
            names = sorted(_selected(request.session.items, kind, setup))
            folder = tmp_path_factory.mktemp(f"{kind}-{setup}")
            kept[kind, setup] = asyncio.run(observe(kind, setup, names, folder))
        return kept[kind, setup]

    return ask


def _selected(items: list[pytest.Item], kind: Kind, setup: Setup) -> set[str]:
    """The scenarios this run asks for on that site."""
    chosen = set()
    for item in items:
        parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
        if (parameters.get("kind"), parameters.get("setup")) == (kind, setup):
            chosen.add(str(parameters["scenario"]))
    return chosen

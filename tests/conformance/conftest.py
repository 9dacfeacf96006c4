"""Fixtures of the conformance tests: shared sites, and the observations made on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.endpoints import Setup
from tests.conformance.observe import observe
from tests.conformance.scenarios.catalogue import Outcome
from tests.conformance.servers import Kind

Place = tuple[Kind, Setup]
Observed = Callable[[Kind, Setup], dict[str, Outcome]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record", action="store_true", help="write tests/conformance/recorded/ from the oracle"
    )


@pytest.fixture(scope="session")
def observed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    """All selected scenarios on all their sites, run at the first question and then kept."""
    seen: dict[Place, dict[str, Outcome] | BaseException] = {}

    def ask(kind: Kind, setup: Setup) -> dict[str, Outcome]:
        if not seen:
            wanted = _selected(request.session.items)
            seen.update(asyncio.run(_observe_all(wanted, tmp_path_factory.mktemp("sites"))))
        outcomes = seen.get((kind, setup), {})
        if isinstance(outcomes, BaseException):
            raise outcomes
        return outcomes

    return ask


def _selected(items: list[pytest.Item]) -> dict[Place, set[str]]:
    """The scenarios this run asks for, by site."""
    chosen: dict[Place, set[str]] = {}
    for item in items:
        parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
        if {"kind", "setup", "scenario"} <= set(parameters):
            place = (parameters["kind"], parameters["setup"])
            chosen.setdefault(place, set()).add(parameters["scenario"])
    return chosen


async def _observe_all(
    wanted: dict[Place, set[str]], folder: Path
) -> dict[Place, dict[str, Outcome] | BaseException]:
    """Two sites at a time: one waits on timers while the other works."""
    turn = asyncio.Semaphore(2)

    async def one(place: Place) -> dict[str, Outcome]:
        async with turn:
            kind, setup = place
            return await observe(kind, setup, sorted(wanted[place]), folder / f"{kind}-{setup}")

    results = await asyncio.gather(*[one(place) for place in wanted], return_exceptions=True)
    return dict(zip(wanted, results, strict=True))

"""The option of `nox -s sim -- --seeds 10000`."""

from __future__ import annotations

import pytest

SEEDS = 200


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seeds", type=int, default=SEEDS, help="how many worlds to simulate")
    parser.addoption("--first-seed", type=int, default=0, help="the first of them")


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds asked for; the option is unknown when pytest began in another folder."""
    first = request.config.getoption("--first-seed", default=0)
    return range(first, first + request.config.getoption("--seeds", default=SEEDS))

"""The option of `pytest tests/torture --kills 300`."""

from __future__ import annotations

import pytest

KILLS = 8


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=KILLS, help="how often the server is killed")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills", default=KILLS))

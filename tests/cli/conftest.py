"""`pytest --rewrite tests/cli`: write what the commands print into the snapshots."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.cli.fake_server import FakeServer
from tests.cli.terminal import Terminal


def pytest_addoption(parser: pytest.Parser) -> None:
    # The engine's tests have the same option; together they share it.
    with contextlib.suppress(ValueError):
        parser.addoption("--rewrite", action="store_true", help="rewrite snapshots")


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rewrite", default=False))


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def terminal(server: FakeServer, tmp_path: Path) -> Terminal:
    return Terminal(server, tmp_path)

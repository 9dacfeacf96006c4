"""`pytest --rewrite tests/cli`: write what the commands print into the snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.fake_server import FakeServer
from tests.cli.terminal import Terminal


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def terminal(server: FakeServer, tmp_path: Path) -> Terminal:
    return Terminal(server, tmp_path)

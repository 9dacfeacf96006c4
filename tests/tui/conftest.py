"""A fake server, and a seat at the UI on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.fake_server import FakeServer
from tests.cli.terminal import Terminal
from tests.tui.seat import Seat, opened


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
async def seat(server: FakeServer, tmp_path: Path) -> AsyncIterator[Seat]:
    async with opened(server, tmp_path) as seat:
        yield seat


@pytest.fixture
def terminal(server: FakeServer, tmp_path: Path) -> Terminal:
    return Terminal(server, tmp_path)

"""The storage that SQL tests look into."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .sql import Stored


@pytest.fixture
async def stored(tmp_path: Path) -> AsyncIterator[Stored]:
    stored = Stored(tmp_path / "data")
    yield stored
    stored.sql.close()
    stored.storage.close()

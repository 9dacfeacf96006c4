"""Rooms with one deployment registered."""

from __future__ import annotations

import pytest

from tests.server.rooms import Rooms


@pytest.fixture
async def rooms() -> Rooms:
    """Front rooms over a scripted processor, with one deployment registered."""
    return await Rooms().registered()

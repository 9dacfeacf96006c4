"""Fixtures of the SDK's tests."""

from __future__ import annotations

import asyncio

import pytest_asyncio
from pytest import FixtureRequest  # noqa: PT013 - a type

from rtour.sdk.watching import watch


@pytest_asyncio.fixture(params=[False, True], ids=["any-loop", "own-loop"])
async def either_loop(request: FixtureRequest) -> None:
    """Run on a loop that tells of tasks, as the built-in server's, and on one that does not."""
    if request.param:
        watch(asyncio.get_running_loop())

"""A server whose clock can be driven: the UI goes by it, says so loudly, and drives it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from textual.widgets import Input

import rtour
from rtour.client import Client, Connection, Target
from rtour.sdk.testing import create_test_harness
from rtour.tui.app import RtourApp
from rtour.tui.view import View
from rtour.tui.workspace import Workspace
from tests.cli.fake_server import FakeServer
from tests.tui.seat import Seat, opened, seated

carts = rtour.Service("Carts")


@carts.handler("expire")
async def expire(ctx: rtour.Context) -> str:
    """Waits for fifteen minutes."""
    await ctx.sleep(timedelta(minutes=15))
    return "expired"


@pytest.fixture
async def seat(tmp_path: Path) -> AsyncIterator[Seat]:
    async with create_test_harness(rtour.app([carts])) as env:
        connection = Connection(admin_url=env.admin_api_url, ingress_url=env.ingress_url)
        workspace = Workspace(Client(connection), refresh_s=None, folder=tmp_path)
        async with seated(workspace) as seat:
            await workspace.client.ingress.send(Target("Carts", "expire"), None, headers={})
            while (await workspace.client.time.show()).next is None:
                await seat.press("r")
            yield seat


async def command(seat: Seat, name: str) -> str:
    """Runs a command of the palette, found by its name."""
    screen = seat.app.screen
    found = {each.title: each for each in seat.app.get_system_commands(screen)}
    found[name].callback()
    await seat.settle()
    return seat.text


async def test_a_clock_that_was_not_driven_is_like_any_other(seat: Seat) -> None:
    """Nothing is said until it is driven."""
    assert "CLOCK" not in seat.text


async def test_skipping_ends_the_sleep_and_is_announced(seat: Seat) -> None:
    """Fifteen minutes by the palette: the sleep is over, ages follow, the first line says it."""
    assert "by how long?" in await command(seat, "Clock: skip")
    assert isinstance(seat.app.focused, Input)
    await seat.press("enter")
    assert "15m ahead of the server's machine" in seat.posted(View.Done)[0].text
    assert "1 timer" in seat.posted(View.Done)[0].text
    text = await seat.until("✓ succeeded", "15m")
    assert "CLOCK +15m" in text.splitlines()[0]
    for place in "35":
        assert "CLOCK +15m" in (await seat.press("escape", place, "r")).splitlines()[0]


async def test_what_is_waited_for_is_shown_before_a_skip_to_it(seat: Seat) -> None:
    """Skipping to the next event names it and asks; no leaves the clock alone."""
    text = await command(seat, "Clock: skip to next")
    assert "sleep of inv_" in text
    assert "rtour time skip --to-next" in text
    await seat.press("enter")
    assert not seat.posted(View.Done)
    await command(seat, "Clock: skip to next")
    await seat.press("y")
    await seat.until("✓ succeeded")


async def test_a_stopped_clock_is_announced(seat: Seat) -> None:
    """Frozen and leaping clocks are named, and resuming ends the announcement."""
    await command(seat, "Clock: freeze")
    assert "STOPPED" in (await seat.press("r")).splitlines()[0]
    await command(seat, "Clock: auto")
    assert "LEAPING" in (await seat.press("r")).splitlines()[0]
    await command(seat, "Clock: resume")
    assert "LEAPING" not in (await seat.press("r")).splitlines()[0]


async def test_other_servers_have_no_such_commands(server: FakeServer, tmp_path: Path) -> None:
    """Where the clock cannot be driven, nothing offers to."""
    async with opened(server, tmp_path) as seat:
        app: RtourApp = seat.app
        titles = [each.title for each in app.get_system_commands(app.screen)]
    assert titles
    assert not [title for title in titles if title.startswith("Clock")]

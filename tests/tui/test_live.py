"""Views read again by themselves, and find back to a server that was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from textual.widgets import Input

from rtour.client import Client, Connection
from rtour.tui.workspace import Workspace
from tests.cli.fake_server import INGRESS, FakeServer
from tests.conformance.servers import Server
from tests.tui.seat import LOCAL, LONGEST_S, Seat, seated

SOON_S = 0.001


@pytest.fixture
async def live(server: FakeServer, tmp_path: Path) -> AsyncIterator[Seat]:
    """A seat whose views read without being asked."""
    connection = Connection(admin_url=LOCAL, ingress_url=INGRESS)
    client = Client(connection, transport=server.transport())
    workspace = Workspace(client, now=lambda: server.now, refresh_s=SOON_S, folder=tmp_path)
    async with seated(workspace) as seat:
        yield seat


async def seen(seat: Seat, word: str) -> None:
    """Waits, without a key, until a word is on screen."""
    await until(seat, lambda: word in seat.text)


async def told(seat: Seat, word: str) -> None:
    """Waits, without a key, until it is notified: a note goes away by itself, so at once."""
    await until(seat, lambda: word in seat.toasts)


async def until(seat: Seat, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONGEST_S):
        while not holds():
            await seat.pilot.pause()


async def test_a_list_follows_the_server(server: FakeServer, live: Seat) -> None:
    """What changes on the server appears without a key."""
    server.db.execute("UPDATE sys_invocation SET target = 'Fresh/one' WHERE status = 'running'")
    await seen(live, "Fresh/one")


async def test_a_server_that_was_away_is_found_again(server: FakeServer, live: Seat) -> None:
    """The first line says that it is away, and later that it is back, without a key."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    server.overrides["POST", "/query"] = refuse
    await seen(live, "✗ cannot reach the admin")
    assert "Greeter/grind" in live.text
    server.overrides.clear()
    await told(live, "the server is back")
    await seen(live, "1 inv")


async def test_a_place_one_has_left_stops_reading(server: FakeServer, live: Seat) -> None:
    """Only what is on screen is read: the list rests while one looks at the services."""
    await live.press("2")
    await seen(live, "CartObject")
    server.requests.clear()
    await until(live, lambda: len(server.sent("GET", "/services")) >= 3)
    assert not [each for each in server.requests if each.url.path == "/query"]


async def test_one_reading_at_a_time(server: FakeServer, tmp_path: Path) -> None:
    """Of what is wanted while a reading is under way only the last is read; nothing is given up."""
    free = asyncio.Event()
    free.set()
    straight = server.transport().handler

    async def gate(request: httpx.Request) -> httpx.Response:
        answer = straight(request)
        assert isinstance(answer, httpx.Response)
        await free.wait()
        return answer

    connection = Connection(admin_url=LOCAL, ingress_url=INGRESS)
    client = Client(connection, transport=httpx.MockTransport(gate))
    workspace = Workspace(client, now=lambda: server.now, refresh_s=None, folder=tmp_path)
    async with seated(workspace) as seat:
        await seat.press("slash")
        server.requests.clear()
        free.clear()
        for text in ("n", "na", "nap"):
            seat.app.screen.query_one(Input).value = text
            await seat.pilot.pause()
        free.set()
        await seat.settle()
        assert "Greeter/nap" in seat.text
    lists = [each.content.decode() for each in server.requests if b"LIMIT" in each.content]
    assert len(lists) == 2
    assert "%n%" in lists[0]
    assert "%nap%" in lists[1]


async def test_a_server_that_is_killed_and_started_again(tmp_path: Path) -> None:
    """A real one: the list stays, the first line says what is wrong, then all is as before."""
    started = Server("rtour", tmp_path / "server")
    await started.start()
    try:
        connection = Connection(admin_url=started.admin_url, ingress_url=started.ingress_url)
        workspace = Workspace(Client(connection), refresh_s=0.05, folder=tmp_path)
        async with seated(workspace) as seat:
            await seen(seat, "none yet")
            started.kill()
            await seen(seat, "✗ cannot reach the admin")
            assert "none yet" in seat.text
            await started.start()
            await told(seat, "the server is back")
            await seen(seat, "1 inv")
    finally:
        started.stop()

"""The UI in a browser: who may talk to it, and what runs behind a page."""

from __future__ import annotations

import sys

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from rtour.tui import web as tui_web
from rtour.tui.web import WebServer, only_own_page
from tests.cli.terminal import Terminal

URL = "http://127.0.0.1:8000"


async def page(_: web.Request) -> web.Response:
    return web.Response(text="the page")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:8000"}, 200),
        ({"Host": "127.0.0.1:8000", "Origin": URL}, 200),
        ({"Host": "127.0.0.1:8000", "Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
    ],
)
async def test_only_our_own_page_is_answered(headers: dict[str, str], status: int) -> None:
    """Another site's page, or a name that was made to point here, gets nothing."""
    app = web.Application(middlewares=[only_own_page(URL)])
    app.router.add_get("/", page)
    async with TestClient(TestServer(app)) as client:
        answer = await client.get("/", headers=headers)
        assert answer.status == status
        if status == 200:
            assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_the_server_has_the_guard() -> None:
    """What is served is textual-serve's app behind the guard, on loopback."""
    server = WebServer("rtour ui", 8000)
    app = await server._make_app()
    assert server.public_url == URL
    assert len(app.middlewares) == 1


def test_a_page_runs_the_ui_on_the_same_server(
    monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    """`rtour ui --web` serves this very command, with the addresses it was given."""
    served: list[tuple[str, int]] = []
    monkeypatch.setattr(tui_web, "serve", lambda command, port: served.append((command, port)))
    terminal.run("ui", "--web", "--port", "8123")
    command, port = served[0]
    assert port == 8123
    assert command.startswith(f"{sys.executable} -m rtour ui --admin-url http://admin.test")

"""The same UI in a browser: textual-serve on loopback, one process of the UI per page.

A page of another site can open a web socket to loopback, and behind this one is a UI that kills
invocations. So only requests that come from our own page, by our own name, are answered.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware
from textual_serve.server import Server

HOST = "127.0.0.1"
# textual-serve's page asks Google for a font that it has itself, and waits for a click before it
# takes keys.
ELSEWHERE = re.compile(r'<link[^>]*"https:[^>]*>')
ADDED = """
<link rel="icon" href="data:,">
<style>
  @font-face {
    font-family: "Roboto Mono";
    src: url("/static/fonts/RobotoMono-VariableFont_wght.ttf");
  }
</style>
<script>
  new MutationObserver((changes, watcher) => {
    const keyboard = document.querySelector(".xterm-helper-textarea");
    if (keyboard) { keyboard.focus(); watcher.disconnect(); }
  }).observe(document, { childList: true, subtree: true });
</script>
</head>"""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebServer(Server):
    """Serves a command that runs the UI."""

    def __init__(self, command: str, port: int) -> None:
        super().__init__(command, host=HOST, port=port, title="rtour")

    def initialize_logging(self) -> None:
        """A line per request is nobody's need."""
        logging.basicConfig(level="WARNING")

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(only_own_page(self.public_url))
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Says where it is; stdout is for data."""
        del app
        sys.stderr.write(f"the UI is at {self.public_url} until ctrl-C\n")
        sys.stderr.flush()


def only_own_page(url: str) -> Middleware:
    """Refuses requests with the origin or the host of somebody else."""
    host = url.partition("//")[2]
    policy = (
        f"default-src 'self' data:; connect-src 'self' ws://{host};"
        " style-src 'self' 'unsafe-inline';"
        " script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'"
    )

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Origin", url) != url or request.host != host:
            raise web.HTTPForbidden(text=f"only for {url}")
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = policy
        if isinstance(response, web.Response) and response.content_type == "text/html":
            response.text = at_home(response.text or "")
        return response

    return check


def at_home(page: str) -> str:
    """The page with nothing from elsewhere, and with the keyboard in it from the start."""
    return ELSEWHERE.sub("", page).replace("</head>", ADDED, 1)


def serve(command: str, port: int) -> None:
    """Serves until ctrl-C."""
    WebServer(command, port).serve()

"""A real server for tests, in this process: no Docker, nothing on disk, gone at the end.

    async with rtour.create_test_harness(app) as env:
        assert await env.client.service_call(greet, "Ada") == "Hello Ada"

Services are served by the built-in server on a free port and registered with an ephemeral rtour
server beside them. With `always_replay`, every wait ends its attempt, so that each handler is
replayed from its journal again and again: what is not deterministic shows.

Nobody waits for a sleep: `await env.skip(timedelta(days=3))` is three days later, and with
`auto_skip` every sleep, delay and retry is over as soon as nothing else is left to do.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from rtour.sdk.endpoint import Endpoint
from rtour.sdk.ingress import Client, create_client
from rtour.sdk.serving import Listener

if TYPE_CHECKING:
    import httpx

SKIP_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.01
_NO_GRACE_S = 0.0


@dataclass(frozen=True)
class HarnessEnvironment:
    """A server that runs the app under test."""

    ingress_url: str
    admin_api_url: str
    client: Client
    """Calls handlers as the app's clients would."""

    async def state_of(self, service: str, key: str) -> dict[str, Any]:
        """What a virtual object or workflow remembers; JSON decoded, other bytes as they are."""
        query = (  # the query API takes no parameters, and only reads
            "SELECT key, value FROM state "  # noqa: S608
            f"WHERE service_name = {_literal(service)} AND service_key = {_literal(key)}"
        )
        async with _http(self.admin_api_url) as http:
            answer = await http.post(
                "/query", json={"query": query}, headers={"accept": "application/json"}
            )
        answer.raise_for_status()
        return {row["key"]: _decoded(row["value"]) for row in answer.json()["rows"]}

    async def skip(self, by: timedelta | None = None) -> None:
        """Move the server's clock on; without `by`, to what is waited for next.

        What has begun to wait, and is due by then, goes on at once: sleeps, delayed sends, retries.
        Without `by`, an invocation that has not come so far yet is given SKIP_WITHIN_S to do so;
        then a RuntimeError says that nothing waits.
        """
        ms = None if by is None else by // timedelta(milliseconds=1)
        ask = {"to": "next"} if ms is None else {"by": f"{ms}ms"}
        deadline = asyncio.get_running_loop().time() + SKIP_WITHIN_S
        async with _http(self.admin_api_url) as http:
            while True:
                answer = await http.post("/rtour/time", json={"action": "skip", **ask})
                early = answer.status_code == HTTPStatus.CONFLICT and ms is None
                if not early or asyncio.get_running_loop().time() > deadline:
                    break
                await asyncio.sleep(_LOOK_EVERY_S)
        if answer.is_error:
            raise RuntimeError(answer.json()["message"])


@asynccontextmanager
async def create_test_harness(
    app: Any,
    follow_logs: bool = False,
    restate_image: str | None = None,
    always_replay: bool = False,
    disable_retries: bool = False,
    auto_skip: bool = False,
) -> AsyncIterator[HarnessEnvironment]:
    """Serve `app` to a server of its own, for as long as the block lasts.

    `disable_retries`: a failed attempt fails its invocation at once. `auto_skip`: whenever all work
    waits for a time, that time is now. `follow_logs` and `restate_image` are those of the official
    harness, which runs in Docker; they change nothing here.
    """
    del follow_logs, restate_image
    if find_spec("rtour.server") is None or find_spec("sqlite_utils") is None:
        raise ImportError("The test harness needs the server: pip install 'rtour[server]'")
    listening = _listening()
    listener = Listener(app if isinstance(app, Endpoint) else app.endpoint)
    await listener.start(listening)
    try:
        async with _server(always_replay, disable_retries) as server:
            host, port = listening.getsockname()[:2]
            await _register(server.admin_url, f"http://{host}:{port}")
            if auto_skip:
                await server.time.resume(auto=True)
            async with create_client(server.ingress_url) as client:
                yield HarnessEnvironment(server.ingress_url, server.admin_url, client)
    finally:
        await listener.stop(_NO_GRACE_S)


def _server(always_replay: bool, disable_retries: bool) -> Any:
    """The embedded server; imported by name, since services install without it."""
    settings: dict[str, Any] = {"ephemeral": True, "ingress_port": 0, "admin_port": 0}
    settings |= {"pg_port": None, "shutdown_timeout_ms": 0, "dev_clock": True}
    if always_replay:
        settings["inactivity_timeout_ms"] = 0
    if disable_retries:
        settings |= {"retry_max_attempts": 1, "retry_on_max_attempts": "kill"}
    main = import_module("rtour.server.main")
    return main.Server(import_module("rtour.server.settings").Settings(**settings))


def _listening() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.setblocking(False)
    return listening


async def _register(admin_url: str, uri: str) -> None:
    async with _http(admin_url) as http:
        answer = await http.post("/deployments", json={"uri": uri})
    if answer.is_error:
        raise RuntimeError(f"The server refused the app: {answer.text}")


def _http(url: str) -> httpx.AsyncClient:
    import httpx  # noqa: PLC0415 - optional

    return httpx.AsyncClient(base_url=url, timeout=30)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _decoded(value: Any) -> Any:
    """The query API shows bytes as hexadecimal digits."""
    raw = bytes.fromhex(value) if isinstance(value, str) else bytes(value or ())
    try:
        return json.loads(raw)
    except ValueError:
        return raw

"""The bundled examples, on a server of their own, through their users' door."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rtour.client import JSON, Client, Connection, InvocationFailed, Target
from rtour.server.main import Server
from rtour.server.settings import Settings
from tests.conformance.processes import free_port
from tests.tour.conftest import TOUR

EXAMPLES = TOUR / "examples"
SETTINGS = Settings(ephemeral=True, ingress_port=0, admin_port=0, pg_port=None)


class User:
    """Calls handlers with JSON."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, path: str, body: Any = None) -> Any:
        reply = await self.client.ingress.call(_target(path), _json(body), headers=_headers(body))
        return json.loads(reply.body) if reply.body else None

    async def send(self, path: str, body: Any = None) -> str:
        sent = await self.client.ingress.send(_target(path), _json(body), headers=_headers(body))
        return sent.invocation_id

    async def until(self, path: str, expected: Any) -> None:
        async with asyncio.timeout(10):
            while await self.call(path) != expected:
                await asyncio.sleep(0)


def _target(path: str) -> Target:
    service, *key, handler = path.split("/")
    return Target(service, handler, key[0] if key else None)


def _json(body: Any) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


def _headers(body: Any) -> dict[str, str]:
    return {} if body is None else JSON


@pytest.fixture(params=["rtour", pytest.param("restate", marks=pytest.mark.slow)])
async def user(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[User]:
    """A user of the example that the test names, served by ours or by the official SDK."""
    example = request.function.__name__.removeprefix("test_").split("__")[0]
    async with Server(SETTINGS) as server:
        connection = Connection(admin_url=server.admin_url, ingress_url=server.ingress_url)
        async with Client(connection) as client:
            port = free_port()
            folder = shutil.copytree(EXAMPLES / example, tmp_path / example)
            words = serving(request.param, folder, "app:app", port)
            with served(words, folder, os.environ):
                await answering(port)
                await client.admin.register({"uri": f"http://127.0.0.1:{port}"})
                yield User(client)


def serving(sdk: str, folder: Path, app: str, port: int) -> list[str]:
    """The command that serves an app; for the official SDK only the imports are changed."""
    if sdk == "rtour":
        return [sys.executable, "-m", "rtour", "serve", app, "--port", str(port)]
    for file in folder.rglob("*.py"):
        file.write_text(re.sub(r"\brtour\b", "restate", file.read_text()))
    return [sys.executable, "-m", "hypercorn", app, "-w", "0", "-b", f"127.0.0.1:{port}"]


@contextmanager
def served(words: list[str], folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    """A process that serves, for a while."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, cwd=folder, env=env, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def answering(port: int) -> None:
    """Returns when somebody listens on the port."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


async def test_saga__books_all_or_nothing(user: User) -> None:
    """A trip that can be had is booked; of one that cannot, nothing stays booked."""
    trip = {"traveller": "Ada", "city": "Turin", "nights": 3}
    assert await user.call("Trips/book", trip) == "3 nights in Turin"
    assert await user.call("Ledger/Ada/items") == ["flight", "hotel", "guide"]
    with pytest.raises(InvocationFailed, match="nobody guides in Atlantis"):
        await user.call("Trips/book", {**trip, "traveller": "Bob", "city": "Atlantis"})
    assert await user.call("Ledger/Bob/items") == []


async def test_fan_out__adds_up_all_parts(user: User) -> None:
    """Every text is counted, and the counts are added."""
    texts = ["to be or not to be", "to each"]
    counts = {"be": 2, "each": 1, "not": 1, "or": 1, "to": 3}
    assert await user.call("Report/count", texts) == counts
    assert await user.call("Report/count", []) == {}


async def test_approval__waits_for_a_human(user: User) -> None:
    """Small expenses pass at once; others wait until somebody decides, and the first one counts."""
    assert await user.call("ExpenseApproval/small/run", {"who": "Ada", "dollars": 9}) == (
        "approved without asking"
    )
    await user.send("ExpenseApproval/big/run", {"who": "Ada", "dollars": 120})
    await user.until("ExpenseApproval/big/status", "waiting for a decision")
    await user.call("ExpenseApproval/big/decide", body=False)
    await user.until("ExpenseApproval/big/status", "refused")


async def test_webhook__counts_each_event_once(user: User) -> None:
    """A repeated event is booked once; another one is booked as well."""
    event = {"id": "ev1", "account": "ada", "cents": 500}
    for each in (event, event, {**event, "id": "ev2"}):
        await user.call("Webhook/receive", each)
    await user.until("Account/ada/balance", 1000)
    with pytest.raises(InvocationFailed, match="an event has an id"):
        await user.call("Webhook/receive", {"id": "", "account": "ada", "cents": 1})


async def test_cron__runs_until_it_is_stopped(user: User) -> None:
    """Each run schedules the next; after `stop` the one that is scheduled does nothing."""
    job = {"every_s": 0.05, "service": "Reports", "handler": "write"}
    await user.call("Cron/report/start", job)
    async with asyncio.timeout(10):
        while (await user.call("Cron/report/status"))["runs"] < 3:
            await asyncio.sleep(0)
    await user.call("Cron/report/stop")
    stopped = await user.call("Cron/report/status")
    assert stopped["active"] is False
    async with asyncio.timeout(10):
        while await user.client.query.count("sys_invocation", ["status = 'scheduled'"]):
            await asyncio.sleep(0)
    assert await user.call("Cron/report/status") == stopped

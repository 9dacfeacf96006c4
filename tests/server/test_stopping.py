"""How a server stops: what runs comes to an end, and whoever waits longer is told."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest

from rtour.protocol.discovery import Manifest
from rtour.protocol.messages import End, Output, Sleep, Value
from rtour.server.catalog import Deployment, ServiceRevision
from rtour.server.main import Server
from rtour.server.process import SAME_SIGNAL_S
from rtour.server.settings import Settings
from tests.server.rooms import MANIFEST
from tests.server.scripted import ScriptedExchange, ScriptedTransport

JSON = {"content-type": "application/json"}


def deployment() -> Deployment:
    manifest = msgspec.convert(MANIFEST, Manifest)
    assert manifest.protocol_mode is not None
    return Deployment(
        id="dp_1",
        uri="http://service",
        http_version="HTTP/2.0",
        created_at=0,
        protocol_mode=manifest.protocol_mode,
        min_protocol_version=5,
        max_protocol_version=6,
        services=tuple(ServiceRevision(revision=1, manifest=each) for each in manifest.services),
    )


@asynccontextmanager
async def served(grace_ms: int) -> AsyncIterator[tuple[Server, ScriptedTransport]]:
    """A server whose deployment the test plays. The test stops it; so does the end."""
    transport = ScriptedTransport()
    settings = Settings(
        ephemeral=True,
        ingress_port=0,
        admin_port=0,
        pg_port=None,
        shutdown_timeout_ms=grace_ms,
    )
    async with Server(settings, transport=transport) as server:
        server.registry.put(deployment())
        yield server, transport


async def call(server: Server) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as client:
        url = f"{server.ingress_url}/Greeter/greet"
        return await client.post(url, content=b'"x"', headers=JSON)


async def test_a_call_under_way_is_answered_before_the_server_stops() -> None:
    """Its timers still fire, its service still answers, then everything closes."""
    loop = asyncio.get_running_loop()
    async with served(grace_ms=10_000) as (server, transport):
        calling = loop.create_task(call(server))
        attempt = await transport.attempt()
        attempt.say(Sleep(0, 1))
        for _ in range(2):  # Start and Input
            await attempt.hear()
        serving = loop.create_task(play_the_rest(attempt))
    answer = await calling
    assert (answer.status_code, answer.content) == (200, b'"ok"')
    await serving


async def play_the_rest(attempt: ScriptedExchange) -> None:
    await attempt.hear()  # the sleep is over
    attempt.say(Output(Value(b'"ok"')), End())


async def test_who_waits_too_long_is_told_that_the_server_stops() -> None:
    """503 in the usual shape, as for anything that a client may try again."""
    loop = asyncio.get_running_loop()
    async with served(grace_ms=20) as (server, transport):
        calling = loop.create_task(call(server))
        await transport.attempt()
    answer = await calling
    assert answer.status_code == 503
    assert "stopping" in answer.json()["message"]
    assert answer.headers["x-restate-error-source"] == "ingress"


@pytest.mark.parametrize("grace_ms", [0, 20])
async def test_nothing_happens_after_a_stop(
    grace_ms: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An attempt that reports to the end leaves nothing behind that would run later."""
    loop = asyncio.get_running_loop()
    async with served(grace_ms) as (server, transport):
        calling = loop.create_task(call(server))
        attempt = await transport.attempt()
        attempt.say(Sleep(0, 1))
    attempt.say(Sleep(0, 2))
    await asyncio.gather(calling, return_exceptions=True)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if task.get_name().startswith(("attempt", "cleaner"))]


PATIENT = """
import asyncio
from rtour.server import main, process, settings

async def never(*_):
    print("stopping", flush=True)
    await asyncio.Event().wait()

main.Server.__aexit__ = never
loaded = settings.Settings(ephemeral=True, ingress_port=0, admin_port=0, pg_port=None)
process.run(loaded, lambda _: print("ready", flush=True))
"""


async def test_signals_stop_the_server_and_a_later_one_ends_it() -> None:
    """A signal that comes twice at once counts once; who asks again later is obeyed at once."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PATIENT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"ready\n"
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)
            assert await process.stdout.readline() == b"stopping\n"
            ended = asyncio.get_running_loop().create_task(process.wait())
            while not (await asyncio.wait([ended], timeout=SAME_SIGNAL_S / 4))[0]:
                process.send_signal(signal.SIGTERM)
            assert ended.result() == -signal.SIGTERM
    finally:
        if process.returncode is None:
            process.kill()

"""The official server's variables mean the same to both servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.endpoints import Endpoint, Outside
from tests.conformance.program import op, ref
from tests.conformance.servers import Kind, Server
from tests.conformance.sites import kinds
from tests.conformance.world import Site, World

SETTINGS = {
    "RESTATE_DEFAULT_RETRY_POLICY__INITIAL_INTERVAL": "10ms",
    "RESTATE_DEFAULT_RETRY_POLICY__MAX_INTERVAL": "20ms",
    "RESTATE_DEFAULT_RETRY_POLICY__MAX_ATTEMPTS": "4",
    "RESTATE_DEFAULT_RETRY_POLICY__ON_MAX_ATTEMPTS": "kill",
    "RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT": "0s",
    "RESTATE_WORKER__CLEANUP_INTERVAL": "1s",
    "RESTATE_DEFAULT_JOURNAL_RETENTION": "2h",
}


@pytest.fixture(params=kinds())
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A site whose server was told all of this by its environment."""
    kind: Kind = request.param
    server = Server(kind, tmp_path / "server", env={})
    endpoint = Endpoint("python", Outside(tmp_path / "outside"))
    try:
        await server.start(SETTINGS)
        await endpoint.start()
        deployment_id = await server.register(**endpoint.registration)
        async with httpx.AsyncClient(timeout=30) as client:
            yield World(Site(server, endpoint, deployment_id), client)
    finally:
        endpoint.stop()
        server.stop()


async def test_the_environment_configures(world: World) -> None:
    """Retry policy, timeouts and retention are shown, and they hold."""
    shown = (await world.admin("GET", "/services/Svc")).json()
    assert shown["retry_policy"] == {
        "initial_interval": "10ms",
        "exponentiation_factor": 2.0,
        "max_attempts": 4,
        "max_interval": "20ms",
        "on_max_attempts": "Kill",
    }
    assert (shown["inactivity_timeout"], shown["journal_retention"]) == ("0s", "2h")
    tag = world.key("t")
    answer = await world.ingress("POST", "/Svc/run", [op("throw", message="no", tag=tag)])
    assert (answer.status_code, len(world.outside.effects(tag))) == (500, 4)


async def test_every_wait_suspends(world: World) -> None:
    """Without patience the server suspends at each wait, and replays at each step."""
    tag, attempts = world.key("id"), world.key("attempts")
    invocation_id = await world.send(
        "Svc/run",
        op("effect", tag=attempts),
        op("run", name="r", tag=world.key("r"), v=1),
        op("sleep", ms=1),
        op("awakeable", tag=tag, into="a"),
        op("await", of=ref("a")),
    )
    await world.outside.effect(tag)
    await world.until(invocation_id, "suspended")
    awakeable = world.outside.effects(tag)[0]
    await world.ingress("POST", f"/restate/awakeables/{awakeable}/resolve", "awake")
    await world.until(invocation_id, "completed")
    assert len(world.outside.effects(world.key("r"))) == 1
    assert len(world.outside.effects(attempts)) >= 3

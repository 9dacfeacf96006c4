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


CLUSTERS = '[{name="one",brokers=["127.0.0.1:1"],"sasl.password"="x"},{name=two,brokers=[a:1,b:2]}]'


@pytest.mark.parametrize("kind", kinds())
async def test_kafka_clusters_of_the_environment(kind: Kind, tmp_path: Path) -> None:
    """They are shown alike, and the admin API refuses to change them in the same words."""
    server = Server(kind, tmp_path / "server", env={})
    await server.start({"RESTATE_INGRESS__KAFKA_CLUSTERS": CLUSTERS})
    try:
        async with httpx.AsyncClient(base_url=server.admin_url, timeout=30) as admin:
            shown = (await admin.get("/kafka-clusters")).json()["clusters"]
            body = {"name": "one", "properties": {"bootstrap.servers": "x"}}
            again = await admin.post("/kafka-clusters", json=body)
            changed = await admin.patch("/kafka-clusters/two", json=body)
    finally:
        server.stop()
    told = [(one["name"], one["properties"], one["created_at"]) for one in shown]
    hidden = {"metadata.broker.list": "127.0.0.1:1", "sasl.password": "***"}
    assert told == [
        ("one", hidden, "1970-01-01T00:00:00Z"),
        ("two", {"metadata.broker.list": "a:1,b:2"}, "1970-01-01T00:00:00Z"),
    ]
    assert {one["info"][0]["message"][:34] for one in shown} == {
        "This Kafka cluster was configured "
    }
    assert (again.status_code, changed.status_code) == (409, 409)
    assert again.json()["message"].startswith("kafka cluster 'one' conflicts with static")
    assert "it was defined in the restate configuration file" in changed.json()["message"]

"""Deployments come, change and go (http-api.md B5); what is stored brings them back."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from rtour.engine.model import DocumentKind, HandlerType, ServiceType
from rtour.errors import ManifestError
from rtour.server.catalog import Changes, ServiceDefaults
from rtour.server.discoverer import Discovered
from rtour.server.registration import (
    DeploymentUpdate,
    NewDeployment,
    Registration,
    RegistrationError,
)
from rtour.server.registry import Registry
from rtour.server.retries import RetryPolicy
from rtour.server.transport import Endpoint
from tests.server.rooms import MANIFEST, NOW, URI, FakeDiscoverer, Rooms, manifest

OTHER = "http://127.0.0.1:9081/"


def only(*names: str) -> Any:
    services = [one for one in MANIFEST["services"] if one["name"] in names]  # type: ignore[attr-defined]
    return manifest(services=services)


async def test_new(rooms: Rooms) -> None:
    """A new address gives a new deployment, its services at revision 1."""
    deployment = rooms.registry.at_address(URI)
    assert deployment is not None
    assert deployment.id.startswith("dp_1")
    assert len(deployment.id) == 26
    assert {service.revision for service in deployment.services} == {1}
    assert deployment.created_at == NOW
    assert rooms.registry.service_names() == ["Counter", "Flow", "Greeter", "Secret"]


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9080", "https://127.0.0.1:9080/"])
async def test_known_address_is_not_asked_again(rooms: Rooms, uri: str) -> None:
    """The same address, whatever its scheme and last slash, is the same deployment."""
    asked = len(rooms.discoverer.asked)
    deployment, created = await rooms.registration.register(NewDeployment(uri=uri))
    assert not created
    assert deployment is rooms.registry.at_address(URI)
    assert len(rooms.discoverer.asked) == asked


async def test_force(rooms: Rooms) -> None:
    """Force asks again: same id, next revisions, dropped services gone, edits forgotten."""
    before = rooms.registry.at_address(URI)
    await rooms.registration.change_service("Greeter", Changes(public=False))
    rooms.discoverer.found[URI] = only("Greeter")
    rooms.clock.now += 1000
    after, created = await rooms.registration.register(NewDeployment(uri=URI, force=True))
    assert not created
    assert before is not None
    assert after.id == before.id
    assert after.created_at == NOW + 1000
    assert rooms.registry.service_names() == ["Greeter"]
    meta = rooms.registry.service("Greeter")
    assert meta is not None
    assert (meta.revision, meta.public) == (2, True)


async def test_latest_revision_wins_and_falls_back(rooms: Rooms) -> None:
    """New calls go to the newest deployment; when it is removed, to the one before."""
    first = rooms.registry.latest_deployment("Greeter")
    second, created = await rooms.registration.register(NewDeployment(uri=OTHER))
    assert created
    assert rooms.registry.latest_deployment("Greeter") is second
    assert first is not None
    assert rooms.registry.handler_on(first.id, "Greeter", "greet") is not None
    await rooms.registration.remove(second.id)
    latest = rooms.registry.latest_deployment("Greeter")
    assert latest is not None
    assert latest.id == first.id
    assert rooms.registry.handler_on(second.id, "Greeter", "greet") is None
    await rooms.registration.remove(first.id)
    assert rooms.registry.service_names() == []
    assert rooms.processor.documents == {}
    with pytest.raises(RegistrationError) as caught:
        await rooms.registration.remove(first.id)
    assert caught.value.status == 404


async def test_dry_run(rooms: Rooms) -> None:
    """A dry run answers as if, and stores nothing."""
    stored = dict(rooms.processor.documents)
    deployment, created = await rooms.registration.register(NewDeployment(uri=OTHER, dry_run=True))
    assert created
    assert deployment.services[0].revision == 2
    assert rooms.registry.deployment(deployment.id) is None
    assert rooms.processor.documents == stored


async def test_new_service_type(rooms: Rooms) -> None:
    """Another type under a known name needs breaking or force."""
    other = {"name": "Greeter", "ty": "VIRTUAL_OBJECT", "handlers": [{"name": "greet"}]}
    rooms.discoverer.found[OTHER] = manifest(services=[other])
    with pytest.raises(RegistrationError) as caught:
        await rooms.registration.register(NewDeployment(uri=OTHER))
    assert (caught.value.status, caught.value.restate_code) == (409, "META0006")
    await rooms.registration.register(NewDeployment(uri=OTHER, breaking=True))
    meta = rooms.registry.service("Greeter")
    assert meta is not None
    assert meta.service_type is ServiceType.VIRTUAL_OBJECT


async def test_unreachable(rooms: Rooms) -> None:
    """What discovery says is passed on, and nothing is stored."""
    rooms.discoverer.found[OTHER] = ManifestError("[META0003] no", "META0003")
    with pytest.raises(ManifestError):
        await rooms.registration.register(NewDeployment(uri=OTHER))
    assert rooms.registry.at_address(OTHER) is None


@pytest.mark.parametrize("uri", ["foo", "/foo", "ftp://h/", "http:///x"])
async def test_bad_uri(rooms: Rooms, uri: str) -> None:
    """Only absolute HTTP addresses will do."""
    with pytest.raises(RegistrationError) as caught:
        await rooms.registration.register(NewDeployment(uri=uri))
    assert caught.value.status == 400


async def test_update_moves_a_deployment(rooms: Rooms) -> None:
    """A new address and new headers; the services stay as they are."""
    before = rooms.registry.at_address(URI)
    assert before is not None
    rooms.discoverer.found[OTHER] = only("Greeter")
    update = DeploymentUpdate(uri=OTHER, additional_headers={"x": "y"})
    after = await rooms.registration.update(before.id, update)
    assert (after.uri, after.additional_headers) == (OTHER, {"x": "y"})
    assert after.services == before.services
    assert rooms.discoverer.asked[-1][1] == {"x": "y"}
    assert rooms.registry.at_address(URI) is None


async def test_update_overwrites_services(rooms: Rooms) -> None:
    """With overwrite the contents change under the same revisions."""
    before = rooms.registry.at_address(URI)
    assert before is not None
    rooms.discoverer.found[URI] = only("Greeter")
    after = await rooms.registration.update(before.id, DeploymentUpdate(overwrite=True))
    assert [(one.name, one.revision) for one in after.services] == [("Greeter", 1)]
    assert rooms.registry.service_names() == ["Greeter"]


async def test_update_refusals(rooms: Rooms) -> None:
    """Unknown ids, other protocol versions and taken addresses are refused; nothing is a no-op."""
    deployment = rooms.registry.at_address(URI)
    assert deployment is not None
    assert await rooms.registration.update(deployment.id, DeploymentUpdate()) is deployment
    with pytest.raises(RegistrationError) as caught:
        await rooms.registration.update("dp_12rbcbE9DyDMI9x0mpjv3G0", DeploymentUpdate())
    assert caught.value.status == 404
    rooms.discoverer.found[URI] = manifest(maxProtocolVersion=6)
    with pytest.raises(RegistrationError) as caught:
        await rooms.registration.update(deployment.id, DeploymentUpdate(overwrite=True))
    assert caught.value.restate_code == "META0016"
    await rooms.registration.register(NewDeployment(uri=OTHER))
    with pytest.raises(RegistrationError) as caught:
        await rooms.registration.update(deployment.id, DeploymentUpdate(uri=OTHER))
    assert caught.value.status == 409


async def test_recovery(rooms: Rooms) -> None:
    """A registry loaded from what was stored knows the same."""
    await rooms.registration.register(
        NewDeployment(uri=OTHER, metadata={"m": "1"}, use_http_11=True)
    )
    await rooms.registration.change_service("Greeter", Changes(journal_retention_ms=0))
    again = Registry(ServiceDefaults())
    again.load(rooms.processor.recovered())
    assert again.deployments() == rooms.registry.deployments()
    meta = again.resolve("Greeter", "greet")
    assert meta is not None
    assert meta.journal_retention_ms == 0
    endpoint = again.latest_deployment("Greeter")
    assert endpoint is not None
    assert endpoint.endpoint.http_version == "HTTP/1.1"


async def test_summaries_for_sql(rooms: Rooms) -> None:
    """The active services are stored in short beside the deployments."""
    stored = rooms.processor.documents[DocumentKind.SERVICE, "Counter"]
    deployment = rooms.registry.at_address(URI)
    assert deployment is not None
    assert msgspec.json.decode(stored) == {
        "name": "Counter",
        "revision": 1,
        "public": True,
        "ty": "virtual_object",
        "deployment_id": deployment.id,
    }


async def test_settings_by_precedence(rooms: Rooms) -> None:
    """The handler's word goes before the operator's, that before the manifest's."""
    service = {
        "name": "S",
        "ty": "SERVICE",
        "inactivityTimeout": 1,
        "abortTimeout": 2,
        "journalRetention": 3,
        "retryPolicyMaxAttempts": 0,
        "handlers": [
            {"name": "own", "inactivityTimeout": 10, "retryPolicyOnMaxAttempts": "KILL"},
            {"name": "plain"},
        ],
    }
    rooms.discoverer.found[OTHER] = manifest(services=[service])
    await rooms.registration.register(NewDeployment(uri=OTHER))
    changes = Changes(inactivity_timeout_ms=20, abort_timeout_ms=20)
    await rooms.registration.change_service("S", changes)
    own = rooms.registry.resolve("S", "own")
    plain = rooms.registry.resolve("S", "plain")
    assert own is not None
    assert plain is not None
    assert (own.inactivity_timeout_ms, own.abort_timeout_ms) == (10, 20)
    assert (plain.inactivity_timeout_ms, plain.journal_retention_ms) == (20, 3)
    assert plain.idempotency_retention_ms == ServiceDefaults().idempotency_retention_ms
    assert not own.retry.pause_on_max
    assert plain.retry.initial_interval_ms == RetryPolicy().initial_interval_ms


async def test_callees(rooms: Rooms) -> None:
    """Calls between services find private ones, too, and what is kept of them."""
    day = 86_400_000
    found = rooms.registry.callee("Secret", "tell", None, None)
    assert found is not None
    target, completion_ms, journal_ms = found
    assert (target.key, target.handler_type) == (None, None)
    assert (completion_ms, journal_ms) == (day, day)
    found = rooms.registry.callee("Counter", "add", "k", None)
    assert found is not None
    assert (found[0].key, found[0].handler_type) == ("k", HandlerType.EXCLUSIVE)
    assert rooms.registry.callee("Counter", "nope", "k", None) is None
    assert rooms.registry.callee("Nope", "add", "k", None) is None
    found = rooms.registry.callee("Greeter", "brief", None, "key")
    assert found is not None
    assert found[1:] == (5000, 5000)


class SlowDiscoverer(FakeDiscoverer):
    """Answers for one address only when told."""

    def __init__(self, uri: str) -> None:
        super().__init__()
        self._uri = uri
        self.answer = asyncio.Event()

    async def discover(self, endpoint: Endpoint, headers: dict[str, str]) -> Discovered:
        found = await super().discover(endpoint, headers)
        if endpoint.uri == self._uri:
            await self.answer.wait()
        return found


async def test_an_endpoint_that_does_not_answer_holds_up_nobody(rooms: Rooms) -> None:
    """Others register, and services are changed, while one endpoint is waited for."""
    slow = SlowDiscoverer(OTHER)
    rooms.registration = Registration(
        rooms.registry, rooms.requests, slow, rooms.clock, rooms.random
    )
    loop = asyncio.get_running_loop()
    both = [
        loop.create_task(rooms.registration.register(NewDeployment(uri=OTHER))) for _ in range(2)
    ]
    await asyncio.sleep(0)
    third, created = await rooms.registration.register(NewDeployment(uri="http://third/"))
    await rooms.registration.change_service("Greeter", Changes(public=False))
    assert created
    slow.answer.set()
    (first, first_created), (second, second_created) = await asyncio.gather(*both)
    assert first.id == second.id
    assert sorted([first_created, second_created]) == [False, True]
    revisions = [one.services[0].revision for one in (third, first)]
    assert revisions == [2, 3], "revisions follow the order in which they are stored"

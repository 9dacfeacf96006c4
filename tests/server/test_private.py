"""Private services and handlers are out of reach of the ingress, by every route."""

from __future__ import annotations

from typing import Any

import pytest

from rtour import ids
from rtour.engine.model import FromIngress, Invocation, Status, Target
from rtour.server.preconditions import idempotent_id, workflow_id
from rtour.server.registration import NewDeployment
from tests.server.rooms import MANIFEST, Rooms, manifest

PRIVATE: dict[str, Any] = {
    "name": "Vault",
    "ty": "WORKFLOW",
    "ingressPrivate": True,
    "handlers": [{"name": "run", "ty": "WORKFLOW"}, {"name": "peek", "ty": "SHARED"}],
}
KEPT: dict[str, Any] = {
    "name": "Safe",
    "ty": "VIRTUAL_OBJECT",
    "ingressPrivate": True,
    "handlers": [{"name": "open"}],
}
SERVICES = [*MANIFEST["services"], PRIVATE, KEPT]  # type: ignore[misc]
REFUSED = {"code": 400, "message": "the invoked service is not public", "source": "ingress"}


@pytest.fixture
async def rooms() -> Rooms:
    """Private services of each type, and a private handler of a public one."""
    rooms = Rooms()
    rooms.discoverer.found["http://p/"] = manifest(services=SERVICES)
    await rooms.registration.register(NewDeployment(uri="http://p/"))
    rooms.processor.commands.clear()
    return rooms


CALLS = [
    "/Secret/tell",
    "/Secret/tell/send",
    "/Secret/tell/send?delay=1s",
    "/Greeter/hidden",
    "/Greeter/hidden/send",
    "/Safe/k/open",
    "/Safe/k/open/send",
    "/Vault/k/run",
    "/Vault/k/run/send",
    "/Vault/k/peek",
    "/restate/call/Secret/tell",
    "/restate/send/Secret/tell",
    "/restate/call/Greeter/hidden",
    "/restate/call/Safe/k/open",
    "/restate/send/Vault/k/run",
]


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("path", CALLS)
async def test_calls(rooms: Rooms, method: str, path: str) -> None:
    """No way of calling or sending gets to a command, with an idempotency key or without."""
    for headers in ({}, {"idempotency-key": "k"}):
        answer = await rooms.ingress.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()) == (400, REFUSED)
    assert rooms.processor.commands == []


@pytest.mark.parametrize(
    "path",
    [
        "/Secret%2Ftell",
        "/%53ecret/tell",
        "/secret/tell",
        "/Greeter/../Secret/tell",
        "/Greeter/%2e%2e/Secret/tell",
        "//Secret/tell",
        "/./Secret/tell",
        "/Secret/tell/",
        "/Secret/tell//",
        "/Secret/tell;x",
        "/Secret/tell%00",
        "/restate/call/Greeter/hidden/",
        "/restate/../Secret/tell",
        "/dev.restate.Ingress/Invoke",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/Secret.v1/tell",
    ],
)
async def test_spellings(rooms: Rooms, path: str) -> None:
    """No spelling of a path, and none of gRPC's, gets around it."""
    for kind in ("application/json", "application/grpc", "application/connect+json"):
        answer = await rooms.ingress.post(path, content=b"{}", headers={"content-type": kind})
        assert answer.status_code in {400, 404}
    assert rooms.processor.commands == []


def stored(rooms: Rooms, target: Target, id_: str) -> str:
    rooms.invocations[id_] = Invocation(
        id_, 1, target, Status.COMPLETED, FromIngress(), created_at=1, modified_at=1
    )
    return id_


def results(rooms: Rooms) -> list[tuple[str, str, dict[str, str] | None]]:
    """Every way of naming invocations of private handlers: one by one, all of them there."""
    tell = stored(rooms, Target("Secret", "tell"), ids.make_invocation_id(1, 1))
    hidden = stored(
        rooms, Target("Greeter", "hidden"), idempotent_id("Greeter", None, "hidden", "k")
    )
    stored(rooms, Target("Safe", "open", "k"), idempotent_id("Safe", "k", "open", "k"))
    flow = stored(rooms, Target("Vault", "run", "k"), workflow_id("Vault", "k"))
    by_id: list[tuple[str, str, dict[str, str] | None]] = []
    for id_ in (tell, hidden, flow):
        by_id += [
            ("GET", f"/restate/invocation/{id_}/VERB", None),
            ("GET", f"/restate/VERB/{id_}", None),
            ("POST", "/restate/VERB", {"target": "invocation", "invocationId": id_}),
        ]
    by_workflow = {"target": "workflow", "workflowName": "Vault", "workflowKey": "k"}
    by_key = {"target": "idempotentInvocation", "idempotencyKey": "k"}
    return [
        *by_id,
        ("GET", "/restate/invocation/Secret/tell/k/VERB", None),
        ("GET", "/restate/invocation/Greeter/hidden/k/VERB", None),
        ("GET", "/restate/invocation/Safe/k/open/k/VERB", None),
        ("GET", "/restate/workflow/Vault/k/VERB", None),
        ("POST", "/restate/VERB", {**by_key, "service": "Greeter", "handler": "hidden"}),
        ("POST", "/restate/VERB", {**by_key, "service": "Safe", "key": "k", "handler": "open"}),
        ("POST", "/restate/VERB", by_workflow),
    ]


@pytest.mark.parametrize("verb", ["attach", "output"])
async def test_results(rooms: Rooms, verb: str) -> None:
    """Nobody reads a private handler's result, by id or by names; guesses look the same."""
    asked = results(rooms)
    for method, path, body in asked:
        answer = await rooms.ingress.request(method, path.replace("VERB", verb), json=body)
        assert (answer.status_code, answer.json()) == (400, REFUSED), path
    rooms.invocations.clear()
    for method, path, body in asked[9:]:
        answer = await rooms.ingress.request(method, path.replace("VERB", verb), json=body)
        assert (answer.status_code, answer.json()) == (400, REFUSED), path
    assert rooms.processor.commands == []


async def test_made_private_later(rooms: Rooms) -> None:
    """An operator's word counts as the manifest's."""
    answer = await rooms.admin.patch("/services/Counter", json={"public": False})
    assert answer.status_code == 200
    for path in ("/Counter/k/get", "/restate/invocation/Counter/k/get/i/output"):
        assert (await rooms.ingress.get(path)).json() == REFUSED

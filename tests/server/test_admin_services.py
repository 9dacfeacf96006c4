"""Services and state over the admin API."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from rtour.engine.commands import (
    PatchState,
)
from rtour.engine.model import StatePatch
from rtour.server.registration import NewDeployment
from tests.server.openapi_references import references
from tests.server.rooms import Rooms, manifest

OTHER = "http://127.0.0.1:9081/"


async def test_service(rooms: Rooms) -> None:
    """A service shows its settings as they hold, its handlers as they were announced."""
    body = (await rooms.admin.get("/services/Counter")).json()
    handlers = {handler["name"]: handler for handler in body.pop("handlers")}
    assert body == {
        "name": "Counter",
        "ty": "VirtualObject",
        "deployment_id": rooms.deployment_id(),
        "revision": 1,
        "public": True,
        "idempotency_retention": "1d",
        "journal_retention": "1d",
        "inactivity_timeout": "1m",
        "abort_timeout": "10m",
        "enable_lazy_state": False,
        "retry_policy": {
            "initial_interval": "500ms",
            "exponentiation_factor": 2.0,
            "max_attempts": 70,
            "max_interval": "1m",
            "on_max_attempts": "Pause",
        },
    }
    assert handlers["add"] == {
        "name": "add",
        "ty": "Exclusive",
        "public": True,
        "input_description": "JSON string",
        "output_description": "JSON string",
        "input_json_schema": {"type": "string"},
        "output_json_schema": {"type": "string"},
        "retry_policy": {"max_attempts": None},
    }
    assert handlers["get"]["input_description"] == "none"
    workflow = (await rooms.admin.get("/services/Flow")).json()
    assert workflow["workflow_completion_retention"] == "1d"
    plain = (await rooms.admin.get("/services/Greeter")).json()
    assert all("ty" not in handler for handler in plain["handlers"])


async def test_handlers(rooms: Rooms) -> None:
    """Handlers can be asked for all together and one by one."""
    handlers = (await rooms.admin.get("/services/Greeter/handlers")).json()["handlers"]
    brief = (await rooms.admin.get("/services/Greeter/handlers/brief")).json()
    assert brief in handlers
    assert brief["idempotency_retention"] == "5s"
    assert brief["retry_policy"] == {"max_attempts": 3}
    response = await rooms.admin.get("/services/Greeter/handlers/nope")
    assert (response.status_code, response.json()["message"]) == (
        404,
        "The requested handler 'nope' on service 'Greeter' does not exist",
    )


@pytest.mark.parametrize("path", ["", "/handlers", "/handlers/h", "/openapi"])
async def test_unknown_service(rooms: Rooms, path: str) -> None:
    """A service that is not there is 404 everywhere."""
    response = await rooms.admin.get(f"/services/nope{path}")
    assert (response.status_code, response.json()["message"]) == (
        404,
        "The requested service 'nope' does not exist",
    )


async def test_modify_service(rooms: Rooms) -> None:
    """Settings change at once, null and nothing change nothing."""
    response = await rooms.admin.patch(
        "/services/Flow",
        json={
            "public": False,
            "idempotency_retention": "1h",
            "workflow_completion_retention": "2h",
            "journal_retention": "PT3H",
            "inactivity_timeout": "90s",
            "abort_timeout": None,
        },
    )
    body = response.json()
    assert response.status_code == 200
    assert body["public"] is False
    assert body["idempotency_retention"] == "1h"
    assert body["workflow_completion_retention"] == "2h"
    assert body["journal_retention"] == "3h"
    assert body["inactivity_timeout"] == "1m 30s"
    assert body["abort_timeout"] == "10m"
    assert (await rooms.admin.patch("/services/Flow", json={})).json() == body
    assert (await rooms.ingress.post("/Flow/k/run", json="x")).status_code == 400


@pytest.mark.parametrize(
    ("name", "body", "status", "message"),
    [
        ("nope", {}, 404, "The requested service 'nope' does not exist"),
        ("nope", {"public": True}, 404, ("not found in the schema registry: service with name "
         "'nope'")),
        ("Greeter", {"workflow_completion_retention": "1h"}, 400, ("modifying retention time for "
         "service type Service is unsupported")),
        ("Greeter", {"journal_retention": "1mo"}, 422, ("Failed to deserialize the JSON body into "
         "the target type: journal_retention: please use units of days or smaller")),
        ("Greeter", {"journal_retention": 5}, 422, ("Failed to deserialize the JSON body into the "
         "target type: Expected `str | null`, got `int` - at `$.journal_retention`")),
    ],
)  # fmt: skip
async def test_bad_modifications(
    rooms: Rooms, name: str, body: dict[str, Any], status: int, message: str
) -> None:
    """What cannot be changed says why."""
    response = await rooms.admin.patch(f"/services/{name}", json=body)
    assert (response.status_code, response.json()["message"]) == (status, message)


async def test_state(rooms: Rooms) -> None:
    """A new state is queued as bytes, with the version it replaces."""
    response = await rooms.admin.post(
        "/services/Counter/state",
        json={"object_key": "k", "version": "v", "new_state": {"a": [1, 255], "b": "ü"}},
    )
    assert (response.status_code, response.content) == (202, b"")
    patch = StatePatch({b"a": b"\x01\xff", b"b": "ü".encode()}, "v")
    assert isinstance(rooms.last, PatchState)
    assert replace(rooms.last, request_id=0) == PatchState("Counter", "k", patch)


@pytest.mark.parametrize(
    ("name", "state", "status"),
    [
        ("Greeter", {}, 400),
        ("Nope", {}, 202),
        ("Nope", {"a": [1]}, 404),
        ("Flow", {"a": [1]}, 202),
        ("Counter", {"a": [256]}, 422),
    ],
)
async def test_state_statuses(
    rooms: Rooms, name: str, state: dict[str, list[int]], status: int
) -> None:
    """Plain services have no state; that of removed ones can be cleared, not set."""
    response = await rooms.admin.post(
        f"/services/{name}/state", json={"object_key": "k", "new_state": state}
    )
    assert response.status_code == status


async def test_service_openapi(rooms: Rooms) -> None:
    """A service's document has its public handlers in every way they can be reached."""
    document = (await rooms.admin.get("/services/Counter/openapi")).json()
    assert document["info"] == {"title": "Counter", "version": "1"}
    assert set(document["paths"]) == {
        "/restate/call/Counter/{key}/add",
        "/restate/send/Counter/{key}/add",
        "/restate/invocation/Counter/{key}/add/{idempotencyKey}/attach",
        "/restate/invocation/Counter/{key}/add/{idempotencyKey}/output",
        "/restate/call/Counter/{key}/get",
        "/restate/send/Counter/{key}/get",
        "/restate/invocation/Counter/{key}/get/{idempotencyKey}/attach",
        "/restate/invocation/Counter/{key}/get/{idempotencyKey}/output",
    }
    assert document["components"]["schemas"]["addRequest"] == {"type": "string"}
    for reference in references(document):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    workflow = (await rooms.admin.get("/services/Flow/openapi")).json()
    assert "/restate/workflow/Flow/{key}/attach" in workflow["paths"]
    plain = (await rooms.admin.get("/services/Greeter/openapi")).json()
    assert "/restate/call/Greeter/hidden" not in plain["paths"]
    assert (await rooms.admin.get("/services/Secret/openapi")).json()["paths"] == {}


async def test_openapi_rebases_schemas(rooms: Rooms) -> None:
    """References inside a handler's schema lead to its own place in the document."""
    schema = {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}}
    payload = {"contentType": "application/json", "jsonSchema": schema}
    handler = {"name": "h", "input": payload, "output": {}}
    service = {"name": "S", "ty": "SERVICE", "handlers": [handler]}
    rooms.discoverer.found[OTHER] = manifest(services=[service])
    await rooms.registration.register(NewDeployment(uri=OTHER))
    document = (await rooms.admin.get("/services/S/openapi")).json()
    request = document["components"]["schemas"]["hRequest"]
    assert request["$ref"] == "#/components/schemas/hRequest/$defs/A"

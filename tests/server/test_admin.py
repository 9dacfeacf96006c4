"""Every endpoint of http-api.md B: statuses, shapes, words."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from rtour import ids
from rtour.engine.actions import Outcome, Response, Verdict
from rtour.engine.commands import (
    Cancel,
    Command,
    Kill,
    PatchState,
    Pause,
    Purge,
    PurgeJournal,
    RestartAsNew,
    Resume,
)
from rtour.engine.model import FromIngress, Invocation, StatePatch, Status, Target
from rtour.errors import ManifestError
from rtour.server.registration import NewDeployment
from tests.server.rooms import NOW, URI, Rooms, manifest

INV = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000000"
NO_DP = "dp_12rbcbE9DyDMI9x0mpjv3G0"
OTHER = "http://127.0.0.1:9081/"


def deployment_id(rooms: Rooms, uri: str = URI) -> str:
    deployment = rooms.registry.at_address(uri)
    assert deployment is not None
    return deployment.id


# --- the server, versions, routing ---------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/v2", "/v3", "/v4"])
async def test_prefixes(rooms: Rooms, prefix: str) -> None:
    """Every version of the API serves everything."""
    for path in ("/health", "/version", "/deployments", "/services/Greeter", "/openapi"):
        assert (await rooms.admin.get(prefix + path)).status_code == 200


async def test_other_prefixes(rooms: Rooms) -> None:
    """The first version is refused by name, those to come are not there."""
    response = await rooms.admin.get("/v1/health")
    assert response.status_code == 400
    assert response.json()["message"] == (
        "Unsupported Admin API version V1. This server supports versions between V2 and V4."
    )
    assert (await rooms.admin.get("/v5/health")).status_code == 404


async def test_version(rooms: Rooms) -> None:
    """The version is the official server's, all features are off."""
    body = (await rooms.admin.get("/version")).json()
    assert body["version"] == "1.7.12"
    assert (body["min_admin_api_version"], body["max_admin_api_version"]) == (2, 4)
    assert body["ingress_endpoint"] == "http://127.0.0.1:8080/"
    assert not any(body["features"].values())


async def test_server_endpoints(rooms: Rooms) -> None:
    """Health is empty, cluster health names the one member, the root leads to the UI's place."""
    response = await rooms.admin.get("/health")
    assert (response.status_code, response.content) == (200, b"")
    assert (await rooms.admin.get("/cluster-health")).json() == {
        "cluster_name": "localcluster",
        "metadata_cluster_health": {"members": [1]},
    }
    response = await rooms.admin.get("/")
    assert (response.status_code, response.headers["location"]) == (308, "/ui/")
    assert (await rooms.admin.get("/ui/")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/health", "GET,HEAD"),
        ("OPTIONS", "/services", "GET,HEAD"),
        ("GET", "/query", "POST"),
        ("GET", "/limits/rules", "PUT"),
        ("POST", f"/invocations/{INV}/kill", "PATCH"),
        ("GET", f"/invocations/{INV}", "DELETE"),
    ],
)
async def test_wrong_method(rooms: Rooms, method: str, path: str, allow: str) -> None:
    """Another method is 405, and says which are right."""
    response = await rooms.admin.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allow)


@pytest.mark.parametrize("path", ["/nope", "/services/Greeter/nope", f"/invocations/{INV}/x/y"])
async def test_no_route(rooms: Rooms, path: str) -> None:
    """What is not there is 404, in the shape of all errors."""
    response = await rooms.admin.get(path)
    assert response.status_code == 404
    assert response.json()["restate_code"] is None


@pytest.mark.parametrize(
    ("path", "body", "content_type", "status", "message"),
    [
        ("/deployments", b"{", None, 415, "Expected request with `Content-Type: application/json`"),
        ("/deployments", b"{", "application/json", 400, "Failed to parse the request body as JSON"),
        ("/deployments", b"{}", "application/json", 422, "data did not match any variant"),
        ("/deployments", b'{"uri":1}', "application/json; charset=utf-8", 422, "Failed to deser"),
        ("/query", b"x", "text/plain", 415, "Expected request with"),
        ("/query", b"{}", "application/json", 422, "query"),
        ("/services/Counter/state", b"{}", "application/json", 422, "object_key"),
    ],
)
async def test_bad_bodies(
    rooms: Rooms, path: str, body: bytes, content_type: str | None, status: int, message: str
) -> None:
    """Bodies of the wrong kind are 415, broken ones 400, wrong ones 422; all as JSON."""
    headers = {} if content_type is None else {"content-type": content_type}
    response = await rooms.admin.post(path, content=body, headers=headers)
    assert response.status_code == status
    assert message in response.json()["message"]


async def test_openapi(rooms: Rooms) -> None:
    """The document describes every endpoint, and its references lead somewhere."""
    document = (await rooms.admin.get("/openapi")).json()
    assert document["openapi"] == "3.1.0"
    operation = document["paths"]["/deployments"]["post"]
    assert operation["operationId"] == "create_deployment"
    assert set(operation["responses"]) >= {"200", "201", "409", "500"}
    assert references(document) <= {
        f"#/components/schemas/{name}" for name in document["components"]["schemas"]
    }


def references(document: Any) -> set[str]:
    if isinstance(document, list):
        return set().union(*(references(item) for item in document))
    if not isinstance(document, dict):
        return set()
    own = {document["$ref"]} if isinstance(document.get("$ref"), str) else set()
    return own.union(*(references(value) for value in document.values()))


# --- deployments ---------------------------------------------------------------------------------


async def test_register(rooms: Rooms) -> None:
    """A new deployment is 201 with its place and services in full."""
    response = await rooms.admin.post(
        "/deployments",
        json={"uri": "http://127.0.0.1:9081", "additional_headers": {"a": "b"}, "metadata": None},
    )
    id_ = deployment_id(rooms, OTHER)
    assert response.status_code == 201
    assert response.headers["location"] == f"deployments/{id_}"
    body = response.json()
    assert set(body) == {
        "id", "services", "min_protocol_version", "max_protocol_version", "sdk_version"
    }  # fmt: skip
    assert body["sdk_version"] == "restate-sdk-python/1.3.0"
    assert {service["revision"] for service in body["services"]} == {2}
    assert rooms.discoverer.asked[-1][1] == {"a": "b"}


@pytest.mark.parametrize(
    ("prefix", "body", "status"),
    [
        ("", {}, 200),
        ("", {"force": True}, 200),
        ("/v3", {}, 200),
        ("/v2", {}, 201),
        ("/v2", {"force": False}, 409),
    ],
)
async def test_register_again(
    rooms: Rooms, prefix: str, body: dict[str, bool], status: int
) -> None:
    """A known address: unchanged or overwritten, with the statuses of each API version."""
    response = await rooms.admin.post(f"{prefix}/deployments", json={"uri": URI, **body})
    assert response.status_code == status
    if status == 409:
        assert response.json()["message"] == (
            f"Conflict: deployment {deployment_id(rooms)} already exists"
        )


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"uri": "foo"}, 400, ("The request field 'uri' is invalid. Reason: The provided uri foo "
         "is not absolute, only absolute URIs can be used.")),
        ({"arn": "foo"}, 400, ("The request field 'arn' is invalid. Reason: A qualified ARN must "
         "have 8 components delimited by `:`")),
        ({"uri": URI, "additional_headers": {"a b": "c"}}, 422, ("Failed to deserialize the JSON "
         "body into the target type: data did not match any variant of untagged enum "
         "RegisterDeploymentRequest")),
    ],
)  # fmt: skip
async def test_bad_registrations(
    rooms: Rooms, body: dict[str, Any], status: int, message: str
) -> None:
    """Addresses and headers are checked before anyone is asked."""
    response = await rooms.admin.post("/deployments", json=body)
    assert (response.status_code, response.json()["message"]) == (status, message)


async def test_failed_discovery(rooms: Rooms) -> None:
    """What discovery finds wrong comes with its code."""
    rooms.discoverer.found[OTHER] = ManifestError("[META0003] no answer", "META0003")
    response = await rooms.admin.post("/deployments", json={"uri": OTHER})
    assert response.status_code == 500
    assert response.json() == {"message": "[META0003] no answer", "restate_code": "META0003"}


async def test_deployments(rooms: Rooms) -> None:
    """Lists show services by revision, details show them in full."""
    id_ = deployment_id(rooms)
    (summary,) = (await rooms.admin.get("/deployments")).json()["deployments"]
    services = summary.pop("services")
    assert summary == {
        "id": id_,
        "uri": URI,
        "protocol_type": "BidiStream",
        "http_version": "HTTP/2.0",
        "created_at": "2026-11-24T02:21:16.154000000Z",
        "min_protocol_version": 5,
        "max_protocol_version": 7,
        "sdk_version": "restate-sdk-python/1.3.0",
    }
    assert {"name": "Greeter", "revision": 1} in services
    detail = (await rooms.admin.get(f"/deployments/{id_}")).json()
    assert detail["services"][0]["deployment_id"] == id_


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_bad_deployment_ids(rooms: Rooms, method: str) -> None:
    """Ids that are none are 400, unknown ones 404."""
    body = {} if method == "PATCH" else None
    url = "/deployments/{}?force=true"
    response = await rooms.admin.request(method, url.format("foo"), json=body)
    assert (response.status_code, response.json()["message"]) == (
        400,
        "Invalid URL: Cannot parse `deployment` with value `foo`: bad format",
    )
    response = await rooms.admin.request(method, url.format(NO_DP), json=body)
    assert response.status_code == 404
    message = (
        f"not found in the schema registry: deployment with id '{NO_DP}'"
        if method == "DELETE"
        else f"The requested deployment '{NO_DP}' does not exist"
    )
    assert response.json()["message"] == message


async def test_update_deployment(rooms: Rooms) -> None:
    """PATCH moves, an empty one changes nothing, PUT is of the second version only."""
    url = f"/deployments/{deployment_id(rooms)}"
    assert (await rooms.admin.patch(url, json={})).json()["uri"] == URI
    response = await rooms.admin.patch(url, json={"uri": OTHER, "dry_run": True})
    assert (response.status_code, response.json()["uri"]) == (200, OTHER)
    assert rooms.registry.at_address(OTHER) is None
    response = await rooms.admin.patch(url, json={"additional_headers": {"x": "y"}})
    assert response.json()["additional_headers"] == {"x": "y"}
    response = await rooms.admin.put(url, json={"uri": OTHER})
    assert (response.status_code, response.json()["message"]) == (
        405,
        "PUT deployment is deprecated, use PATCH instead",
    )
    assert (await rooms.admin.put(f"/v2{url}", json={"uri": OTHER})).status_code == 200
    assert rooms.registry.at_address(OTHER) is not None


@pytest.mark.parametrize(
    ("query", "status"), [("", 501), ("?force=false", 501), ("?force=x", 400), ("?force=true", 202)]
)
async def test_delete_deployment(rooms: Rooms, query: str, status: int) -> None:
    """Removal is by force or not at all."""
    response = await rooms.admin.delete(f"/deployments/{deployment_id(rooms)}{query}")
    assert response.status_code == status
    assert (rooms.registry.service_names() == []) is (status == 202)


# --- services ------------------------------------------------------------------------------------


async def test_service(rooms: Rooms) -> None:
    """A service shows its settings as they hold, its handlers as they were announced."""
    body = (await rooms.admin.get("/services/Counter")).json()
    handlers = {handler["name"]: handler for handler in body.pop("handlers")}
    assert body == {
        "name": "Counter",
        "ty": "VirtualObject",
        "deployment_id": deployment_id(rooms),
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


# --- invocations ---------------------------------------------------------------------------------

OPERATIONS: dict[str, type[Command]] = {
    "cancel": Cancel,
    "kill": Kill,
    "pause": Pause,
    "purge": Purge,
    "purge-journal": PurgeJournal,
    "resume": Resume,
    "restart-as-new": RestartAsNew,
}


@pytest.mark.parametrize(("operation", "command"), list(OPERATIONS.items()))
@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict.DONE, 200),
        (Verdict.ACCEPTED, 202),
        (Verdict.INVALID, 400),
        (Verdict.NOT_FOUND, 404),
        (Verdict.CONFLICT, 409),
        (Verdict.GONE, 410),
        (Verdict.UNPROCESSABLE, 422),
        (Verdict.TOO_EARLY, 425),
    ],
)
async def test_operations(
    rooms: Rooms, operation: str, command: type, verdict: Verdict, status: int
) -> None:
    """Each operation proposes its command; each verdict of the engine has its status."""
    rooms.processor.answers = lambda command: Outcome(verdict, "because")
    response = await rooms.admin.patch(f"/invocations/{INV}/{operation}")
    assert isinstance(rooms.last, command)
    assert response.status_code == status
    if status >= 400:
        assert response.json() == {"message": "because", "restate_code": None}
    else:
        assert response.content == b""


@pytest.mark.parametrize("operation", list(OPERATIONS))
async def test_bad_invocation_ids(rooms: Rooms, operation: str) -> None:
    """Ids that are none never reach the engine."""
    response = await rooms.admin.patch(f"/invocations/foo/{operation}")
    assert (response.status_code, response.json()["message"]) == (
        400,
        "The request field 'invocation_id' is invalid. Reason: bad format",
    )
    assert rooms.processor.commands == []


def pinned(rooms: Rooms, version: int | None = 6) -> None:
    """An invocation of Greeter/greet, bound to the registered deployment if to a version."""
    rooms.invocations[INV] = Invocation(
        INV,
        1,
        Target("Greeter", "greet"),
        Status.PAUSED,
        FromIngress(),
        NOW,
        NOW,
        deployment_id=None if version is None else deployment_id(rooms),
        protocol_version=version,
    )


async def test_restart(rooms: Rooms) -> None:
    """A restart has a new id on the same key, from an entry on, on the latest deployment."""
    pinned(rooms)
    new = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000001"
    rooms.processor.answers = lambda command: Outcome(Verdict.DONE, id=new)
    response = await rooms.admin.patch(f"/invocations/{INV}/restart-as-new?from=3")
    assert (response.status_code, response.json()) == (200, {"new_invocation_id": new})
    assert isinstance(rooms.last, RestartAsNew)
    assert ids.parse_invocation_id(rooms.last.new_id)[0] == ids.parse_invocation_id(INV)[0]
    assert rooms.last.new_id != INV
    assert (rooms.last.from_index, rooms.last.deployment_id) == (3, deployment_id(rooms))
    await rooms.admin.patch(f"/invocations/{INV}/restart-as-new?deployment=keep")
    assert isinstance(rooms.last, RestartAsNew)
    assert rooms.last.deployment_id is None


@pytest.mark.parametrize("first", ["x", "-1", "1.5", "4294967296"])
async def test_restart_from_nowhere(rooms: Rooms, first: str) -> None:
    """The entry to restart from is a number."""
    response = await rooms.admin.patch(f"/invocations/{INV}/restart-as-new?from={first}")
    assert response.status_code == 400


async def test_resume_deployment(rooms: Rooms) -> None:
    """Keep changes nothing, latest and ids are looked up, what does not fit is refused."""
    url = f"/invocations/{INV}/resume?deployment="
    pinned(rooms)
    await rooms.admin.patch(url + "keep")
    assert isinstance(rooms.last, Resume)
    assert rooms.last.deployment_id is None
    await rooms.admin.patch(url + "latest")
    assert isinstance(rooms.last, Resume)
    assert rooms.last.deployment_id == deployment_id(rooms)
    response = await rooms.admin.patch(url + "foo")
    assert (response.status_code, response.json()["message"]) == (
        400,
        "The query parameter 'deployment' is invalid. Reason: bad format",
    )
    assert (await rooms.admin.patch(url + NO_DP)).status_code == 400
    pinned(rooms, version=8)
    assert (await rooms.admin.patch(url + "latest")).status_code == 400
    pinned(rooms, version=None)
    await rooms.admin.patch(url + "latest")
    assert isinstance(rooms.last, Resume)
    assert rooms.last.deployment_id is None


@pytest.mark.parametrize(
    ("query", "command"),
    [("", Cancel), ("?mode=Kill", Kill), ("?mode=kill", Kill), ("?mode=purge", Purge)],
)
async def test_delete_invocation(rooms: Rooms, query: str, command: type) -> None:
    """The old way is always accepted."""
    rooms.processor.answers = lambda command: Outcome(Verdict.NOT_FOUND, "no")
    assert (await rooms.admin.delete(f"/invocations/{INV}{query}")).status_code == 202
    assert isinstance(rooms.last, command)


@pytest.mark.parametrize("url", ["/invocations/foo", f"/invocations/{INV}?mode=foo"])
async def test_delete_invocation_refused(rooms: Rooms, url: str) -> None:
    """Bad ids and modes are not accepted."""
    assert (await rooms.admin.delete(url)).status_code == 400


async def test_batch(rooms: Rooms) -> None:
    """A batch tells which succeeded and why the others did not."""
    other = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000001"
    third = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000002"

    def answers(command: Command) -> Response:
        assert isinstance(command, Cancel)
        if command.id == INV:
            return Outcome(Verdict.ACCEPTED)
        verdict = Verdict.NOT_FOUND if command.id == other else Verdict.CONFLICT
        return Outcome(verdict, "it is done")

    rooms.processor.answers = answers
    response = await rooms.admin.post(
        "/internal/invocations_batch_operations/cancel",
        json={"invocation_ids": [INV, other, third]},
    )
    assert response.json() == {
        "succeeded": [INV],
        "failed": [
            {"invocation_id": other, "error": f"Invocation '{other}' not found"},
            {"invocation_id": third, "error": "it is done"},
        ],
    }


@pytest.mark.parametrize(
    ("operation", "wanted", "status"),
    [
        ("kill", [INV] * 1001, 400),
        ("kill", [INV, "foo"], 422),
        ("kill", None, 422),
        ("nope", [INV], 404),
    ],
)
async def test_bad_batches(
    rooms: Rooms, operation: str, wanted: list[str] | None, status: int
) -> None:
    """Batches have a size and only good ids."""
    body = {} if wanted is None else {"invocation_ids": wanted}
    url = f"/internal/invocations_batch_operations/{operation}"
    assert (await rooms.admin.post(url, json=body)).status_code == status
    assert rooms.processor.commands == []


# --- the rest ------------------------------------------------------------------------------------


async def test_query(rooms: Rooms) -> None:
    """SQL goes to whoever answers it, with what the client accepts."""
    await rooms.admin.post("/query", json={"query": "SELECT 1"}, headers={"accept": "a/b"})
    assert rooms.queries == [("SELECT 1", "a/b")]


async def test_empty_lists(rooms: Rooms) -> None:
    """There are no subscriptions, no Kafka clusters and no rules."""
    assert (await rooms.admin.get("/subscriptions")).json() == {"subscriptions": []}
    assert (await rooms.admin.get("/kafka-clusters")).json() == {"clusters": []}
    assert (await rooms.admin.put("/limits/rules", json=[])).json() == []
    assert (await rooms.admin.post("/limits/rules/bulk-delete", json=[])).json() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/subscriptions/foo", None, 400, ("Invalid URL: Cannot parse `subscription` with "
         "value `foo`: bad format")),
        ("GET", "/subscriptions/sub_12rbcbE9DyDMI9x0mpjv3G0", None, 404, ("The requested "
         "subscription 'sub_12rbcbE9DyDMI9x0mpjv3G0' does not exist")),
        ("POST", "/subscriptions", {"source": "x", "sink": "service://Greeter/greet"}, 400,
         ("[META0009] invalid source URI 'x': must have a scheme segment, with supported schemes: "
         "[kafka].")),
        ("POST", "/subscriptions", {"source": "kafka://c/t", "sink": "service://Nope/greet"}, 400,
         ("[META0009] invalid sink URI 'service://Nope/greet': cannot find service/handler "
         "specified in the sink URI.")),
        ("POST", "/subscriptions", {"source": "kafka://c/t", "sink": "service://Greeter/greet"},
         400, "Kafka cluster 'c' not found. Available clusters: []"),
        ("GET", "/kafka-clusters/x", None, 404, "The requested Kafka cluster 'x' does not exist"),
        ("DELETE", "/kafka-clusters/x", None, 404, ("not found in the schema registry: kafka "
         "cluster named 'x'")),
        ("POST", "/kafka-clusters", {"name": "x", "properties": {}}, 400, ("kafka cluster 'x' "
         "properties must contain either 'bootstrap.servers' or 'metadata.broker.list'")),
        ("POST", "/vqueues/foo/pause", None, 400, ("The request field 'vqueue_id' is invalid. "
         "Reason: bad format")),
    ],
)  # fmt: skip
async def test_what_there_is_none_of(
    rooms: Rooms, method: str, path: str, body: Any, status: int, message: str
) -> None:
    """What needs Kafka or flow control is refused in the official words."""
    response = await rooms.admin.request(method, path, json=body)
    assert (response.status_code, response.json()["message"]) == (status, message)

"""Deployments over the admin API."""

from __future__ import annotations

from typing import Any

import pytest

from rtour.errors import ManifestError
from tests.server.rooms import URI, Rooms

NO_DP = "dp_12rbcbE9DyDMI9x0mpjv3G0"
OTHER = "http://127.0.0.1:9081/"


async def test_register(rooms: Rooms) -> None:
    """A new deployment is 201 with its place and services in full."""
    response = await rooms.admin.post(
        "/deployments",
        json={"uri": "http://127.0.0.1:9081", "additional_headers": {"a": "b"}, "metadata": None},
    )
    id_ = rooms.deployment_id(OTHER)
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
            f"Conflict: deployment {rooms.deployment_id()} already exists"
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
    id_ = rooms.deployment_id()
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
    url = f"/deployments/{rooms.deployment_id()}"
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
    response = await rooms.admin.delete(f"/deployments/{rooms.deployment_id()}{query}")
    assert response.status_code == status
    assert (rooms.registry.service_names() == []) is (status == 202)

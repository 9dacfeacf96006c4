"""The admin API: versions, routing, bodies, and what there is none of (http-api.md B)."""

from __future__ import annotations

from typing import Any

import pytest

from rtour.server.web import Request
from tests.server.openapi_references import references
from tests.server.rooms import Rooms

INV = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000000"


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
    page = await rooms.admin.get("/ui/")
    assert page.status_code == 200
    assert "`rtour ui --web`" in page.text


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


async def test_asterisk(rooms: Rooms) -> None:
    """`OPTIONS *` has no path at all."""
    reply = await rooms.admin_app(Request("OPTIONS", "*", "", []))
    assert reply.status == 404


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

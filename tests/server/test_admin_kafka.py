"""`/kafka-clusters` and `/subscriptions`, in the official server's words (asked of 1.7.12)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from rtour.engine.commands import StoreDocuments
from rtour.server.kafka.catalog import Cluster
from tests.kafka.topics import ListClient, Topic
from tests.server.rooms import Rooms

BROKERS = {"bootstrap.servers": "127.0.0.1:9092"}
MAIN = {"name": "main", "properties": {**BROKERS, "sasl.password": "hunter2"}}
ORDERS = {"source": "kafka://main/orders", "sink": "service://Counter/add"}


@pytest.fixture
async def kafka() -> AsyncIterator[Rooms]:
    """Rooms with the cluster `main`, whose topics are empty."""
    rooms = await Rooms(open_client=lambda *_: ListClient(Topic())).registered()
    made = await rooms.admin.post("/kafka-clusters", json=MAIN)
    assert made.status_code == 201
    assert made.headers["location"] == "kafka-clusters/main"
    assert made.json()["properties"] == {**BROKERS, "sasl.password": "***"}
    assert made.json()["created_at"].endswith("000000Z")
    yield rooms
    await rooms.subscriptions.stop()


async def subscribed(rooms: Rooms, **changes: Any) -> str:
    answer = await rooms.admin.post("/subscriptions", json=ORDERS | changes)
    assert answer.status_code == 201, answer.text
    id_: str = answer.json()["id"]
    return id_


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        (
            "POST",
            "/kafka-clusters",
            MAIN,
            409,
            "kafka cluster 'main' already exists in schema registry",
        ),
        (
            "POST",
            "/kafka-clusters",
            {"name": "Bad Name!", "properties": BROKERS},
            422,
            "name: invalid uri character",
        ),
        (
            "PATCH",
            "/kafka-clusters/main",
            {"properties": {"x": "y"}},
            400,
            (
                "kafka cluster 'main' properties must contain either 'bootstrap.servers' or "
                "'metadata.broker.list'"
            ),
        ),
        (
            "PATCH",
            "/kafka-clusters/nope",
            {"properties": BROKERS},
            404,
            "not found in the schema registry: kafka cluster 'nope'",
        ),
        (
            "DELETE",
            "/kafka-clusters/nope",
            None,
            404,
            "not found in the schema registry: kafka cluster named 'nope'",
        ),
        (
            "POST",
            "/subscriptions",
            ORDERS | {"source": "kafka://nope/orders"},
            400,
            "Kafka cluster 'nope' not found. Available clusters: [\"main\"]",
        ),
        (
            "POST",
            "/subscriptions",
            ORDERS | {"source": "kafka://main/"},
            400,
            "expected kafka://CLUSTER/TOPIC",
        ),
        (
            "POST",
            "/subscriptions",
            ORDERS | {"sink": "service://Counter"},
            400,
            "cannot find service/handler specified in the sink URI.",
        ),
    ],
)
async def test_mistakes_are_refused(
    kafka: Rooms, method: str, path: str, body: Any, status: int, message: str
) -> None:
    """Each with its reason, and nothing is stored."""
    kafka.processor.commands.clear()
    answer = await kafka.admin.request(method, path, json=body)
    assert answer.status_code == status
    assert message in answer.text.replace('\\"', '"')
    assert kafka.processor.commands == []


async def test_a_subscription_is_shown_with_its_options(kafka: Rooms) -> None:
    """A group of its own, the client's name, secrets hidden; stored with its empty places."""
    id_ = await subscribed(kafka, options={"sasl.password": "p", "auto.offset.reset": "earliest"})
    shown = {
        "id": id_,
        "source": "kafka://main/orders",
        "sink": "service://Counter/add",
        "options": {
            "auto.offset.reset": "earliest",
            "client.id": "restate",
            "group.id": id_,
            "sasl.password": "***",
        },
    }
    assert (await kafka.admin.get(f"/subscriptions/{id_}")).json() == shown
    stored = kafka.processor.commands[-1]
    assert isinstance(stored, StoreDocuments)
    assert [document.kind for document in stored.documents] == [
        "subscription",
        "subscription_places",
    ]
    cluster = (await kafka.admin.get("/kafka-clusters/main")).json()
    assert cluster["subscriptions"] == [shown]


async def test_a_private_handler_may_be_fed(kafka: Rooms) -> None:
    """What the ingress does not let in, Kafka does."""
    assert await subscribed(kafka, sink="service://Greeter/hidden")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2),
        ("?source=kafka://main/orders", 1),
        ("?sink=service://Greeter/greet", 1),
        ("?source=kafka://main/orders&sink=service://Greeter/greet", 0),
    ],
)
async def test_subscriptions_are_filtered_by_exact_urls(
    kafka: Rooms, query: str, found: int
) -> None:
    """By source, by sink, by both."""
    await subscribed(kafka)
    await subscribed(kafka, source="kafka://main/other", sink="service://Greeter/greet")
    listed = (await kafka.admin.get(f"/subscriptions{query}")).json()["subscriptions"]
    assert len(listed) == found


async def test_a_cluster_in_use_is_not_removed_but_by_force(kafka: Rooms) -> None:
    """Then its subscriptions are left without one, and say so."""
    id_ = await subscribed(kafka)
    refused = await kafka.admin.delete("/kafka-clusters/main")
    assert refused.status_code == 409
    assert f"subscription '{id_}' being orphan" in refused.json()["message"]
    assert (await kafka.admin.delete("/kafka-clusters/main?force=true")).status_code == 202
    assert (await kafka.admin.get("/kafka-clusters")).json() == {"clusters": []}
    (reading,) = (await kafka.admin.get("/rtour/subscriptions")).json()["readings"]
    assert reading["state"] == "failing"
    assert reading["error"] == "the Kafka cluster 'main' does not exist"


async def test_a_change_of_properties_keeps_what_was_hidden(kafka: Rooms) -> None:
    """And the readers start anew with them."""
    await subscribed(kafka)
    body = {"properties": {"bootstrap.servers": "b:1", "sasl.password": "***"}}
    changed = await kafka.admin.patch("/kafka-clusters/main", json=body)
    assert changed.json()["properties"] == {"bootstrap.servers": "b:1", "sasl.password": "***"}
    cluster = kafka.subscriptions.cluster("main")
    assert cluster is not None
    assert cluster.properties["sasl.password"] == "hunter2"
    (reading,) = (await kafka.admin.get("/rtour/subscriptions")).json()["readings"]
    assert reading["state"] == "reading"


async def test_an_ended_subscription_is_gone(kafka: Rooms) -> None:
    """Once; a second time there is none."""
    id_ = await subscribed(kafka)
    assert (await kafka.admin.delete(f"/subscriptions/{id_}")).status_code == 202
    assert (await kafka.admin.delete(f"/subscriptions/{id_}")).status_code == 404
    assert (await kafka.admin.get("/subscriptions")).json() == {"subscriptions": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "", {"name": "fixed", "properties": BROKERS}, "conflicts with static config"),
        ("PATCH", "/fixed", {"properties": BROKERS}, "defined in the restate configuration file"),
        ("DELETE", "/fixed", None, "defined in the restate configuration file"),
        ("DELETE", "/fixed?force=true", None, "defined in the restate configuration file"),
    ],
)
async def test_clusters_of_the_configuration_are_changed_there(
    method: str, path: str, body: Any, words: str
) -> None:
    """They are shown, with a word on where they come from, and the API leaves them alone."""
    fixed = Cluster("fixed", {"metadata.broker.list": "a:1", "sasl.password": "x"}, 0)
    rooms = await Rooms(
        open_client=lambda *_: ListClient(Topic()), kafka_clusters=(fixed,)
    ).registered()
    answer = await rooms.admin.request(method, f"/kafka-clusters{path}", json=body)
    assert answer.status_code == 409
    assert words in answer.json()["message"]
    (shown,) = (await rooms.admin.get("/kafka-clusters")).json()["clusters"]
    assert shown["properties"] == {"metadata.broker.list": "a:1", "sasl.password": "***"}
    assert shown["created_at"].startswith("1970-01-01T00:00:00")
    assert "static cluster configuration" in shown["info"][0]["message"]
    await subscribed(rooms, source="kafka://fixed/orders")
    (_, reader) = (await rooms.admin.get("/kafka-clusters/fixed")).json(), rooms.subscriptions
    assert reader.readings()[0].state == "reading"
    await rooms.subscriptions.stop()

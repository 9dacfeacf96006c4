"""Subscriptions, Kafka clusters, rules and queues: none of them can exist here.

The lists are empty, and what would need one says so. Requests are checked first, as the official
server checks them, so that mistakes are reported as such.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from rtour import ids
from rtour.errors import InvalidId
from rtour.server.admin import bodies
from rtour.server.admin.bodies import AdminError, bad_field
from rtour.server.admin.replies import ok
from rtour.server.registry import Registry
from rtour.server.web import Reply, Request

_BROKERS: Final = frozenset({"bootstrap.servers", "metadata.broker.list"})


class KafkaEndpoints:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def list_subscriptions(self, _request: Request, _version: int) -> Reply:
        return ok({"subscriptions": []})

    async def create_subscription(self, request: Request, _version: int) -> Reply:
        body = bodies.read(request, bodies.SUBSCRIPTION)
        source = urlsplit(body.source)
        if source.scheme != "kafka":
            raise _bad_subscription(
                f"invalid source URI '{body.source}': must have a scheme segment, "
                "with supported schemes: [kafka]."
            )
        sink = urlsplit(body.sink)
        if sink.scheme != "service":
            raise _bad_subscription(
                f"invalid sink URI '{body.sink}': must have a scheme segment, "
                "with supported schemes: [service]."
            )
        if self._registry.resolve(sink.netloc, sink.path.strip("/")) is None:
            raise _bad_subscription(
                f"invalid sink URI '{body.sink}': cannot find service/handler specified "
                "in the sink URI."
            )
        raise AdminError(400, f"Kafka cluster '{source.netloc}' not found. Available clusters: []")

    async def get_subscription(self, _request: Request, _version: int, id_: str) -> Reply:
        _check_subscription(id_)
        raise AdminError(404, f"The requested subscription '{id_}' does not exist")

    async def delete_subscription(self, _request: Request, _version: int, id_: str) -> Reply:
        _check_subscription(id_)
        raise AdminError(404, f"not found in the schema registry: subscription with id '{id_}'")

    async def list_kafka_clusters(self, _request: Request, _version: int) -> Reply:
        return ok({"clusters": []})

    async def create_kafka_cluster(self, request: Request, _version: int) -> Reply:
        body = bodies.read(request, bodies.CLUSTER)
        _check_brokers(body.name, body.properties)
        raise AdminError(501, "this server has no Kafka consumer, so it takes no Kafka clusters")

    async def get_kafka_cluster(self, _request: Request, _version: int, name: str) -> Reply:
        raise AdminError(404, f"The requested Kafka cluster '{name}' does not exist")

    async def update_kafka_cluster(self, request: Request, _version: int, name: str) -> Reply:
        body = bodies.read(request, bodies.PROPERTIES)
        _check_brokers(name, body.properties)
        raise _no_cluster(name)

    async def delete_kafka_cluster(self, _request: Request, _version: int, name: str) -> Reply:
        raise _no_cluster(name)

    async def upsert_rules(self, request: Request, _version: int) -> Reply:
        if bodies.read(request, bodies.LIST):
            raise AdminError(501, "this server has no flow control, so it takes no rules")
        return ok([])

    async def bulk_delete_rules(self, request: Request, _version: int) -> Reply:
        bodies.read(request, bodies.LIST)
        return ok([])

    async def pause_vqueue(self, _request: Request, _version: int, id_: str) -> Reply:
        raise _no_vqueue(id_)

    async def resume_vqueue(self, _request: Request, _version: int, id_: str) -> Reply:
        raise _no_vqueue(id_)


def _bad_subscription(message: str) -> AdminError:
    return AdminError(400, f"[META0009] {message}", "META0009")


def _check_subscription(id_: str) -> None:
    try:
        ids.parse_subscription_id(id_)
    except InvalidId as error:
        raise AdminError(
            400, f"Invalid URL: Cannot parse `subscription` with value `{id_}`: {error}"
        ) from error


def _check_brokers(name: str, properties: dict[str, str]) -> None:
    if not _BROKERS & properties.keys():
        raise AdminError(
            400,
            f"kafka cluster '{name}' properties must contain either 'bootstrap.servers' or "
            "'metadata.broker.list'",
        )


def _no_cluster(name: str) -> AdminError:
    return AdminError(404, f"not found in the schema registry: kafka cluster named '{name}'")


def _no_vqueue(id_: str) -> AdminError:
    if not id_.startswith("vq_"):
        return bad_field("vqueue_id", "bad format")
    return AdminError(400, "queues need flow control, which this server does not have")

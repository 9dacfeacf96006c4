"""`/subscriptions` and `/kafka-clusters`, and what rtour says of their readers besides."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from rtour import ids
from rtour.errors import InvalidId
from rtour.server.admin import bodies
from rtour.server.admin.bodies import AdminError, unprocessable
from rtour.server.admin.replies import ok, reply
from rtour.server.instants import rfc3339_nanos
from rtour.server.kafka import catalog
from rtour.server.kafka.catalog import Cluster, Subscription
from rtour.server.kafka.subscriptions import Configured, InUse, Known, Missing, Subscriptions
from rtour.server.registry import Registry
from rtour.server.web import Reply, Request

_CLUSTER_NAME: Final = re.compile(r"[A-Za-z0-9._~-]+")
# Kafka's own rule.
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
# In the official server's words.
_CONFIGURED: Final = (
    "This Kafka cluster was configured in the static cluster configuration, this is deprecated. "
    "Please register it using the new Kafka Admin functionalities."
)
_JSON = dict[str, Any]


class KafkaEndpoints:
    def __init__(self, registry: Registry, subscriptions: Subscriptions) -> None:
        self._registry = registry
        self._subscriptions = subscriptions

    # --- subscriptions ---------------------------------------------------------------------------

    async def list_subscriptions(self, request: Request, _version: int) -> Reply:
        wanted = bodies.query(request)
        found = [
            _subscription(one)
            for one in self._subscriptions.subscriptions()
            if one.source == wanted.get("source", one.source)
            and one.sink == wanted.get("sink", one.sink)
        ]
        return ok({"subscriptions": found})

    async def create_subscription(self, request: Request, _version: int) -> Reply:
        body = bodies.read(request, bodies.SUBSCRIPTION)
        source, sink = _uri("source", body.source), _uri("sink", body.sink)
        self._check_subscription(body.source, source, body.sink, sink)
        made = await self._subscriptions.subscribe(
            f"kafka://{source.netloc}{source.path}",
            f"service://{sink.netloc}{sink.path}",
            body.options or {},
        )
        return _created(f"subscriptions/{made.id}", _subscription(made))

    def _check_subscription(
        self, source_text: str, source: SplitResult, sink_text: str, sink: SplitResult
    ) -> None:
        if source.scheme != "kafka":
            raise _bad_subscription(
                f"invalid source URI '{source_text}': must have a scheme segment, "
                "with supported schemes: [kafka]."
            )
        if sink.scheme != "service":
            raise _bad_subscription(
                f"invalid sink URI '{sink_text}': must have a scheme segment, "
                "with supported schemes: [service]."
            )
        if self._registry.resolve(sink.netloc, sink.path.removeprefix("/")) is None:
            raise _bad_subscription(
                f"invalid sink URI '{sink_text}': cannot find service/handler specified "
                "in the sink URI."
            )
        if self._subscriptions.cluster(source.netloc) is None:
            names = ", ".join(f'"{cluster.name}"' for cluster in self._subscriptions.clusters())
            raise AdminError(
                400, f"Kafka cluster '{source.netloc}' not found. Available clusters: [{names}]"
            )
        if not _TOPIC.fullmatch(source.path.removeprefix("/")):
            raise _bad_subscription(
                f"invalid source URI '{source_text}': expected kafka://CLUSTER/TOPIC, and topics "
                "are made of letters, digits, '.', '_' and '-'."
            )

    async def get_subscription(self, _request: Request, _version: int, id_: str) -> Reply:
        _check_id(id_)
        found = self._subscriptions.subscription(id_)
        if found is None:
            raise AdminError(404, f"The requested subscription '{id_}' does not exist")
        return ok(_subscription(found))

    async def delete_subscription(self, _request: Request, _version: int, id_: str) -> Reply:
        _check_id(id_)
        try:
            await self._subscriptions.unsubscribe(id_)
        except Missing as error:
            raise AdminError(404, str(error)) from error
        return Reply(202, [])

    async def subscription_readings(self, _request: Request, _version: int) -> Reply:
        return ok({"readings": self._subscriptions.readings()})

    # --- clusters --------------------------------------------------------------------------------

    async def list_kafka_clusters(self, _request: Request, _version: int) -> Reply:
        return ok({"clusters": [self._shown(one) for one in self._subscriptions.clusters()]})

    def _shown(self, cluster: Cluster) -> _JSON:
        shown = _cluster(cluster)
        if self._subscriptions.is_configured(cluster.name):
            shown["info"] = [{"message": _CONFIGURED}]
        return shown

    async def create_kafka_cluster(self, request: Request, _version: int) -> Reply:
        body = bodies.read(request, bodies.CLUSTER)
        if not _CLUSTER_NAME.fullmatch(body.name):
            raise unprocessable("name: invalid uri character")
        _check_brokers(body.name, body.properties)
        try:
            made = await self._subscriptions.add_cluster(body.name, body.properties)
        except Known as error:
            raise AdminError(409, str(error)) from error
        return _created(f"kafka-clusters/{made.name}", _cluster(made))

    async def get_kafka_cluster(self, _request: Request, _version: int, name: str) -> Reply:
        found = self._subscriptions.cluster(name)
        if found is None:
            raise AdminError(404, f"The requested Kafka cluster '{name}' does not exist")
        using = [_subscription(one) for one in self._subscriptions.of_cluster(name)]
        return ok({**self._shown(found), "subscriptions": using})

    async def update_kafka_cluster(self, request: Request, _version: int, name: str) -> Reply:
        body = bodies.read(request, bodies.PROPERTIES)
        _check_brokers(name, body.properties)
        try:
            return ok(_cluster(await self._subscriptions.change_cluster(name, body.properties)))
        except Missing as error:
            raise AdminError(404, str(error)) from error
        except Configured as error:
            raise AdminError(409, str(error)) from error

    async def delete_kafka_cluster(self, request: Request, _version: int, name: str) -> Reply:
        force = bodies.flag(request, "force")
        try:
            await self._subscriptions.remove_cluster(name, force=force)
        except Missing as error:
            raise AdminError(404, str(error)) from error
        except (InUse, Configured) as error:
            raise AdminError(409, str(error)) from error
        return Reply(202, [])


def _subscription(one: Subscription) -> _JSON:
    options = catalog.shown(one.options)
    return {"id": one.id, "source": one.source, "sink": one.sink, "options": options}


def _cluster(one: Cluster) -> _JSON:
    return {
        "name": one.name,
        "properties": catalog.shown(one.properties),
        "created_at": rfc3339_nanos(one.created_at),
    }


def _created(location: str, body: _JSON) -> Reply:
    answer = reply(201, body)
    answer.headers.append((b"location", location.encode()))
    return answer


def _uri(what: str, text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError as error:
        raise _bad_subscription(f"invalid {what} URI '{text}': {error}") from error


def _bad_subscription(message: str) -> AdminError:
    return AdminError(400, f"[META0009] {message}", "META0009")


def _check_id(id_: str) -> None:
    try:
        ids.parse_subscription_id(id_)
    except InvalidId as error:
        raise AdminError(
            400, f"Invalid URL: Cannot parse `subscription` with value `{id_}`: {error}"
        ) from error


def _check_brokers(name: str, properties: dict[str, str]) -> None:
    if not set(catalog.BROKERS) & properties.keys():
        raise AdminError(
            400,
            f"kafka cluster '{name}' properties must contain either 'bootstrap.servers' or "
            "'metadata.broker.list'",
        )

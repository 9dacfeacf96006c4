"""Clusters and subscriptions: as stored, as librdkafka wants them, as people may see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

Properties = dict[str, str]

BROKERS: Final = ("bootstrap.servers", "metadata.broker.list")
# How a secret is shown; a change that says so leaves it as it is.
HIDDEN: Final = "***"
_SECRET_PARTS: Final = frozenset(
    {"password", "passphrase", "secret", "key", "keystore", "token", "username"}
)
_SECRETS: Final = frozenset({"sasl.oauthbearer.config"})

_DEFAULTS: Final = {"client.id": "restate"}
# An offset is committed only after the record's invocation is durable, and by our word alone.
_FORCED: Final = {"enable.auto.commit": "true", "enable.auto.offset.store": "false"}


class Cluster(msgspec.Struct, frozen=True):
    """A named Kafka cluster. `properties` are librdkafka's; `created_at` is in ms."""

    name: str
    properties: Properties
    created_at: int


class Subscription(msgspec.Struct, frozen=True):
    """A topic whose records invoke a handler.

    `source` is kafka://CLUSTER/TOPIC, `sink` service://SERVICE/HANDLER. `options` are librdkafka's,
    and win over the cluster's.
    """

    id: str
    source: str
    sink: str
    options: Properties

    @property
    def cluster(self) -> str:
        return urlsplit(self.source).netloc

    @property
    def topic(self) -> str:
        return urlsplit(self.source).path.removeprefix("/")

    @property
    def service(self) -> str:
        return urlsplit(self.sink).netloc

    @property
    def handler(self) -> str:
        return urlsplit(self.sink).path.removeprefix("/")


def with_defaults(id_: str, options: Mapping[str, str]) -> Properties:
    """The options of a new subscription."""
    return {**_DEFAULTS, "group.id": id_, **options}


def consumer_properties(cluster: Cluster, subscription: Subscription) -> Properties:
    """What its consumer is made with: options before the cluster's properties."""
    return {**cluster.properties, **subscription.options, **_FORCED}


def shown(properties: Mapping[str, str]) -> Properties:
    """The same without secrets, by name."""
    return {name: HIDDEN if _secret(name) else value for name, value in sorted(properties.items())}


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> Properties:
    """The new properties; a hidden value that was shown and came back is the old one."""
    return {
        name: before[name] if value == HIDDEN and name in before else value
        for name, value in after.items()
    }


def _secret(name: str) -> bool:
    lowered = name.lower()
    return lowered in _SECRETS or not _SECRET_PARTS.isdisjoint(lowered.split("."))

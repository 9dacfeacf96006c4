"""Clusters and subscriptions: made, changed, listed, ended, and a reader for each that can read.

What is decided here is stored first and takes effect afterwards, one change at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from random import Random

import msgspec
from msgspec.structs import replace

from rtour import ids
from rtour.clock import Clock
from rtour.engine import places
from rtour.engine.commands import Document, StoreDocuments
from rtour.engine.model import DocumentKind
from rtour.errors import RtourError
from rtour.server.kafka import catalog
from rtour.server.kafka.catalog import Cluster, Properties, Subscription
from rtour.server.kafka.client import Client, RdKafkaClient
from rtour.server.kafka.reader import Reader, Reading
from rtour.server.kafka.records import Deliveries
from rtour.server.registry import Registry
from rtour.server.requests import Requests
from rtour.server.tasks import TaskSet

log = logging.getLogger("rtour.kafka")

OpenClient = Callable[[Properties, str], Client]
_CLUSTER = msgspec.json.Decoder(Cluster)
_SUBSCRIPTION = msgspec.json.Decoder(Subscription)


class Known(RtourError):  # noqa: N818 - reads as the fact it reports
    """A cluster of that name is there already."""


class Missing(RtourError):  # noqa: N818
    """There is no such cluster or subscription."""


class InUse(RtourError):  # noqa: N818
    """The cluster has a subscription."""


class Configured(RtourError):  # noqa: N818
    """The cluster is one of the configuration, which alone can change it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"kafka cluster '{name}' cannot be updated, because it was defined in the restate "
            "configuration file. Update the configuration file directly, or remove the "
            "configuration file"
        )


class Subscriptions:
    """All of the server's. `open_client` makes consumers; tests and simulations bring their own.

    `configured` clusters are there as long as the configuration names them, and hide stored ones.
    """

    def __init__(
        self,
        registry: Registry,
        requests: Requests,
        clock: Clock,
        random: Random,
        open_client: OpenClient = RdKafkaClient,
        configured: Iterable[Cluster] = (),
    ) -> None:
        self._registry = registry
        self._requests = requests
        self._clock = clock
        self._random = random
        self._open_client = open_client
        self._configured = {cluster.name: cluster for cluster in configured}
        self._clusters = dict(self._configured)
        self._subscriptions: dict[str, Subscription] = {}
        self._readers: dict[str, tuple[Reader, asyncio.Task[None]]] = {}
        self._tasks = TaskSet()
        self._one_at_a_time = asyncio.Lock()

    def load(self, documents: Iterable[Document]) -> None:
        """Take over what a storage recovered."""
        for document in documents:
            if document.json is None:
                continue
            if document.kind is DocumentKind.KAFKA_CLUSTER:
                cluster = _CLUSTER.decode(document.json)
                self._clusters.setdefault(cluster.name, cluster)
            elif document.kind is DocumentKind.SUBSCRIPTION:
                subscription = _SUBSCRIPTION.decode(document.json)
                self._subscriptions[subscription.id] = subscription

    def start(self) -> None:
        """Start to read."""
        for subscription in self._subscriptions.values():
            self._start_reader(subscription)

    async def stop(self) -> None:
        """Read no more; what was taken is committed."""
        self._readers.clear()
        await self._tasks.cancel_all()

    # --- what there is ---------------------------------------------------------------------------

    def clusters(self) -> list[Cluster]:
        return sorted(self._clusters.values(), key=lambda cluster: cluster.name)

    def cluster(self, name: str) -> Cluster | None:
        return self._clusters.get(name)

    def is_configured(self, name: str) -> bool:
        """Whether the configuration names this cluster."""
        return name in self._configured

    def subscriptions(self) -> list[Subscription]:
        return sorted(self._subscriptions.values(), key=lambda subscription: subscription.id)

    def of_cluster(self, name: str) -> list[Subscription]:
        return [one for one in self.subscriptions() if one.cluster == name]

    def subscription(self, id_: str) -> Subscription | None:
        return self._subscriptions.get(id_)

    def readings(self) -> list[Reading]:
        """How each subscription's reader is doing."""
        return [self._reading(subscription) for subscription in self.subscriptions()]

    def taken(self) -> Iterator[tuple[Subscription, int, int]]:
        """How many records became invocations, by subscription and partition."""
        for subscription in self.subscriptions():
            if (running := self._readers.get(subscription.id)) is not None:
                for partition, count in sorted(running[0].taken.items()):
                    yield subscription, partition, count

    def _reading(self, subscription: Subscription) -> Reading:
        running = self._readers.get(subscription.id)
        if running is None:
            missing = f"the Kafka cluster '{subscription.cluster}' does not exist"
            return Reading(subscription.id, "failing", missing, 0, {}, {})
        return running[0].reading()

    # --- changes ---------------------------------------------------------------------------------

    async def add_cluster(self, name: str, properties: Properties) -> Cluster:
        """Raises Known."""
        async with self._one_at_a_time:
            if name in self._configured:
                raise Known(
                    f"kafka cluster '{name}' conflicts with static configuration. Cluster names in "
                    "schema registry cannot override statically configured clusters."
                )
            if name in self._clusters:
                raise Known(f"kafka cluster '{name}' already exists in schema registry")
            cluster = Cluster(name, properties, self._clock.now_ms())
            await self._put_cluster(cluster)
            return cluster

    async def change_cluster(self, name: str, properties: Properties) -> Cluster:
        """Replace the properties; hidden ones stay, readers start anew.

        Raises Missing and Configured.
        """
        async with self._one_at_a_time:
            self._check_stored(name)
            before = self._clusters.get(name)
            if before is None:
                raise Missing(f"not found in the schema registry: kafka cluster '{name}'")
            properties = catalog.changed(before.properties, properties)
            cluster = replace(before, properties=properties)
            await self._put_cluster(cluster)
            return cluster

    async def remove_cluster(self, name: str, *, force: bool) -> None:
        """With `force` its subscriptions stay, and read nothing.

        Raises Missing, InUse and Configured.
        """
        async with self._one_at_a_time:
            self._check_stored(name)
            if name not in self._clusters:
                raise Missing(f"not found in the schema registry: kafka cluster named '{name}'")
            using = [subscription.id for subscription in self.of_cluster(name)]
            if using and not force:
                raise InUse(
                    f"Removing the kafka cluster '{name}' leads to subscription '{using[0]}' being "
                    "orphan. Remove the subscription first, or use the 'force' flag."
                )
            await self._store(Document(DocumentKind.KAFKA_CLUSTER, name, None))
            del self._clusters[name]
            await self._stop_readers(using)

    async def subscribe(self, source: str, sink: str, options: Properties) -> Subscription:
        """Make a subscription, and read. What it names must be there: the caller has checked."""
        async with self._one_at_a_time:
            uuid = ids.ulid(self._clock.now_ms(), self._random.randbytes(10))
            id_ = ids.subscription_id(uuid)
            subscription = Subscription(id_, source, sink, catalog.with_defaults(id_, options))
            await self._store(
                _document(DocumentKind.SUBSCRIPTION, id_, subscription),
                Document(DocumentKind.SUBSCRIPTION_PLACES, id_, places.NOWHERE),
            )
            self._subscriptions[id_] = subscription
            log.info("The subscription %s feeds %s to %s", id_, source, sink)
            self._start_reader(subscription)
            return subscription

    async def unsubscribe(self, id_: str) -> None:
        """End a subscription; what it invoked goes on. Raises Missing."""
        async with self._one_at_a_time:
            if id_ not in self._subscriptions:
                raise Missing(f"not found in the schema registry: subscription with id '{id_}'")
            await self._stop_readers([id_])
            await self._store(
                Document(DocumentKind.SUBSCRIPTION, id_, None),
                Document(DocumentKind.SUBSCRIPTION_PLACES, id_, None),
            )
            del self._subscriptions[id_]
            log.info("The subscription %s was ended", id_)

    def _check_stored(self, name: str) -> None:
        if name in self._configured:
            raise Configured(name)

    async def _put_cluster(self, cluster: Cluster) -> None:
        await self._store(_document(DocumentKind.KAFKA_CLUSTER, cluster.name, cluster))
        self._clusters[cluster.name] = cluster
        using = self.of_cluster(cluster.name)
        await self._stop_readers([subscription.id for subscription in using])
        for subscription in using:
            self._start_reader(subscription)

    async def _store(self, *documents: Document) -> None:
        await self._requests.ask(lambda number: StoreDocuments(documents, number))

    # --- readers ---------------------------------------------------------------------------------

    def _start_reader(self, subscription: Subscription) -> None:
        cluster = self._clusters.get(subscription.cluster)
        if cluster is None:
            log.warning(
                "The subscription %s reads nothing: there is no Kafka cluster '%s'",
                subscription.id,
                subscription.cluster,
            )
            return
        properties = catalog.consumer_properties(cluster, subscription)
        group = properties.get("group.id", subscription.id)
        reader = Reader(
            subscription,
            lambda: self._open_client(properties, subscription.topic),
            Deliveries(subscription, group, self._registry, self._clock, self._random),
            self._requests,
        )
        task = self._tasks.spawn(reader.run(), f"reader of {subscription.id}")
        self._readers[subscription.id] = (reader, task)

    async def _stop_readers(self, ids_: list[str]) -> None:
        tasks = [self._readers.pop(id_)[1] for id_ in ids_ if id_ in self._readers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _document(kind: DocumentKind, id_: str, content: Cluster | Subscription) -> Document:
    return Document(kind, id_, msgspec.json.encode(content))

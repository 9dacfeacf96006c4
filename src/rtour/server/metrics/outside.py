"""Metrics of what is read from Kafka, and of the spans that a collector gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rtour.server.metrics.exposition import Labels, Metric, Sample

if TYPE_CHECKING:
    from rtour.server.kafka.catalog import Subscription
    from rtour.server.main import Server

PLACE: Final = ("subscription", "topic", "partition")


def _of(subscription: Subscription | None, partition: int) -> Labels:
    assert subscription is not None, "only those that stand are read"
    topic = subscription.topic
    return {"subscription": subscription.id, "topic": topic, "partition": str(partition)}


def metrics(server: Server) -> Iterator[Metric]:
    subscriptions = server.subscriptions

    def taken() -> Iterator[Sample]:
        for subscription, partition, count in subscriptions.taken():
            yield _of(subscription, partition), count

    def lag() -> Iterator[Sample]:
        for reading in subscriptions.readings():
            subscription = subscriptions.subscription(reading.subscription_id)
            for partition, behind in reading.lag.items():
                yield _of(subscription, partition), behind

    def spans() -> Iterator[Sample]:
        tracing = server.tracing
        if tracing is not None:
            yield {"outcome": "exported"}, tracing.exporter.counts.exported
            yield {"outcome": "lost"}, tracing.exporter.counts.lost

    yield Metric(
        "restate_kafka_ingress_requests_total",
        "counter",
        "Records that became invocations.",
        taken,
        PLACE,
    )
    yield Metric(
        "restate_kafka_ingress_consumer_lag",
        "gauge",
        "Records that are still to be read.",
        lag,
        PLACE,
    )
    yield Metric("rtour_spans_total", "counter", "Spans, if tracing is on.", spans, ("outcome",))

"""What a record invokes, and with which headers."""

from __future__ import annotations

import base64
from random import Random

import msgspec

from rtour.clock import Clock
from rtour.engine.commands import Invoke
from rtour.engine.model import FromSubscription, Place, ServiceType, Target
from rtour.errors import RtourError
from rtour.protocol.messages import Header
from rtour.server.kafka.catalog import Subscription
from rtour.server.preconditions import invocation_id, is_fresh
from rtour.server.registry import Registry


class Record(msgspec.Struct, frozen=True, gc=False):
    """A Kafka record. `timestamp` is in ms, None if the topic keeps none."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int | None = None


class Undeliverable(RtourError):  # noqa: N818 - reads as the fact it reports
    """A record that invokes nothing as things are; it is tried again, and nothing is lost."""


class Deliveries:
    """Turns the records of one subscription into commands."""

    def __init__(
        self,
        subscription: Subscription,
        group: str,
        registry: Registry,
        clock: Clock,
        random: Random,
    ) -> None:
        self._subscription = subscription
        self._group = group
        self._registry = registry
        self._clock = clock
        self._random = random

    def invoke(self, record: Record, after: int) -> Invoke:
        """The command; `after` is the offset before it. Raises Undeliverable."""
        target = self._target(record)
        meta = self._registry.resolve(target.service, target.handler)
        assert meta is not None, "its target was just found"
        completion_ms, journal_ms = self._registry.retention(meta, None, target)
        subscription = self._subscription
        return Invoke(
            id=invocation_id(target, None, self._random, self._clock.now_ms()),
            target=target,
            source=FromSubscription(subscription.id),
            headers=_headers(record, subscription.id),
            body=record.value or b"",
            completion_retention_ms=completion_ms,
            journal_retention_ms=journal_ms,
            fresh=is_fresh(target, None),
            place=Place(subscription.id, self._source(record), record.offset, after),
        )

    def _source(self, record: Record) -> str:
        return f"{self._group}/{record.topic}/{record.partition}"

    def _target(self, record: Record) -> Target:
        service, handler = self._subscription.service, self._subscription.handler
        meta = self._registry.resolve(service, handler)
        if meta is None:
            raise Undeliverable(
                f"'{service}/{handler}' is not registered: register a deployment that serves it, "
                "or end the subscription"
            )
        keyed = meta.target("").service_type is not ServiceType.SERVICE
        return meta.target(_key(record) if keyed else None)


def _key(record: Record) -> str:
    try:
        return (record.key or b"").decode()
    except UnicodeDecodeError as error:
        raise Undeliverable(
            f"the key {record.key!r} is not UTF-8, and the key of an object must be: invoke a "
            "plain service instead, or end the subscription and make one that starts after it"
        ) from error


def _headers(record: Record, subscription_id: str) -> tuple[Header, ...]:
    headers = [
        Header("kafka.offset", str(record.offset)),
        Header("kafka.topic", record.topic),
        Header("kafka.partition", str(record.partition)),
        Header("restate.subscription.id", subscription_id),
    ]
    if record.timestamp is not None:
        headers.insert(3, Header("kafka.timestamp", str(record.timestamp)))
    if record.key is not None:
        headers.append(Header("kafka.key", base64.urlsafe_b64encode(record.key).decode()))
    return tuple(headers)

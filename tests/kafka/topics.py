"""A Kafka of lists: topics with partitions, a group with committed offsets, faults to order."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from rtour.server.kafka.client import KafkaFailed
from rtour.server.kafka.records import Record

TOPIC = "orders"
BATCH = 10  # records in one read


class Topic:
    """Partitions of records, and what the one group committed."""

    def __init__(self) -> None:
        self.partitions: defaultdict[int, list[Record]] = defaultdict(list)
        self.committed: dict[int, int] = {}
        self.opened = 0
        self.fail_next: str | None = None
        self.forgotten: set[tuple[int, int]] = set()  # by retention: partition and offset
        self.complaint: str | None = None

    def put(self, key: bytes | None, value: bytes, partition: int = 0) -> Record:
        """Append a record."""
        log = self.partitions[partition]
        log.append(Record(TOPIC, partition, len(log), key, value, 1000 + len(log)))
        return log[-1]


class ListClient:
    """A `Client` that reads a `Topic` from what was committed."""

    def __init__(self, topic: Topic, batch: int = BATCH) -> None:
        topic.opened += 1
        self._topic = topic
        self._batch = batch
        self._next = dict(topic.committed)
        self._paused: set[int] = set()
        self._stored: dict[int, int] = {}
        self.closed = False

    async def poll(self) -> list[Record]:
        if self._topic.fail_next is not None:
            words, self._topic.fail_next = self._topic.fail_next, None
            raise KafkaFailed(words)
        found: list[Record] = []
        for partition, log in sorted(self._topic.partitions.items()):
            if partition not in self._paused:
                start = self._next.get(partition, 0)
                fresh = log[start : start + self._batch]
                self._next[partition] = start + len(fresh)
                forgotten = self._topic.forgotten
                found += [one for one in fresh if (partition, one.offset) not in forgotten]
        if not found:
            await asyncio.sleep(0.5)
        return found

    async def taken(self, record: Record) -> None:
        self._stored[record.partition] = record.offset + 1

    async def hold(self, record: Record) -> None:
        self._paused.add(record.partition)
        self._next[record.partition] = record.offset

    async def release(self, record: Record) -> bool:
        self._paused.discard(record.partition)
        self._next[record.partition] = record.offset
        return True

    async def lags(self) -> dict[int, int | None]:
        logs = self._topic.partitions
        return {one: len(log) - self._next.get(one, 0) for one, log in logs.items()}

    def complaint(self) -> str | None:
        return self._topic.complaint

    async def close(self) -> None:
        self.commit()
        self.closed = True

    def commit(self) -> None:
        """What librdkafka does now and then by itself."""
        self._topic.committed.update(self._stored)

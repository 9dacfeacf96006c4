"""A Kafka of lists under faults: consumers fail, and commits are behind what was taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Protocol

from rtour.server.kafka.client import KafkaFailed
from rtour.server.kafka.records import Record
from tests.kafka.topics import ListClient, Topic
from tests.simulation.faults import Faults

SOURCE = "kafka://main/orders"
SINK = "service://Ledger/note"
KEY = "kafka"
PARTITIONS = 2
RECORDS_MAX = 3  # of one poll
NEWS_S = 60.0


class Host(Protocol):
    """What Kafka knows of the world."""

    @property
    def faults(self) -> Faults: ...

    def chance(self, probability: float) -> bool: ...

    def note(self, event: str) -> None: ...


class WorldTopic(Topic):
    """A topic whose every record asks to note a line, in the order of its partition."""

    def __init__(self, host: Host, random: Random) -> None:
        super().__init__()
        self.host = host
        self.random = random
        self.news = asyncio.Event()

    def publish(self, line: str) -> None:
        partition = self.random.randrange(PARTITIONS)
        self.put(KEY.encode(), f'"{line}"'.encode(), partition)
        self.news.set()

    def lines(self) -> list[list[str]]:
        """What is to be noted, by partition."""
        return [
            [(record.value or b"").decode().strip('"') for record in log]
            for log in self.partitions.values()
        ]

    def open(self, is_dead: Callable[[], bool]) -> WorldClient:
        return WorldClient(self, is_dead)


class WorldClient(ListClient):
    """A consumer of one life of the server."""

    def __init__(self, topic: WorldTopic, is_dead: Callable[[], bool]) -> None:
        super().__init__(topic, RECORDS_MAX)
        self._world_topic = topic
        self._is_dead = is_dead

    async def poll(self) -> list[Record]:
        topic = self._world_topic
        if topic.host.chance(topic.host.faults.kafka_fails):
            raise KafkaFailed("the broker went away")
        topic.news.clear()
        if not any((await self.lags()).values()):
            retry = self._paused  # what is held back is looked at again soon
            try:
                async with asyncio.timeout(0.5 if retry else NEWS_S):
                    await topic.news.wait()
            except TimeoutError:
                return []
        found = await super().poll()
        topic.host.note(f"Kafka gives {[record.offset for record in found]}")
        return found

    async def taken(self, record: Record) -> None:
        await super().taken(record)
        if self._world_topic.random.random() < 0.6:
            self.commit()

    def commit(self) -> None:
        if not self._is_dead():
            super().commit()

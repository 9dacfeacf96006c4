"""librdkafka as the reader uses it, against the broker that librdkafka brings for tests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer

from rtour.server.kafka.client import RECORDS_MAX, KafkaFailed, RdKafkaClient
from rtour.server.kafka.records import Record

TOPIC = "orders"
WITHIN_S = 30


class Cluster:
    """One broker in this process, with a producer."""

    def __init__(self) -> None:
        self.producer = Producer({"test.mock.num.brokers": "1", "log_level": 0})
        (broker,) = self.producer.list_topics(timeout=WITHIN_S).brokers.values()
        self.address = f"{broker.host}:{broker.port}"

    def put(self, *values: bytes, partition: int = 0) -> None:
        for value in values:
            self.producer.produce(TOPIC, key=b"k", value=value, partition=partition)
        assert self.producer.flush(WITHIN_S) == 0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    del made.producer


class Group:
    """Clients of one consumer group; those that are open are closed in the end."""

    def __init__(self, address: str, name: str) -> None:
        self._properties = {
            "bootstrap.servers": address,
            "group.id": name,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": "true",
            "enable.auto.offset.store": "false",
            "session.timeout.ms": "6000",
            "log_level": "0",
        }
        self._open: list[RdKafkaClient] = []

    def client(self, **properties: str) -> RdKafkaClient:
        changed = {name.replace("_", "."): value for name, value in properties.items()}
        self._open.append(RdKafkaClient(self._properties | changed, TOPIC))
        return self._open[-1]

    async def close(self) -> None:
        for client in self._open:
            await client.close()


@pytest.fixture
async def group(cluster: Cluster, request: Any) -> AsyncIterator[Group]:
    made = Group(cluster.address, request.node.name)
    yield made
    await made.close()


async def records(client: RdKafkaClient, count: int, partition: int = 0) -> list[Record]:
    """The next ones of a partition, as soon as there are so many."""
    found: list[Record] = []
    async with asyncio.timeout(WITHIN_S):
        while len(found) < count:
            found += [one for one in await client.poll() if one.partition == partition]
    return found


async def test_what_was_taken_is_not_read_again(cluster: Cluster, group: Group) -> None:
    """The next client of the group goes on behind it; what was only read comes again."""
    cluster.put(b"0", b"1", b"2", b"3")
    first = group.client()
    read = await records(first, 4)
    assert [record.offset for record in read] == [0, 1, 2, 3]
    assert (read[0].topic, read[0].key, read[0].value) == (TOPIC, b"k", b"0")
    assert read[0].timestamp is not None
    await first.taken(read[1])
    await first.close()
    assert [record.value for record in await records(group.client(), 2)] == [b"2", b"3"]


async def test_one_read_takes_so_many_records() -> None:
    """What waits beyond them is read the next time."""
    crowded = Cluster()
    crowded.put(*[b"x"] * (RECORDS_MAX + 100))
    group = Group(crowded.address, "one")
    client, found = group.client(), list[int]()
    async with asyncio.timeout(WITHIN_S):
        while sum(found) < RECORDS_MAX + 100:
            found.append(len(await client.poll()))
    assert max(found) == RECORDS_MAX
    await group.close()


async def test_a_held_partition_waits_and_goes_on_with_the_same_record(
    cluster: Cluster, group: Group
) -> None:
    """Nothing of it is read while it is held, the other partition is."""
    cluster.put(b"a", b"b", partition=1)
    cluster.put(b"other", partition=2)
    client = group.client()
    read = await records(client, 2, partition=1)
    await client.hold(read[1])
    cluster.put(b"more", partition=2)
    assert await records(client, 1, partition=2)
    cluster.put(b"c", partition=1)
    for _ in range(3):
        assert [one for one in await client.poll() if one.partition == 1] == []
    assert await client.release(read[1])
    again = await records(client, 2, partition=1)
    assert [record.value for record in again] == [b"b", b"c"]


async def test_a_held_record_is_still_to_be_read(cluster: Cluster, group: Group) -> None:
    """It counts for the lag, with all behind it."""
    cluster.put(b"a", b"b", partition=0)
    client = group.client()
    read = await records(client, 1)
    while read[-1].value != b"b":
        read += await records(client, 1)
    await client.hold(read[-2])
    assert (await client.lags())[0] == 2


async def test_lag_is_what_was_not_read_yet(cluster: Cluster, group: Group) -> None:
    """Once all is read, there is none."""
    cluster.put(b"x", partition=3)
    client = group.client()
    await records(client, 1, partition=3)
    async with asyncio.timeout(WITHIN_S):
        while (lags := await client.lags()).get(3) != 0:
            await client.poll()
    assert all(lag is None or lag >= 0 for lag in lags.values())


async def test_a_partition_that_is_not_ours_is_left_alone(cluster: Cluster, group: Group) -> None:
    """Taking and releasing its records changes nothing."""
    client = group.client()
    stranger = Record(TOPIC, 99, 5, None, None)
    await client.taken(stranger)
    assert await client.release(stranger) is False


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"nonsense": "1"}, 'No such configuration property: "nonsense"'),
        ({"session_timeout_ms": "soon"}, "session.timeout.ms"),
    ],
)
async def test_a_property_that_is_none_is_named(
    group: Group, properties: dict[str, str], words: str
) -> None:
    """In librdkafka's words."""
    with pytest.raises(KafkaFailed, match=words):
        group.client(**properties)


async def test_the_lag_of_a_group_is_known_before_it_reads(cluster: Cluster, group: Group) -> None:
    """From what it took the last time, although there is nothing new to read."""
    cluster.put(b"x", b"the last", partition=2)
    first = group.client()
    read = await records(first, 1, partition=2)
    while read[-1].value != b"the last":
        read += await records(first, 1, partition=2)
    await first.taken(read[-1])
    await first.close()
    second = group.client()
    async with asyncio.timeout(WITHIN_S):
        while (await second.lags()).get(2) != 0:
            assert not [one for one in await second.poll() if one.partition == 2]


async def test_brokers_that_cannot_be_reached_are_complained_of(group: Group) -> None:
    """Reading goes on trying, and says what is wrong meanwhile: the reason, not the sum of it."""
    client = group.client(bootstrap_servers="127.0.0.1:1")
    async with asyncio.timeout(WITHIN_S):
        while "127.0.0.1:1" not in (client.complaint() or ""):
            assert await client.poll() == []
    for _ in range(3):
        await client.poll()
        assert "Connection refused" in (client.complaint() or "")
        assert "ms in state" not in (client.complaint() or "")


async def test_brokers_that_fall_silent_are_complained_of_by_name(group: Group) -> None:
    """Connections that simply end are no reason that librdkafka would tell."""
    client = group.client(bootstrap_servers="127.0.0.1:1")
    client._complaint = None
    client._complained(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert client.complaint() == "no broker of 127.0.0.1:1 answers (1/1 brokers are down)"


async def test_a_complaint_ends_when_the_brokers_answer(cluster: Cluster, group: Group) -> None:
    """Although no record comes that would show it."""
    cluster.put(b"before")  # so that there is a topic, whichever test runs first
    client = group.client(auto_offset_reset="latest")
    error = KafkaError(KafkaError._AUTHENTICATION, "no such user")
    client._complained(error)
    client._complained(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert client.complaint() == "no such user"
    async with asyncio.timeout(WITHIN_S):
        while client.complaint() is not None:
            await client.poll()


def test_the_lines_of_tries_that_fail_are_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    """It writes one many times a second; what else it says is told as it is."""
    log = logging.getLogger("rtour.kafka.librdkafka")
    with caplog.at_level(logging.INFO, log.name):
        log.error("FAIL [rdkafka#consumer-1] refused")
        log.warning("REQTMOUT [rdkafka#consumer-1] timed out")
        log.warning("CONFWARN [rdkafka#consumer-1] acks is for producers")
    assert [line.getMessage()[:8] for line in caplog.records] == ["CONFWARN"]
    with caplog.at_level(logging.DEBUG, log.name):
        log.error("FAIL [rdkafka#consumer-1] refused")
    assert caplog.records[-1].levelname == "DEBUG"


async def test_without_the_extra_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which package is missing, and how to get it."""
    monkeypatch.setitem(__import__("sys").modules, "confluent_kafka", None)
    with pytest.raises(KafkaFailed, match=r"pip install 'rtour\[kafka\]'"):
        RdKafkaClient({}, TOPIC)

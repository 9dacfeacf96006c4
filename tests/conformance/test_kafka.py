"""Kafka topics invoke handlers, against a real broker; the official server as the model."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance import kafka_broker
from tests.conformance.kafka_broker import Broker, broker
from tests.conformance.sites import kinds, site
from tests.conformance.waiting import eventually
from tests.conformance.world import Site

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.slow,
    pytest.mark.skipif(not kafka_broker.available(), reason="no Java or no Maven here"),
]

RECORDS, KEYS, PARTITIONS = 10_000, 50, 6
DONE = "SELECT COUNT(*) AS n FROM sys_invocation WHERE invoked_by = 'subscription'"


async def subscribe(here: Site, kafka: Broker, topic: str, sink: str, **options: str) -> str:
    """Make the cluster if need be, and the subscription; its id."""
    async with httpx.AsyncClient(base_url=here.server.admin_url, timeout=30) as admin:
        body = {"name": "main", "properties": {"bootstrap.servers": kafka.address}}
        assert (await admin.post("/kafka-clusters", json=body)).status_code in {201, 409}
        wanted = {"auto.offset.reset": "earliest", **options}
        body = {"source": f"kafka://main/{topic}", "sink": sink, "options": wanted}
        answer = await admin.post("/subscriptions", json=body)
    assert answer.status_code == 201, answer.text
    id_: str = answer.json()["id"]
    return id_


async def produce(kafka: Broker, topic: str, keys: int, records: int) -> None:
    """Numbers from 0 on, key by key in turn."""
    producer = kafka.producer()
    for number in range(records):
        key = f"key{number % keys}"
        while True:
            try:
                producer.produce(topic, key=key, value=json.dumps(number))
                break
            except BufferError:
                await asyncio.to_thread(producer.poll, 0.1)
    assert await asyncio.to_thread(producer.flush, 120) == 0


async def ledgers(here: Site) -> dict[str, list[int]]:
    rows = await here.server.sql(
        "SELECT service_key, value_utf8 FROM state WHERE service_name = 'Ledger'"
    )
    return {row["service_key"]: json.loads(row["value_utf8"]) for row in rows}


async def progress(here: Site, beyond: int) -> int:
    """Wait until more records than `beyond` have their invocations; how many have."""

    async def done() -> int:
        count: int = (await here.server.sql(DONE))[0]["n"]
        return count

    return await eventually("more records", done, lambda n: n > beyond, within_s=120)


async def test_each_record_is_one_invocation_whatever_is_killed(tmp_path: Path) -> None:
    """10,000 records; the server killed and broker connections cut in turn; order per key."""
    faults = ["kill", "cut"] * 4
    random.Random(10).shuffle(faults)
    async with broker(tmp_path / "kafka") as kafka, site("rtour", "python", tmp_path) as here:
        await kafka.topic("orders", PARTITIONS)
        await produce(kafka, "orders", KEYS, RECORDS)
        options = {
            # A killed consumer keeps its partitions until its session ends: 45 s by default.
            "session.timeout.ms": "6000",
            # Few records ahead, or all would be fetched before the first fault.
            "queued.min.messages": "1",
            "max.partition.fetch.bytes": "4096",
        }
        await subscribe(here, kafka, "orders", "service://Ledger/add", **options)
        count = 0
        for fault in faults:  # each as soon as reading has gone on after the one before
            count = await progress(here, count)
            assert count < RECORDS, "all was read before the last fault"
            if fault == "kill":
                here.server.kill()
                await here.server.start()
            else:
                await eventually("it is connected", kafka.relay.connections)
                kafka.relay.cut()
        await progress(here, RECORDS - 1)

        async def added() -> int:
            return sum(len(entries) for entries in (await ledgers(here)).values())

        await eventually("all handled", added, lambda n: n >= RECORDS, within_s=200)
        assert await ledgers(here) == {
            f"key{key}": list(range(key, RECORDS, KEYS)) for key in range(KEYS)
        }
        assert (await here.server.sql(DONE))[0]["n"] == RECORDS


@pytest.mark.parametrize("kind", kinds())
async def test_what_a_private_handler_is_told(kind: Any, tmp_path: Path) -> None:
    """Body and headers, on both servers alike."""
    async with broker(tmp_path / "kafka") as kafka, site(kind, "python", tmp_path) as here:
        await kafka.topic("news", 1)
        id_ = await subscribe(here, kafka, "news", "service://Teller/tell")
        producer = kafka.producer()
        headers = {"own": "header", "x-restate-scope": "s"}
        producer.produce("news", key=b"\xfe key", value=b'"a"', headers=headers, timestamp=1234)
        producer.produce("news", value=b'"b"', timestamp=1235)
        assert await asyncio.to_thread(producer.flush, 30) == 0
        told = [json.loads(line) for line in await here.endpoint.outside.effect("told", 2, 60)]
        told.sort(key=lambda one: str(one["body"]))
        common = {
            "kafka.topic": "news",
            "kafka.partition": "0",
            "restate.subscription.id": id_,
        }
        first = {"kafka.offset": "0", "kafka.timestamp": "1234", "kafka.key": "_iBrZXk="}
        second = {"kafka.offset": "1", "kafka.timestamp": "1235"}
        assert told == [
            {"body": "a", "headers": common | first},
            {"body": "b", "headers": common | second},
        ]


async def readings(here: Site) -> Any:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{here.server.admin_url}/rtour/subscriptions")
    return answer.json()["readings"]


async def test_what_goes_wrong_is_reported_and_invocations_go_on(tmp_path: Path) -> None:
    """A topic that is not there, a property that is none, a broker that went away."""
    async with broker(tmp_path / "kafka") as kafka, site("rtour", "python", tmp_path) as here:
        await kafka.topic("orders", 1)
        missing = await subscribe(here, kafka, "nowhere", "service://Teller/tell")
        wrong = await subscribe(here, kafka, "orders", "service://Teller/tell", nonsense="1")
        denied = await subscribe(
            here,
            kafka,
            "orders",
            "service://Teller/tell",
            **{"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN"},
            **{"sasl.username": "me", "sasl.password": "wrong"},
        )

        async def errors() -> dict[str, str]:
            return {r["subscription_id"]: r["error"] for r in await readings(here) if r["error"]}

        found = await eventually("reported", errors, lambda e: len(e) == 3, within_s=60)
        assert "Unknown topic" in found[missing]
        assert 'No such configuration property: "nonsense"' in found[wrong]
        assert "SASL" in found[denied] or "sasl" in found[denied]
        assert "wrong" not in str(found)
        async with httpx.AsyncClient() as client:
            answer = await client.post(f"{here.server.ingress_url}/Ledger/k/add", json=1)
        assert answer.status_code == 200

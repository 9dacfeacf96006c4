"""Kafka topics invoke handlers, against a real broker; the official server as the model."""

from __future__ import annotations

import asyncio
import json
import os
import random
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance import kafka_broker
from tests.conformance.kafka_broker import PASSWORD, PATIENCE_S, USER, Broker, broker
from tests.conformance.servers import QUICK, rtour_binary
from tests.conformance.sites import kinds, site
from tests.conformance.waiting import eventually
from tests.conformance.world import Site
from tests.tracing.collector import grpc_collector

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.slow,
    pytest.mark.skipif(not kafka_broker.available(), reason="no Java or no Maven here"),
]

RECORDS, KEYS, PARTITIONS = 10_000, 50, 6
RECORD = {
    "rpc.service": "Ledger",
    "rpc.method": "add",
    "restate.invocation.target": "Ledger/Ada/add",
    "messaging.system": "kafka",
    "messaging.operation.type": "process",
    "messaging.consumer.group.name": "tellers",
    "messaging.source.name": "orders",
    "messaging.source.partition.id": 0,
    "messaging.kafka.offset": 0,
}
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


@pytest.mark.parametrize("kind", kinds())
async def test_a_record_begins_a_trace(kind: Any, tmp_path: Path) -> None:
    """The span of a record says which it is, above its invocation, on both servers alike."""
    with grpc_collector() as collected:
        env = {**QUICK, "RESTATE_TRACING_ENDPOINT": collected.uri}
        async with broker(tmp_path / "kafka") as kafka, site(kind, "python", tmp_path, env) as here:
            await kafka.topic("orders", 1)
            group = {"group.id": "tellers"}
            await subscribe(here, kafka, "orders", "service://Ledger/add", **group)
            producer = kafka.producer()
            producer.produce("orders", key=b"Ada", value=b"1")
            assert await asyncio.to_thread(producer.flush, 30) == 0
            end = "invocation-end Ledger/{key}/add"
            await asyncio.to_thread(collected.until, lambda _: collected.named(end), 60)
    (record,) = collected.named("ingress_kafka Ledger/{key}/add")
    (start,) = collected.named("invocation-start Ledger/{key}/add")
    assert (start.parent_id, start.trace_id) == (record.span_id, record.trace_id)
    assert not record.parent_id
    id_ = start.attributes["restate.invocation.id"]
    assert record.attributes == RECORD | {"restate.invocation.id": id_}


# --- what goes wrong -----------------------------------------------------------------------------

PWD = "sasl.password"
LOGIN = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": USER}
Reading = dict[str, Any]


async def readings(here: Site) -> dict[str, Reading]:
    """What the admin API says of each subscription."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{here.server.admin_url}/rtour/subscriptions")
    return {one["subscription_id"]: one for one in answer.json()["readings"]}


async def reported(here: Site, id_: str, words: str) -> None:
    """These words are in what the admin API says of a subscription, the CLI and the log."""

    async def said() -> str:
        reading = (await readings(here))[id_]
        return f"{reading['error']} {reading['held']}"

    await eventually(f"{id_} has a report", said, lambda text: words in text, within_s=PATIENCE_S)
    command = [str(rtour_binary()), "subscriptions", "describe", id_, "--output", "json"]
    run = await asyncio.create_subprocess_exec(
        *command, env=os.environ | {"RESTATE_ADMIN_URL": here.server.admin_url}, stdout=PIPE
    )
    shown, _ = await run.communicate()
    assert run.returncode == 0
    told = json.loads(shown)["reading"]
    assert words in f"{told['error']} {told['held']}"

    async def lines() -> list[str]:
        log = here.server.log_tail(1_000_000).splitlines()
        return [json.loads(line)["message"] for line in log if id_ in line and line[-1] == "}"]

    logged = await eventually(
        "the log tells it",
        lines,
        lambda found: any(words in line for line in found),
        within_s=PATIENCE_S,
    )
    assert len(logged) < 10, "the log is told again and again"


async def is_called(here: Site, value: int) -> None:
    """Clients are answered as ever."""
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(f"{here.server.ingress_url}/Ledger/k/add", json=value)
    assert answer.status_code == 200


async def test_what_goes_wrong_is_reported_and_invocations_go_on(tmp_path: Path) -> None:
    """A topic that is not there, a property that is none, a password that is wrong."""
    async with broker(tmp_path / "kafka") as kafka, site("rtour", "python", tmp_path) as here:
        await kafka.topic("orders", 1)
        teller = "service://Teller/tell"
        missing = await subscribe(here, kafka, "nowhere", teller)
        wrong = await subscribe(here, kafka, "orders", teller, nonsense="1")
        login = {**LOGIN, "bootstrap.servers": kafka.login_address}
        denied = await subscribe(here, kafka, "orders", teller, **login, **{PWD: "wrong-password"})
        await reported(here, missing, "Unknown topic")
        await reported(here, wrong, 'No such configuration property: "nonsense"')
        await reported(here, denied, "Authentication failed")
        await is_called(here, 1)
        assert "wrong-password" not in here.server.log_tail(1_000_000)
        allowed = await subscribe(here, kafka, "orders", teller, **login, **{PWD: PASSWORD})
        await kafka.topic("nowhere", 1)

        async def states() -> dict[str, str]:
            return {id_: reading["state"] for id_, reading in (await readings(here)).items()}

        await eventually(
            "all is well where it can be",
            states,
            lambda found: found[allowed] == found[missing] == "reading",
            within_s=PATIENCE_S,
        )
        found = await states()
        assert found[wrong] == found[denied] == "failing"


async def test_a_broker_that_is_down_and_a_key_that_is_no_text(tmp_path: Path) -> None:
    """The key holds back its partition alone; with the broker, reading comes back by itself."""
    async with broker(tmp_path / "kafka") as kafka, site("rtour", "python", tmp_path) as here:
        await kafka.topic("orders", 2)
        id_ = await subscribe(here, kafka, "orders", "service://Ledger/add")
        producer = kafka.producer()
        producer.produce("orders", key=b"\xfe", value=b"0", partition=0)
        producer.produce("orders", key=b"key0", value=b"1", partition=1)
        assert await asyncio.to_thread(producer.flush, 30) == 0
        assert await progress(here, 0) == 1
        await reported(here, id_, "is not UTF-8")
        kafka.kill()
        await reported(here, id_, "brokers are down")
        await is_called(here, 2)
        await kafka.start_again()
        producer.produce("orders", key=b"key0", value=b"3", partition=1)
        assert await asyncio.to_thread(producer.flush, 60) == 0
        assert await progress(here, 1) == 2

        async def error() -> Any:
            return (await readings(here))[id_]["error"]

        await eventually("all is well", error, lambda found: found is None, within_s=PATIENCE_S)
        assert (await ledgers(here))["key0"] == [1, 3]

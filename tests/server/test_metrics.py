"""`GET /metrics` of a real server: what happened is counted, in the format of Prometheus."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import httpx
import pytest

from rtour.engine.commands import PatchState
from rtour.engine.model import StatePatch
from rtour.server.main import CLUSTER_NAME, Server
from rtour.server.metrics import Metrics
from tests.kafka.topics import ListClient, Topic
from tests.tracing.test_server import serving

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana.json"
LABEL = r'[a-z_]+="(?:\\.|[^"\\])*"'
LINE = re.compile(rf"([a-z_]+)\{{({LABEL}(?:,{LABEL})*)\}} (\d+(?:\.\d+)?(?:e[+-]\d+)?)")


async def scraped(server: Server) -> dict[tuple[str, str], float]:
    """Samples by name and labels; every line is a comment or a sample."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{server.admin_url}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[tuple[str, str], float] = {}
    for line in answer.text.splitlines():
        if line.startswith("# "):
            continue
        sample = LINE.fullmatch(line)
        assert sample is not None, line
        found[sample[1], sample[2]] = float(sample[3])
    return found


def value(samples: dict[tuple[str, str], float], name: str, *labels: str) -> float:
    """The sum of the samples with this name and these labels."""
    return sum(
        number
        for (found, given), number in samples.items()
        if found == name and all(label in given for label in labels)
    )


async def test_what_happens_is_counted() -> None:
    """Two calls and one for nobody: requests, attempts, commands, bytes, commits."""
    async with serving() as server:
        before = await scraped(server)
        async with httpx.AsyncClient(base_url=server.ingress_url) as client:
            for _ in range(2):
                assert (await client.post("/Greeter/greet", json="Ada")).status_code == 200
            assert (await client.post("/Greeter/greet/send", json="Bo")).status_code == 202
            assert (await client.post("/Nobody/greet", json="Ada")).status_code == 404

        async def released() -> float:
            return value(await scraped(server), "restate_invoker_concurrency_slots_released")

        async with asyncio.timeout(20):
            while await released() < 3:
                pass
        after = await scraped(server)

    def more(name: str, *labels: str) -> float:
        return value(after, name, *labels) - value(before, name, *labels)

    requests = "restate_ingress_requests_total"
    for kind, times in (("call", 2), ("send", 1)):
        about = ('rpc_service="Greeter"', f'rpc_type="{kind}"')
        assert more(requests, *about, 'status="admitted"') == times
        assert more(requests, *about, 'status="completed"') == times
    assert more(requests, 'status="request_error"') == 1
    assert more("restate_ingress_request_duration_seconds_count") == 3
    assert more("restate_ingress_http_connection_created_total") == 1
    tasks = "restate_invoker_invocation_tasks_total"
    assert more(tasks, 'status="started"') == 3
    assert more(tasks, 'status="completed"') == 3
    assert more("restate_invoker_concurrency_slots_acquired") == 3
    entries = "restate_usage_leader_journal_entry_count_total"
    assert more(entries, 'entry="Command/Output"') == 3
    assert more("restate_invoker_received_bytes_total") > 20
    spoken = ('type="Http/bidi-stream"',)
    assert more("restate_invoker_client_requests_total", *spoken, 'status_code="200"') == 3
    assert more("restate_invoker_sent_bytes_total", *spoken) > 100
    assert value(after, "restate_connection_pool_connection_opened_total") >= 1
    assert more("restate_invocation_client_requests_total", 'status="completed"') == 3
    assert more(entries, 'entry="Command/Input"') == 3
    assert more("restate_usage_leader_action_count_total", 'action="Invoke"') == 3
    assert more("restate_usage_leader_action_count_total", 'action="IngressResponse"') == 2
    deciding = "restate_partition_apply_command_duration_seconds"
    assert more(f"{deciding}_count", 'command="Invoke"') == 3
    assert 0 < more(f"{deciding}_sum", 'command="Invoke"') < 1
    assert more("rtour_commands_total") >= 6
    assert more("rtour_commit_duration_seconds_count") >= 2
    assert value(after, "process_resident_memory_bytes") > 10_000_000


async def test_records_and_the_lag_of_a_topic_are_told() -> None:
    """By subscription: what a handler that is there took, and what waits for one that is not."""
    topic = Topic()
    for number in range(2):
        topic.put(None, b"%d" % number, partition=7)
    async with serving() as server, asyncio.timeout(20):
        rooms = server.subscriptions
        rooms._open_client = lambda *_: ListClient(topic)
        await rooms.add_cluster("main", {"bootstrap.servers": "x"})
        sinks = ("service://Greeter/greet", "service://Nobody/greet")
        made = [(await rooms.subscribe("kafka://main/orders", sink, {})).id for sink in sinks]
        told: list[tuple[float, float]] = []
        while told != [(2, 0), (0, 2)]:
            samples = await scraped(server)
            told = [_records(samples, f'subscription="{id_}"') for id_ in made]


def _records(samples: dict[tuple[str, str], float], of: str) -> tuple[float, float]:
    """How many were taken, and how many of partition 7 wait."""
    lag = value(samples, "restate_kafka_ingress_consumer_lag", of, 'partition="7"')
    return value(samples, "restate_kafka_ingress_requests_total", of), lag


@pytest.mark.parametrize(("entries", "size"), [({}, 0), ({b"seat": b"2B"}, 6)])
async def test_the_size_of_all_state_is_known_after_a_while(
    entries: dict[bytes, bytes], size: int
) -> None:
    """Names and values are measured once somebody asks, and nobody waits for it."""
    async with serving() as server:
        server.processor.propose(PatchState("Cart", "Ada", StatePatch(entries)))
        await server.processor.settled()
        name = "restate_usage_state_storage_bytes"
        assert not any(found == name for found, _ in await scraped(server))
        async with asyncio.timeout(60):
            while not (known := [of for of in (await scraped(server)).items() if of[0][0] == name]):
                await asyncio.sleep(0)
        assert [number for _, number in known] == [size]


async def test_what_requests_hold_of_the_memory_is_told() -> None:
    """A body that is still on its way counts, and no longer once it is answered."""
    async with serving() as server:
        address = server.ingress.address
        reader, writer = await asyncio.open_connection(*address)
        head = f"POST /Greeter/greet HTTP/1.1\r\nhost: {address[0]}:{address[1]}\r\n"
        head += "content-type: application/json\r\ncontent-length: 100002\r\n\r\n"
        writer.write(head.encode() + b'"' + b"x" * 50_000)
        usage = ("restate_memory_pool_usage_bytes", 'name="ingress-requests"')
        async with asyncio.timeout(20):
            while value(await scraped(server), *usage) < 50_000:
                pass
            capacity = value(await scraped(server), "restate_memory_pool_capacity_bytes", usage[1])
            assert capacity > 100_000_000
            writer.write(b"x" * 50_000 + b'"')
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            while value(await scraped(server), *usage):
                pass
        writer.close()


async def test_samples_have_the_labels_that_the_page_names() -> None:
    """What a metric says of its labels is what its samples have."""
    async with serving() as server, httpx.AsyncClient(base_url=server.ingress_url) as client:
        await client.post("/Greeter/greet", json="Ada")
        metrics = Metrics(server, CLUSTER_NAME)
        told = [(one, labels) for one in metrics.all for labels, _ in one.read()]
    assert told
    for metric, labels in told:
        assert labels.keys() <= set(metric.labels), metric.name


async def test_a_histogram_only_grows() -> None:
    """Buckets are cumulative, and the last one holds all."""
    async with serving() as server, httpx.AsyncClient(base_url=server.ingress_url) as client:
        await client.post("/Greeter/greet", json="Ada")
        samples = await scraped(server)
    name = "restate_ingress_request_duration_seconds"
    buckets = [number for (found, _), number in samples.items() if found == f"{name}_bucket"]
    assert buckets == sorted(buckets)
    assert buckets[-1] == value(samples, f"{name}_count") == 1


async def test_the_dashboard_asks_for_nothing_else() -> None:
    """Every series of docs/grafana.json is one that the server has."""
    expressions = [
        target["expr"]
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel["targets"]
    ]
    wanted = {
        name
        for expression in expressions
        for name in re.findall(r"(?:restate|rtour|process)_[a-z_]+", expression)
    }
    async with serving() as server:
        assert wanted
        assert wanted <= set(Metrics(server, CLUSTER_NAME).names)

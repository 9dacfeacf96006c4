"""`GET /metrics` of a real server: what happened is counted, in the format of Prometheus."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx

from rtour.server.main import CLUSTER_NAME, Server
from rtour.server.metrics import Metrics
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
            assert (await client.post("/Nobody/greet", json="Ada")).status_code == 404
        after = await scraped(server)

    def more(name: str, *labels: str) -> float:
        return value(after, name, *labels) - value(before, name, *labels)

    requests = "restate_ingress_requests_total"
    assert more(requests, 'rpc_service="Greeter"', 'status="admitted"') == 2
    assert more(requests, 'rpc_service="Greeter"', 'status="completed"') == 2
    assert more(requests, 'status="request_error"') == 1
    assert more("restate_ingress_request_duration_seconds_count") == 2
    assert more("restate_ingress_http_connection_created_total") == 1
    tasks = "restate_invoker_invocation_tasks_total"
    assert more(tasks, 'status="started"') == 2
    assert more(tasks, 'status="completed"') == 2
    entries = "restate_usage_leader_journal_entry_count_total"
    assert more(entries, 'entry="Command/Output"') == 2
    assert more("restate_invoker_sent_bytes_total") > 100
    assert more("restate_invoker_received_bytes_total") > 20
    assert more("rtour_commands_total") >= 6
    assert more("rtour_commit_duration_seconds_count") >= 2
    assert value(after, "process_resident_memory_bytes") > 10_000_000


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

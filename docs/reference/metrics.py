"""Write reference/metrics.md from the server's metrics.

    python docs/reference/metrics.py

tests/docs/test_metrics_page.py fails while the page is not what this prints;
tests/conformance/test_metrics.py fails if the official server has one that is neither here nor
among those that are left out.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from rtour.server.main import CLUSTER_NAME, Server
from rtour.server.metrics import Metric, Metrics
from rtour.server.settings import Settings

PAGE = Path(__file__).with_suffix(".md")

HEAD = """\
# Metrics

<!-- Written by docs/reference/metrics.py from src/rtour/server/metrics: do not edit. -->

`GET /metrics` on the admin port (9070; the official server's are on its node port, 5122) answers
in Prometheus' text format:

```yaml
scrape_configs:
  - job_name: rtour
    static_configs: [{targets: ["localhost:9070"]}]
    # authorization: {credentials_file: /etc/rtour/admin-token}    if the port has a token
```

[grafana.json](../grafana.json) is a dashboard over them. Names are the official server's where they
mean the same; what only rtour has begins with `rtour_`. Every sample has `cluster_name` and
`node_name`, too. Counters begin at 0 when the server starts.

| metric | type | labels | meaning |
|---|---|---|---|
"""

DIFFERENCES = """
## What differs from the official server

- There are no partitions, so no sample has `partition`, `partition_id`, `invoker_id` or `leader`.
  The `partition` of Kafka's metrics is Kafka's.
- Durations are histograms, over which quantiles can be summed up; the official ones are summaries,
  whose quantiles cannot be. `_sum` and `_count` are the same. How long commands take is told
  without quantiles.
- `admitted` of `restate_ingress_requests_total` is about requests to handlers, by service; the
  official one is about all requests, health checks and refusals among them.
- `restate_invoker_concurrency_limit` is per deployment.
- `restate_partition_apply_command_duration_seconds` has the names of rtour's commands.
- `restate_ingress_http_connection_dropped_total` does not say why.
- `restate_usage_state_storage_bytes` takes a query over all state. The first time it is asked for
  it is not there yet; after that it is what was measured last, anew after a minute, or after a
  hundred times as long as it took. The official server measures once an hour.

## What is left out

| of the official server | why, and what to look at instead |
|---|---|
"""

LEFT_OUT = {
    "restate_rocksdb_*": "the data is in SQLite: `rtour_storage_bytes`",
    "restate_bifrost_*": "there is no replicated log: `rtour_commit_duration_seconds`",
    "restate_log_server_*": "the same",
    "restate_metadata_*": "what is registered is in the same file as everything else",
    "restate_failure_detector_*": "there is one node",
    "restate_network_service_*": "the same",
    "restate_num_*": "there are no partitions",
    "restate_partition_*": "the same, for all but the two above; what waits for the engine is "
    "`rtour_commands_pending`",
    "restate_connection_pool_*": "each attempt is one stream, told by "
    "`restate_invoker_invocation_tasks_total` and `restate_invoker_task_duration_seconds`; who "
    'finds no slot waits in `rtour_invocations{state="ready"}`',
    "restate_jemalloc_*": "Python has another allocator: `process_resident_memory_bytes`",
    "restate_tokio_*": "Python has another scheduler: `process_cpu_seconds_total`",
    "restate_usage_state_size_accounting_*": "the query is one of many",
    "restate_usage_state_storage_byte_seconds*": "it is the integral of "
    "`restate_usage_state_storage_bytes`, for bills",
}


def page() -> str:
    """The whole page."""
    rows = "".join(_row(metric) for metric in asyncio.run(_metrics()))
    left_out = "".join(f"| `{names}` | {why} |\n" for names, why in LEFT_OUT.items())
    return HEAD + rows + DIFFERENCES + left_out


async def _metrics() -> list[Metric]:
    settings = Settings(ephemeral=True, ingress_port=0, admin_port=0, pg_port=None)
    async with Server(settings) as server:
        return Metrics(server, CLUSTER_NAME).all


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())

"""`GET /metrics`: what rooms counted, as text that Prometheus reads.

Names are the official server's where they mean the same (server-semantics.md §14.3); what only we
have begins with `rtour_`. Everything is read at the time of asking: nothing is kept here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rtour.server.counts import BOUNDS, Durations

if TYPE_CHECKING:
    from rtour.server.main import Server

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


class Metric(msgspec.Struct, frozen=True):
    """One metric: its name, Prometheus type and meaning, and where its samples come from."""

    name: str
    kind: str
    help: str
    read: Callable[[], Iterable[Sample] | Durations]


class Metrics:
    """All metrics of a server."""

    def __init__(self, server: Server, cluster_name: str) -> None:
        self._common = {"cluster_name": cluster_name, "node_name": "node"}
        self._metrics = [
            *_ingress(server),
            *_attempts(server),
            *_commits(server),
            *_kafka(server),
            *_tracing(server),
            *_process(server),
        ]

    @property
    def names(self) -> list[str]:
        """Every series by name; histograms are three."""
        found: list[str] = []
        for metric in self._metrics:
            ends = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
            found += [metric.name + end for end in ends]
        return found

    def text(self) -> bytes:
        """The exposition format."""
        lines: list[str] = []
        for metric in self._metrics:
            lines.append(f"# HELP {metric.name} {metric.help}")
            lines.append(f"# TYPE {metric.name} {metric.kind}")
            samples = metric.read()
            if isinstance(samples, Durations):
                lines += self._histogram(metric.name, samples)
            else:
                lines += [
                    f"{metric.name}{_labels(self._common | dict(labels))} {_number(value)}"
                    for labels, value in samples
                ]
        return ("\n".join(lines) + "\n").encode()

    def _histogram(self, name: str, durations: Durations) -> Iterator[str]:
        seen = 0
        ends = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
        for end, count in zip(ends, durations.buckets, strict=True):
            seen += count
            yield f"{name}_bucket{_labels(self._common | {'le': end})} {seen}"
        yield f"{name}_sum{_labels(self._common)} {_number(durations.total_s)}"
        yield f"{name}_count{_labels(self._common)} {seen}"


# --- what there is -------------------------------------------------------------------------------


def _ingress(server: Server) -> Iterator[Metric]:
    counts = server.ingress_counts

    def requests() -> Iterator[Sample]:
        for (service, kind, status), count in sorted(counts.requests.items()):
            about = {"rpc_service": service, "rpc_type": kind} if service else {}
            yield about | {"status": status}, count

    yield Metric(
        "restate_ingress_requests_total",
        "counter",
        "Requests to handlers: admitted, and then completed or invocation_error, or rate-limited "
        "if there is no room; others refused.",
        requests,
    )
    yield Metric(
        "restate_ingress_request_duration_seconds",
        "histogram",
        "From a request's arrival to its answer.",
        lambda: counts.durations,
    )
    opened = "restate_ingress_http_connection_created_total"
    yield _one(opened, "Connections of clients.", lambda: server.ingress.opened)
    dropped = "restate_ingress_http_connection_dropped_total"
    yield _one(
        dropped, "Those that are gone.", lambda: server.ingress.opened - server.ingress.connections
    )
    waiting = "rtour_requests_pending"
    yield _one(waiting, "Requests that wait for the engine.", lambda: server.requests.pending)


def _attempts(server: Server) -> Iterator[Metric]:
    counts, invoker = server.invoker.counts, server.invoker

    def tasks() -> Iterator[Sample]:
        yield {"status": "started"}, counts.started
        yield {"status": "completed"}, counts.completed
        yield {"status": "suspended"}, counts.suspended
        yield {"status": "failed", "transient": "true"}, counts.failed - counts.exhausted
        yield {"status": "failed", "transient": "false"}, counts.exhausted
        yield {"status": "aborted"}, counts.aborted

    def states() -> Iterator[Sample]:
        queued, retrying = invoker.waiting
        yield {"state": "running"}, invoker.running
        yield {"state": "ready"}, queued
        yield {"state": "backing-off"}, retrying

    name = "restate_invoker_"
    yield _one(f"{name}enqueue_total", "Attempts asked for.", lambda: counts.enqueued)
    yield Metric(f"{name}invocation_tasks_total", "counter", "Attempts, by what came of it.", tasks)
    yield Metric(
        f"{name}task_duration_seconds",
        "histogram",
        "How long attempts lasted.",
        lambda: counts.durations,
    )
    sent, received = "Bytes sent to services.", "Bytes received from services."
    yield _one(f"{name}sent_bytes_total", sent, lambda: counts.sent_bytes)
    yield _one(f"{name}received_bytes_total", received, lambda: counts.received_bytes)
    yield _one(
        f"{name}eager_state_truncated_total",
        "Attempts whose object had more state than goes along.",
        lambda: counts.truncated_states,
    )
    limit = server.settings.limits.concurrent_attempts
    yield _one(f"{name}concurrency_limit", "Attempts that may run at once.", lambda: limit, "gauge")
    taken = "Slots given to attempts; what was not released runs."
    yield _one(f"{name}concurrency_slots_acquired", taken, lambda: counts.started, "counter")
    yield _one(
        f"{name}concurrency_slots_released",
        "Slots that attempts gave back.",
        lambda: counts.started - invoker.running,
        "counter",
    )
    yield Metric("rtour_invocations", "gauge", "Invocations in the invoker's care.", states)
    yield Metric(
        "restate_usage_leader_journal_entry_count_total",
        "counter",
        "Commands that services made, by type.",
        lambda: (
            ({"entry": f"Command/{kind.__name__}"}, count)
            for kind, count in sorted(counts.commands.items(), key=lambda it: it[0].__name__)
        ),
    )


def _commits(server: Server) -> Iterator[Metric]:
    processor = server.processor
    yield _one("rtour_commands_total", "Commands applied.", lambda: processor.applied)
    yield _one(
        "rtour_commands_pending",
        "Commands that are not applied yet.",
        lambda: processor.proposed - processor.applied,
        "gauge",
    )
    yield Metric(
        "rtour_commit_duration_seconds",
        "histogram",
        "From the order to make a batch durable to the disk's answer.",
        lambda: processor.counts.durations,
    )
    yield Metric(
        "rtour_storage_bytes",
        "gauge",
        "Sizes of the files in the data folder.",
        lambda: _sizes(server.storage.path),
    )


def _kafka(server: Server) -> Iterator[Metric]:
    def taken() -> Iterator[Sample]:
        for reading in server.subscriptions.readings():
            yield {"subscription": reading.subscription_id}, reading.taken

    def lag() -> Iterator[Sample]:
        for reading in server.subscriptions.readings():
            for partition, behind in reading.lag.items():
                labels = {"subscription": reading.subscription_id, "partition": str(partition)}
                yield labels, behind

    name = "restate_kafka_ingress_"
    yield Metric(f"{name}requests_total", "counter", "Records that became invocations.", taken)
    yield Metric(f"{name}consumer_lag", "gauge", "Records that are still to be read.", lag)


def _tracing(server: Server) -> Iterator[Metric]:
    def spans() -> Iterator[Sample]:
        tracing = server.tracing
        if tracing is not None:
            yield {"outcome": "exported"}, tracing.exporter.counts.exported
            yield {"outcome": "lost"}, tracing.exporter.counts.lost

    yield Metric("rtour_spans_total", "counter", "Spans, if tracing is on.", spans)


def _process(server: Server) -> Iterator[Metric]:
    yield _one("process_cpu_seconds_total", "CPU time used.", _cpu_seconds)
    yield _one("process_resident_memory_bytes", "Memory used.", _resident_bytes, "gauge")
    yield _one("process_open_fds", "Open file descriptors.", _open_files, "gauge")
    yield _one(
        "process_start_time_seconds",
        "When the server started, since the epoch.",
        lambda: server.started_at / 1000,
        "gauge",
    )


def _one(name: str, help_: str, read: Callable[[], float], kind: str = "") -> Metric:
    """A metric of one sample without labels of its own."""
    kind = kind or ("counter" if name.endswith("_total") else "gauge")
    return Metric(name, kind, help_, lambda: (({}, read()),))


# --- reading -------------------------------------------------------------------------------------


def _sizes(path: Path) -> Iterator[Sample]:
    for name, file in (("database", path), ("wal", path.with_name(path.name + "-wal"))):
        if file.exists():
            yield {"file": name}, file.stat().st_size


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def _resident_bytes() -> float:
    statm = Path("/proc/self/statm")
    if not statm.exists():  # not Linux
        return 0
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _open_files() -> float:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


# --- writing -------------------------------------------------------------------------------------


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.9g}"

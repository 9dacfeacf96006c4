"""Metrics of attempts: how they went, their slots, and what services were sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rtour.server.metrics.exposition import Metric, Sample, counter, gauge

if TYPE_CHECKING:
    from rtour.server.counts import AttemptCounts, ConnectionCounts
    from rtour.server.main import Server


def metrics(server: Server) -> Iterator[Metric]:
    counts = server.invoker.counts
    yield from _tasks(counts)
    yield from _slots(server)
    yield from _exchanged(counts)
    yield from _connections(server.connection_counts)


def _tasks(counts: AttemptCounts) -> Iterator[Metric]:
    def tasks() -> Iterator[Sample]:
        yield {"status": "started"}, counts.started
        yield {"status": "completed"}, counts.completed
        yield {"status": "suspended"}, counts.suspended
        yield {"status": "failed", "transient": "true"}, counts.failed - counts.exhausted
        yield {"status": "failed", "transient": "false"}, counts.exhausted
        yield {"status": "aborted"}, counts.aborted

    yield counter("restate_invoker_enqueue_total", "Attempts asked for.", lambda: counts.enqueued)
    yield Metric(
        "restate_invoker_invocation_tasks_total",
        "counter",
        "Attempts, by what came of it.",
        tasks,
        ("status", "transient"),
    )
    yield Metric(
        "restate_invoker_task_duration_seconds",
        "histogram",
        "How long attempts lasted.",
        lambda: (({}, counts.durations),),
    )
    yield counter(
        "restate_invoker_eager_state_truncated_total",
        "Attempts whose object had more state than goes along.",
        lambda: counts.truncated_states,
    )


def _slots(server: Server) -> Iterator[Metric]:
    counts, invoker = server.invoker.counts, server.invoker
    limit = server.settings.limits.concurrent_attempts

    def states() -> Iterator[Sample]:
        queued, retrying = invoker.waiting
        yield {"state": "running"}, invoker.running
        yield {"state": "ready"}, queued
        yield {"state": "backing-off"}, retrying

    yield gauge(
        "restate_invoker_concurrency_limit",
        "Attempts of a deployment that may run at once.",
        lambda: limit,
    )
    yield counter(
        "restate_invoker_concurrency_slots_acquired",
        "Slots given to attempts; what was not released runs.",
        lambda: counts.started,
    )
    yield counter(
        "restate_invoker_concurrency_slots_released",
        "Slots that attempts gave back.",
        lambda: counts.started - invoker.running,
    )
    yield Metric(
        "rtour_invocations", "gauge", "Invocations in the invoker's care.", states, ("state",)
    )


def _exchanged(counts: AttemptCounts) -> Iterator[Metric]:
    yield Metric(
        "restate_invoker_client_requests_total",
        "counter",
        "Answers of services to attempts, by status.",
        lambda: (
            ({"type": type_, "status_code": str(status)}, count)
            for (type_, status), count in sorted(counts.answers.items())
        ),
        ("type", "status_code"),
    )
    yield Metric(
        "restate_invoker_sent_bytes_total",
        "counter",
        "Bytes sent to services.",
        lambda: (({"type": type_}, count) for type_, count in sorted(counts.sent_bytes.items())),
        ("type",),
    )
    yield Metric(
        "restate_invoker_received_bytes_total",
        "counter",
        "Bytes received from services.",
        lambda: (
            ({"type": type_}, count) for type_, count in sorted(counts.received_bytes.items())
        ),
        ("type",),
    )


def _connections(counts: ConnectionCounts) -> Iterator[Metric]:
    pool = "restate_connection_pool_connection"
    yield counter(f"{pool}_opened_total", "Connections to services.", lambda: counts.opened)
    yield counter(f"{pool}_closed_total", "Those that are gone.", lambda: counts.closed)
    yield counter(
        f"{pool}_open_failed_total", "Connections that failed to open.", lambda: counts.failed
    )

"""Metrics of clients: their connections and requests, and who waits for an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rtour.server.metrics.exposition import Metric, Sample, counter, gauge

if TYPE_CHECKING:
    from rtour.server.main import Server


def metrics(server: Server) -> Iterator[Metric]:
    counts = server.ingress_counts

    def requests() -> Iterator[Sample]:
        for (service, kind, status), count in sorted(counts.requests.items()):
            about = {"rpc_service": service, "rpc_type": kind} if service else {}
            yield about | {"status": status}, count

    def durations() -> Iterator[Sample]:
        for (service, kind), lasted in sorted(counts.durations.items()):
            yield {"rpc_service": service, "rpc_type": kind}, lasted

    yield Metric(
        "restate_ingress_requests_total",
        "counter",
        "Requests to handlers: admitted, and then completed or invocation_error, or rate-limited "
        "if there is no room; others refused.",
        requests,
        ("status", "rpc_service", "rpc_type"),
    )
    yield Metric(
        "restate_ingress_request_duration_seconds",
        "histogram",
        "From a request's arrival to its answer.",
        durations,
        ("rpc_service", "rpc_type"),
    )
    yield from _connections(server)
    yield from _waiting(server)


def _connections(server: Server) -> Iterator[Metric]:
    ingress = server.ingress
    yield counter(
        "restate_ingress_http_connection_created_total",
        "Connections of clients.",
        lambda: ingress.opened,
    )
    yield counter(
        "restate_ingress_http_connection_dropped_total",
        "Those that are gone.",
        lambda: ingress.opened - ingress.connections,
    )


def _waiting(server: Server) -> Iterator[Metric]:
    requests = server.requests
    yield Metric(
        "restate_invocation_client_requests_total",
        "counter",
        "Questions of the ports and of Kafka to the engine, by how they were answered.",
        lambda: (
            ({"status": status}, count) for status, count in sorted(requests.answered.items())
        ),
        ("status",),
    )
    yield gauge(
        "rtour_requests_pending", "Requests that wait for the engine.", lambda: requests.pending
    )

"""Metrics of the process, under the names that client libraries of Prometheus use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rtour.server.allocator import resident_bytes
from rtour.server.metrics.exposition import Metric, counter, gauge

if TYPE_CHECKING:
    from rtour.server.main import Server


def metrics(server: Server) -> Iterator[Metric]:
    yield counter("process_cpu_seconds_total", "CPU time used.", _cpu_seconds)
    yield gauge("process_resident_memory_bytes", "Memory used.", resident_bytes)
    yield gauge("process_open_fds", "Open file descriptors.", _open_files)
    yield gauge(
        "process_start_time_seconds",
        "When the server started, since the epoch.",
        lambda: server.started_at / 1000,
    )


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def _open_files() -> float:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0

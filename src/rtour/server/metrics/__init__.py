"""`GET /metrics`: what rooms counted, as text that Prometheus reads.

Names are the official server's where they mean the same (server-semantics.md §14.3); what only we
have begins with `rtour_`. Everything is read at the time of asking: nothing is kept here but the
size of all state, which takes a query. docs/reference/metrics.md is made from this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtour.server.metrics import attempts, engine, fronts, outside, process
from rtour.server.metrics.exposition import CONTENT_TYPE, Metric, exposition

if TYPE_CHECKING:
    from rtour.server.main import Server

__all__ = ["CONTENT_TYPE", "Metric", "Metrics"]


class Metrics:
    """All metrics of a server."""

    def __init__(self, server: Server, cluster_name: str) -> None:
        self.common = {"cluster_name": cluster_name, "node_name": "node"}
        rooms = (fronts, attempts, engine, outside, process)
        self.all: list[Metric] = [metric for room in rooms for metric in room.metrics(server)]

    @property
    def names(self) -> list[str]:
        """Every series by name; histograms are three."""
        return [name for metric in self.all for name in metric.series]

    def text(self) -> bytes:
        """The exposition format."""
        return exposition(self.all, self.common)

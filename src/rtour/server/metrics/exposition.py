"""The text that Prometheus reads: what a metric is, and how its samples are written.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from rtour.server.counts import BOUNDS, Durations, Spent

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Kind = Literal["counter", "gauge", "histogram", "summary"]
# What a series is made of, by the metric's kind.
Value = float | Durations | Spent
Sample = tuple[Labels, Value]

SERIES: Final = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}


class Metric(msgspec.Struct, frozen=True):
    """One metric: its name, Prometheus type and meaning, and where its samples come from.

    Samples of a histogram are `Durations`, those of a summary `Spent`.
    """

    name: str
    kind: Kind
    help: str
    read: Callable[[], Iterable[Sample]]
    labels: tuple[str, ...] = ()
    """Those that samples may have, beside the ones that all have."""

    @property
    def series(self) -> list[str]:
        """The names that its samples have."""
        return [self.name + end for end in SERIES.get(self.kind, ("",))]


def counter(name: str, help_: str, read: Callable[[], float]) -> Metric:
    """One number that only grows, without labels of its own."""
    return Metric(name, "counter", help_, lambda: (({}, read()),))


def gauge(name: str, help_: str, read: Callable[[], float]) -> Metric:
    """One number as it is now, without labels of its own."""
    return Metric(name, "gauge", help_, lambda: (({}, read()),))


def exposition(metrics: Iterable[Metric], common: Labels) -> bytes:
    """All metrics as they are now; every sample gets the `common` labels, too."""
    lines: list[str] = []
    for metric in metrics:
        lines.append(f"# HELP {metric.name} {metric.help}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        for labels, value in metric.read():
            lines += _written(metric.name, {**common, **labels}, value)
    return ("\n".join(lines) + "\n").encode()


def _written(name: str, labels: Labels, value: Value) -> Iterator[str]:
    shown = _labels(labels)
    if isinstance(value, Durations):
        seen = 0
        ends = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
        for end, count in zip(ends, value.buckets, strict=True):
            seen += count
            yield f"{name}_bucket{_labels({**labels, 'le': end})} {seen}"
        yield f"{name}_sum{shown} {_number(value.total_s)}"
        yield f"{name}_count{shown} {seen}"
    elif isinstance(value, Spent):
        yield f"{name}_sum{shown} {_number(value.total_s)}"
        yield f"{name}_count{shown} {value.count}"
    else:
        yield f"{name}{shown} {_number(value)}"


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.9g}"

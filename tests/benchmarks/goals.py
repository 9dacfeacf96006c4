"""What issue 9 asks for, as ratios of medians against another setup of the same run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from tests.benchmarks.results import Results

PYTHON = ("rtour, Python SDK", "official, Python SDK")
TYPESCRIPT = ("rtour, TypeScript SDK", "official, TypeScript SDK")
OWN = ("rtour, rtour SDK", "official, Python SDK")
DBOS = ("rtour, rtour SDK", "DBOS")
TEMPORAL = ("rtour, rtour SDK", "Temporal")
PAIRS = (PYTHON, TYPESCRIPT, OWN, DBOS, TEMPORAL)

SATURATED_CORES = 0.9
"""A single-threaded process that takes this much of a core is what bounds the throughput."""


class Goal(msgspec.Struct, frozen=True):
    """`figure` of the first of `pair` is `bound` `factor` times that of the second.

    In all cells whose name begins with `cell`; "" for all. `at` is their number of connections.
    """

    pair: tuple[str, str]
    figure: str
    bound: Literal["at most", "at least"]
    factor: float
    cell: str = ""
    at: int = 64


GOALS = (
    *(
        Goal(pair, "p50_ms", "at most", factor, cell, 1)
        for pair in (PYTHON, TYPESCRIPT)
        for cell, factor in (("no-op", 0.4), ("three steps", 0.5), ("nine steps", 0.5))
    ),
    Goal(TYPESCRIPT, "per_second", "at least", 2),
    Goal(PYTHON, "per_second", "at least", 2),
    Goal(OWN, "per_second", "at least", 4),
    Goal(DBOS, "per_second", "at least", 1),
    Goal(TEMPORAL, "per_second", "at least", 1),
    *(Goal(pair, "server_cpu_us", "at most", 0.35, "no-op") for pair in (PYTHON, TYPESCRIPT)),
    *(Goal(pair, "server_mb", "at most", 0.4, "no-op") for pair in (PYTHON, TYPESCRIPT)),
)
GOALS_ONCE = (
    *(Goal(pair, "idle_mb", "at most", 0.3) for pair in (PYTHON, TYPESCRIPT)),
    *(Goal(pair, "start_s", "at most", 1) for pair in (PYTHON, TYPESCRIPT)),
)


class Verdict(msgspec.Struct, frozen=True):
    goal: Goal
    where: str
    ratio: float
    excuse: str = ""

    @property
    def met(self) -> bool:
        if self.goal.bound == "at most":
            return self.ratio <= self.goal.factor
        return self.ratio >= self.goal.factor


def verdicts(results: Results) -> Iterator[Verdict]:
    """One for each cell that a goal speaks of and both setups have."""
    for goal in GOALS:
        for cell in results.cell_names():
            if not cell.startswith(goal.cell) or f", {goal.at} conn" not in cell:
                continue
            ratio = ratio_of(results, goal.pair, cell, goal.figure)
            if ratio is not None:
                yield Verdict(goal, cell, ratio, _excuse(results, goal, cell))
    for goal in GOALS_ONCE:
        ours, theirs = (results.once.get(name, {}).get(goal.figure) for name in goal.pair)
        if ours and theirs:
            yield Verdict(goal, "once", ours / theirs)


def ratio_of(results: Results, pair: tuple[str, str], cell: str, figure: str) -> float | None:
    ours, theirs = (results.median(name, cell, figure) for name in pair)
    return ours / theirs if ours is not None and theirs else None


def _excuse(results: Results, goal: Goal, cell: str) -> str:
    """The goal for the Python SDK allows for an endpoint that cannot do more."""
    cores = results.median(goal.pair[0], cell, "sdk_cores") or 0.0
    if goal.figure == "per_second" and cores >= SATURATED_CORES:
        return f"endpoint saturated: {cores:.2f} cores"
    return ""

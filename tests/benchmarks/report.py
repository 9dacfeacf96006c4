"""Results as Markdown: ratios first, then what they are ratios of, then the goals.

python -m tests.benchmarks.report docs/benchmarks/some.json
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks import results as kept
from tests.benchmarks.goals import PAIRS, Verdict, ratio_of, verdicts
from tests.benchmarks.results import Results

RATIOS = (
    ("p50_ms", "p50"),
    ("p99_ms", "p99"),
    ("per_second", "throughput"),
    ("server_cpu_us", "server CPU"),
    ("written_bytes", "written"),
)
FIGURES = (
    ("p50_ms", "p50 ms", ".2f"),
    ("p99_ms", "p99 ms", ".2f"),
    ("per_second", "req/s", ",.0f"),
    ("server_cpu_us", "server µs/inv", ",.0f"),
    ("sdk_cpu_us", "SDK µs/inv", ",.0f"),
    ("sdk_cores", "SDK cores", ".2f"),
    ("syncs", "syncs/inv", ".2f"),
    ("written_bytes", "bytes written/inv", ",.0f"),
    ("server_mb", "server MB", ",.0f"),
)
Row = list[str]


def markdown(results: Results) -> str:
    """The whole report."""
    parts = [heading(results), *_ratio_tables(results), *_figure_tables(results)]
    parts += [_once(results), _failures(results), _goals(results)]
    return "\n\n".join(filter(None, parts))


def table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table whose source is readable as well."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def line(cells: Row) -> str:
        first, *rest = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join([cells[0].ljust(len(first)), *rest])} |"

    ends = ["-", *":" * (len(head) - 1)]  # the first column to the left, figures to the right
    rule = "|".join("-" * (width + 1) + end for width, end in zip(widths, ends, strict=True))
    return "\n".join([line(head), f"|{rule}|", *map(line, lines[1:])])


def heading(results: Results) -> str:
    """When, what and where."""
    machine = results.machine
    return (
        f"{results.date}, commit {results.commit}: {machine.cores} cores ({machine.cpu}), "
        f"{machine.memory_gb} GB, Linux {machine.kernel}, Python {machine.python}; writing and "
        f"syncing a page takes {machine.sync_us:.0f} µs. {results.rounds} interleaved rounds of "
        f"{results.seconds:g} s, medians."
    )


def _ratio_tables(results: Results) -> Iterable[str]:
    for pair in PAIRS:
        rows = []
        for cell in results.cell_names():
            ratios = [ratio_of(results, pair, cell, figure) for figure, _ in RATIOS]
            if any(ratio is not None for ratio in ratios):
                rows.append([cell, *("" if r is None else f"{r:.2f}" for r in ratios)])
        if rows:
            head = ["ratio", *(name for _, name in RATIOS)]
            yield f"### {pair[0]} ÷ {pair[1]}\n\n{table(head, rows)}"


def _figure_tables(results: Results) -> Iterable[str]:
    for setup, cells in results.cells.items():
        rows = []
        for cell in cells:
            values = [(results.median(setup, cell, figure), form) for figure, _, form in FIGURES]
            rows.append([cell, *("" if v is None else format(v, form) for v, form in values)])
        head = ["median", *(name for _, name, _ in FIGURES)]
        yield f"### {setup}\n\n{table(head, rows)}"


def _once(results: Results) -> str:
    rows = [
        [setup, f"{once['start_s']:.2f}", f"{once['idle_mb']:.0f}"]
        for setup, once in results.once.items()
        if "start_s" in once
    ]
    return table(["setup", "s to ready", "idle MB"], rows) if rows else ""


def _failures(results: Results) -> str:
    lines = [
        f"- {setup}, {cell}: {why}"
        for setup, cells in results.failed.items()
        for cell, why in cells.items()
    ]
    return "Failed, hence without figures:\n\n" + "\n".join(lines) if lines else ""


def _goals(results: Results) -> str:
    rows = [_goal_row(verdict) for verdict in verdicts(results)]
    head = ["goal", "against", "cell", "ratio", "asked", "met"]
    return f"### Goals\n\n{table(head, rows)}" if rows else ""


def _goal_row(verdict: Verdict) -> Row:
    goal = verdict.goal
    met = "yes" if verdict.met else f"no {verdict.excuse}".strip()
    asked = f"{goal.bound} {goal.factor:g}"
    ours, theirs = goal.pair
    return [f"{goal.figure}, {ours}", theirs, verdict.where, f"{verdict.ratio:.2f}", asked, met]


if __name__ == "__main__":
    print(markdown(kept.load(Path(sys.argv[1]))))

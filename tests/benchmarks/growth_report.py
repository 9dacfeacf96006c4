"""The results of `growth` as Markdown: `python -m tests.benchmarks.growth_report FILE.json`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks import results as kept
from tests.benchmarks.report import heading, table
from tests.benchmarks.results import Results

FIGURES = (
    ("server_cpu_us", "server µs/inv", ",.0f"),
    ("p50_ms", "p50 ms", ".1f"),
    ("per_second", "req/s", ",.0f"),
)


def markdown(results: Results) -> str:
    """All of it."""
    parts = [heading(results), _loads(results), _places(results), _journals(results)]
    return "\n\n".join([*parts, _recovery(results), _retention(results)])


def _loads(results: Results) -> str:
    """Each cell of each place, and its cost against the first place's."""
    places = [name for name in results.cells if "journal" not in name]
    rows = []
    for cell in results.cells[places[0]]:
        for place in places:
            values = [(results.median(place, cell, name), form) for name, _, form in FIGURES]
            ours, first = (results.median(p, cell, "server_cpu_us") for p in (place, places[0]))
            ratio = f"{ours / first:.2f}" if ours and first else ""
            rows.append(
                [cell, place, ratio, *("" if v is None else format(v, f) for v, f in values)]
            )
    return table(["load", "with", "cost ratio", *(name for _, name, _ in FIGURES)], rows)


def _places(results: Results) -> str:
    rows = [
        [
            place,
            f"{once['filled_bytes'] / 1e6:,.1f}",
            f"{once['filled_bytes'] / int(place.partition(' ')[0].replace(',', '')):,.0f}",
            f"{once['start_s']:.2f}",
            f"{once['idle_mb']:.0f}",
        ]
        for place, once in results.once.items()
        if "filled_bytes" in once
    ]
    return table(["with", "file MB", "bytes each", "s to ready", "idle MB"], rows)


def _journals(results: Results) -> str:
    rows = [
        [
            f"{place}, {cell}",
            *(f"{results.median(place, cell, name) or 0:.2f}" for name in _STEP_FIGURES),
        ]
        for place, cells in results.cells.items()
        if "journal" in place
        for cell in cells
    ]
    return table(["per step", "ms", "server µs", "SDK µs"], rows)


_STEP_FIGURES = ("step_ms", "server_cpu_us", "sdk_cpu_us")


def _recovery(results: Results) -> str:
    once = results.once["recovery"]
    return (
        f"Killed with {once['in_flight']:,.0f} in flight beside the most stored: ready after "
        f"{once['ready_s']:.2f} s; all of them had run {once['all_run_s']:.1f} s after their "
        "service answered again."
    )


def _retention(results: Results) -> str:
    once = results.once["past retention"]
    sizes = [f"{once[f'{name}_bytes'] / 1e6:.1f} MB" for name in ("full", "empty", "refilled")]
    return (
        f"{once['invocations']:,.0f} invocations past their retention: forgotten within "
        f"{once['forgotten_s']:.1f} s. The file: {sizes[0]} before, {sizes[1]} after, {sizes[2]} "
        "filled again."
    )


if __name__ == "__main__":
    print(markdown(kept.load(Path(sys.argv[1]))))

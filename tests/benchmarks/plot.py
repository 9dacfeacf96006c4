"""Results as a picture: throughput and median time of rtour against each other system.

python -m tests.benchmarks.plot docs/benchmarks/some.json some.svg
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.benchmarks import results as kept
from tests.benchmarks.goals import PAIRS, ratio_of
from tests.benchmarks.results import Results

PANELS = (
    ("per_second", "throughput, higher is better"),
    ("p50_ms", "median time, lower is better"),
)
NARROW, HEIGHT_PER_CELL = 0.8, 0.55


def draw(results: Results, path: Path) -> None:
    """Bars of ratios, a group per cell, a colour per pair; at 1 both are equal."""
    import matplotlib as mpl

    mpl.use("svg")
    # Text stays text, and the same results give the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rtour"})
    from matplotlib import pyplot as plt

    cells = results.cell_names()
    size = (14, 1.5 + HEIGHT_PER_CELL * len(cells))
    figure, panels = plt.subplots(1, len(PANELS), figsize=size, sharey=True)
    for axes, (name, title) in zip(panels, PANELS, strict=True):
        _bars(axes, results, cells, name)
        axes.set_title(title)
    panels[0].set_yticks(range(len(cells)), cells)
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="lower center", ncols=3)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _bars(axes: Any, results: Results, cells: list[str], figure: str) -> None:
    width = NARROW / len(PAIRS)
    for place, pair in enumerate(PAIRS):
        found = [(at, ratio_of(results, pair, cell, figure)) for at, cell in enumerate(cells)]
        known = [(at, ratio) for at, ratio in found if ratio]
        if not known:
            continue
        offset = (place - (len(PAIRS) - 1) / 2) * width
        at, ratios = zip(*known, strict=True)
        label = f"{pair[0]} ÷ {pair[1]}"
        axes.barh([y + offset for y in at], ratios, width, label=label)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.grid(axis="x", which="both", alpha=0.3)


if __name__ == "__main__":
    draw(kept.load(Path(sys.argv[1])), Path(sys.argv[2]))

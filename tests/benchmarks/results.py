"""What was measured, as it is kept: every round of every figure, with the machine it came from."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import TypeVar

import msgspec

T = TypeVar("T")

Figures = dict[str, list[float]]


class Machine(msgspec.Struct, frozen=True):
    """Enough to know whether two results compare."""

    cores: int
    cpu: str
    memory_gb: float
    kernel: str
    python: str
    sync_us: float
    """Median time of writing 4 KiB and syncing it, on the disk that was used."""


class Results(msgspec.Struct):
    """`cells[setup][cell][figure]` has one value per round; `once[setup][figure]` a single one."""

    date: str
    commit: str
    machine: Machine
    rounds: int
    seconds: float
    cells: dict[str, dict[str, Figures]] = {}
    once: dict[str, dict[str, float]] = {}
    failed: dict[str, dict[str, str]] = {}
    """`failed[setup][cell]` says why there are no figures."""

    def note(self, setup: str, cell: str, figure: str, value: float) -> None:
        self.cells.setdefault(setup, {}).setdefault(cell, {}).setdefault(figure, []).append(value)

    def note_once(self, setup: str, figure: str, value: float) -> None:
        self.once.setdefault(setup, {})[figure] = value

    def median(self, setup: str, cell: str, figure: str) -> float | None:
        """None where it was not measured."""
        values = self.cells.get(setup, {}).get(cell, {}).get(figure)
        return median(values) if values else None

    def cell_names(self) -> list[str]:
        """In the order in which they were first measured."""
        return list(dict.fromkeys(cell for cells in self.cells.values() for cell in cells))


def this_machine(sync_us: float) -> Machine:
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cores=os.cpu_count() or 1,
        cpu=models[0] if models else platform.machine(),
        memory_gb=round(pages / 1e9, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        sync_us=round(sync_us, 1),
    )


def commit() -> str:
    """The commit that was measured, with a plus if files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def difference(earlier: Results, later: Results) -> str:
    """Why the two are not of one kind; "" if they are."""
    machines = (
        msgspec.structs.replace(results.machine, sync_us=0.0) for results in (earlier, later)
    )
    if len({*machines}) > 1:
        return "it is from another machine"
    if (earlier.rounds, earlier.seconds) != (later.rounds, later.seconds):
        return f"it has {earlier.rounds} rounds of {earlier.seconds:g} s"
    return ""


def added(earlier: Results, later: Results) -> Results:
    """Both together. A cell that both have is the later one's, on all setups: it was one turn."""
    again = {
        *(cell for by_cell in later.cells.values() for cell in by_cell),
        *(cell for by_cell in later.failed.values() for cell in by_cell),
    }
    commits = [*dict.fromkeys([*earlier.commit.split(", "), later.commit])]
    return msgspec.structs.replace(
        later,
        date=earlier.date,
        commit=", ".join(commits),
        cells=_joined(earlier.cells, later.cells, again),
        once=earlier.once | later.once,
        failed=_joined(earlier.failed, later.failed, again),
    )


def _joined(
    earlier: Mapping[str, dict[str, T]], later: Mapping[str, dict[str, T]], again: set[str]
) -> dict[str, dict[str, T]]:
    kept = {
        setup: {cell: each for cell, each in by_cell.items() if cell not in again}
        for setup, by_cell in earlier.items()
    }
    setups = dict.fromkeys([*earlier, *later])
    return {setup: kept.get(setup, {}) | later.get(setup, {}) for setup in setups}


def load(path: Path) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results)


def save(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")

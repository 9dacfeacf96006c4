"""Where the server's CPU time goes, room by room: `python -m tests.benchmarks.profile`.

    --workload "no-op" --connections 64 --sdk rtour --seconds 5 [--functions 30]

py-spy looks at the running server a few hundred times a second; each look counts for the innermost
function of ours or of the standard library. System calls and C code count for the Python function
that called them. Shares times the CPU per invocation, measured in the same seconds, are µs.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.run import measure_once
from tests.benchmarks.setups import RESTATE_LIKE, Setup, Workshop
from tests.benchmarks.workloads import WORKLOADS, Cell

LOOKS_PER_SECOND = 500
Stacks = collections.Counter[tuple[str, ...]]


def room(frame: str) -> str:
    """`function (path:line)` to the file it is in: ours by its path, others by their name."""
    path = frame.rpartition("(")[2].partition(":")[0]
    if "rtour/" in path:
        return path.rpartition("rtour/")[2].removesuffix(".py")
    return Path(path).name.removesuffix(".py") or "?"


def parse(text: str) -> Stacks:
    """py-spy's raw format: a stack and its count a line."""
    stacks: Stacks = collections.Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[tuple(stack.split(";"))] += int(count)
    return stacks


def table(stacks: Stacks, cpu_us: float, functions: int) -> str:
    """µs per invocation by room, then by function."""
    total = stacks.total()
    by_room: collections.Counter[str] = collections.Counter()
    by_function: collections.Counter[str] = collections.Counter()
    for stack, count in stacks.items():
        by_room[room(stack[-1])] += count
        by_function[f"{stack[-1].partition(' (')[0]}, {room(stack[-1])}"] += count
    lines = [f"{cpu_us:.0f} µs of CPU per invocation, {total} looks"]
    for counter, most in ((by_room, 25), (by_function, functions)):
        lines.append("")
        lines += [
            f"{count / total * cpu_us:7.1f} µs  {count / total:6.1%}  {name}"
            for name, count in counter.most_common(most)
        ]
    return "\n".join(lines)


async def looked_at(setup: Setup, cell: Cell, seconds: float) -> tuple[Stacks, float]:
    """The stacks seen while the load ran, and the server's µs of CPU per invocation."""
    await measure_once(setup, cell, 1)
    spy = Spy(setup.server.pids()[0], seconds)
    figures = await measure_once(setup, cell, seconds)
    return spy.stacks(), figures["server_cpu_us"]


class Spy:
    """py-spy at a process, for some seconds from now."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._raw = Path(self._folder.name) / "stacks"
        command = [str(Path(sys.executable).parent / "py-spy"), "record", "-p", str(pid)]
        command += ["--format", "raw", "-o", str(self._raw), "-d", str(round(seconds))]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [*command, "-r", str(LOOKS_PER_SECOND)], stdout=quiet, stderr=quiet
        )

    def stacks(self) -> Stacks:
        """What it saw, when its time is over."""
        self._process.wait()
        with self._folder:
            return parse(self._raw.read_text())


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workload", choices=[w.name for w in WORKLOADS], default="no-op")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--setup", choices=[*RESTATE_LIKE], default="rtour, rtour SDK")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--functions", type=int, default=30)
    options = parser.parse_args()
    (workload,) = (w for w in WORKLOADS if w.name == options.workload)
    with tempfile.TemporaryDirectory(prefix="rtour-profile-") as folder:
        workshop = Workshop(Path(folder))
        setup = await workshop.start(options.setup)
        try:
            cell = Cell(workload, options.connections)
            print(table(*await looked_at(setup, cell, options.seconds), options.functions))
        finally:
            setup.stop()
            workshop.stop()


if __name__ == "__main__":
    asyncio.run(main())

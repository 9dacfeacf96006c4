"""Many worlds, on every core: `python -m tests.simulation.seeds 0 1000`."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator

from tests.simulation.world import Report, simulate

CHUNK = 5


def reports(seeds: Iterable[int]) -> Iterator[Report]:
    """A report for each seed, in order."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count(), maxtasksperchild=200) as pool:
        yield from pool.imap(simulate, seeds, CHUNK)


def main(first: int, count: int) -> int:
    """Tell the story of each bad seed; how many there are."""
    bad = 0
    for report in reports(range(first, first + count)):
        if report.violations:
            bad += 1
            print(report.story(), end="\n\n")
    print(f"{count} worlds from seed {first}: {bad} bad")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]), int(sys.argv[2]))))

"""Planted bugs. The simulator must find each of them, or it is not good enough.

A mutant replaces a piece of one function's source, so the plant reads like the bug it is. A plant
whose place is gone fails loudly. `python -m tests.simulation.mutants` prints the table.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import multiprocessing
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType

import msgspec

from tests.simulation.plant import Mutant
from tests.simulation.planted import MUTANTS
from tests.simulation.world import simulate

SEEDS = 100


@contextlib.contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """The bug, in this process."""
    function = _function(mutant.where)
    original = function.__code__
    function.__code__ = _changed(function, mutant)
    try:
        yield
    finally:
        function.__code__ = original


def _function(where: str) -> FunctionType:
    """What `module:name` or `module:Class.name` names."""
    module, _, path = where.partition(":")
    found = functools.reduce(getattr, path.split("."), importlib.import_module(module))
    assert isinstance(found, FunctionType), where
    return found


def _changed(function: FunctionType, mutant: Mutant) -> CodeType:
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(mutant.sound) == 1, f"{mutant.name}: its place in {mutant.where} is gone"
    source = source.replace(mutant.sound, mutant.bug)
    names: dict[str, Callable[..., object]] = {}
    exec(  # the point of the exercise
        compile(f"from __future__ import annotations\n{source}", mutant.where, "exec"),
        dict(function.__globals__),
        names,
    )
    changed = names[function.__name__]
    assert isinstance(changed, FunctionType)
    return changed.__code__


class Hunt(msgspec.Struct, frozen=True):
    """How a mutant was found, if it was: after so many seeds, by which complaint."""

    mutant: Mutant
    seeds: int | None
    complaint: str = ""


def hunt(mutant: Mutant, seeds: int = SEEDS) -> Hunt:
    """Simulate worlds until one complains."""
    with planted(mutant):
        for seed in range(seeds):
            report = simulate(seed, disk=mutant.disk)
            if report.violations:
                return Hunt(mutant, seed + 1, report.violations[0])
    return Hunt(mutant, None)


def hunts() -> Iterator[Hunt]:
    """A hunt for every mutant, on every core."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count()) as pool:
        yield from pool.imap(hunt, MUTANTS)


HEAD = "| planted bug | room | seeds | how it shows |\n|---|---|---:|---|"


def row(one: Hunt) -> str:
    """For people: mutant, room, seeds to find it, the first complaint."""
    room = one.mutant.where.partition(":")[0].removeprefix("rtour.")
    shows = one.complaint.partition(":")[0][:60]
    return f"| {one.mutant.name} | {room} | {one.seeds or 'missed'} | {shows} |"


def main() -> int:
    """Print the table, a row as soon as it is known; how many were missed."""
    print(HEAD)
    missed = 0
    for one in hunts():
        print(row(one), flush=True)
        missed += one.seeds is None
    return missed


if __name__ == "__main__":
    sys.exit(bool(main()))

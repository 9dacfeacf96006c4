"""Every target keeps its promise for its seeds, for what once broke it, and for some damage.

The damage is the same in every run. `nox -s fuzz -- --seconds 300` does it for longer, guided.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz import target as t
from tests.fuzz.mutation import Mutator


@pytest.mark.parametrize("name", t.names())
def test_the_promise_is_kept(name: str) -> None:
    """By the seeds, the inputs found earlier, and mutations of both."""
    target = t.named(name)
    seeds = [*target.seeds(), *(path.read_bytes() for path in t.found(name))]
    mutator = Mutator(Random(name), target.words, target.json_from)
    with t.opened(target) as check:
        for data in (
            *seeds,
            *(mutator.mutated(seeds, target.bytes_max) for _ in range(target.examples)),
        ):
            try:
                check(data)
            except BaseException as error:
                error.add_note(f"the input was {data[:2000]!r}")
                raise


def test_inputs_found_belong_to_targets() -> None:
    """None is left behind by a target that was renamed."""
    assert {folder.name for folder in t.FOUND.iterdir() if folder.is_dir()} <= set(t.names())

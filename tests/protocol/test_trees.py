"""Trees of futures are worked through however deep they are."""

from __future__ import annotations

import pytest

from rtour.errors import ProtocolError
from rtour.protocol.decoding import decode
from rtour.protocol.framing import MAX_FUTURE_DEPTH, encode_payload
from rtour.protocol.messages import Combinator, Future, Suspension
from rtour.protocol.trees import depth, fold, nested

SUSPENSION = 0x0001


def tower(depth: int) -> Future:
    """A future in a future in a future: so many in all, each waiting for a completion too."""
    tree = Future((depth,), combinator=Combinator.ALL_COMPLETED)
    for number in range(depth - 1, 0, -1):
        tree = Future((number,), nested=(tree,), combinator=Combinator.FIRST_COMPLETED)
    return tree


def test_depth_counts_levels() -> None:
    """A node of leaves is one deep; the deepest branch counts; no tree is too deep to measure."""
    two = Future(nested=(Future((1,)), Future((2,))))
    assert depth(Future((1,))) == 1
    assert depth(Future(nested=(two, Future((3,))))) == 3
    assert depth(tower(5001)) == 5001


def test_folding_makes_children_first_and_in_order() -> None:
    """Each node sees what was made of its own children, in their order."""
    tree = {"a": ["b", "c"], "b": ["d", "e"], "c": [], "d": [], "e": ["f"], "f": []}
    told = fold("a", tree.__getitem__, lambda node, below: f"{node}({','.join(below)})")
    assert told == "a(b(d(),e(f())),c())"


def test_folding_looks_at_a_shared_node_once() -> None:
    """What is made of one node twice, and so on sixty times, takes sixty steps."""
    steps: list[tuple[int, list[int]]] = []

    def make(node: Future, below: list[int]) -> int:
        steps.append((id(node), below))
        return 1 + sum(below)

    tree = Future((1,))
    for _ in range(60):
        tree = Future(nested=(tree, tree))
    assert fold(tree, nested, make) == 2**61 - 1
    assert len(steps) == 61


def test_folding_is_bounded_by_memory_alone() -> None:
    """A hundred thousand levels take a hundred thousand steps, and no stack."""
    assert fold(tower(100_000), nested, lambda _, below: 1 + sum(below)) == 100_000


@pytest.mark.parametrize("version", [6, 7])
def test_the_deepest_tree_is_read_and_written(version: int) -> None:
    """Futures nest as deep as the official server lets them; before V7 they do not nest."""
    payload = encode_payload(Suspension(tower(MAX_FUTURE_DEPTH + 1)), version)
    read = decode(SUSPENSION, payload, version)
    assert isinstance(read, Suspension)
    if version == 6:
        assert read.awaiting_on.completions == tuple(range(1, MAX_FUTURE_DEPTH + 2))
    else:
        assert depth(read.awaiting_on) == MAX_FUTURE_DEPTH + 1
        assert encode_payload(read, version) == payload


def test_a_deeper_tree_is_refused() -> None:
    """One level more than the official server takes has its code, and is never looked into."""
    payload = encode_payload(Suspension(tower(MAX_FUTURE_DEPTH + 2)))
    with pytest.raises(ProtocolError, match="nested deeper than 1000") as raised:
        decode(SUSPENSION, payload)
    assert raised.value.restate_code == "RT0025"

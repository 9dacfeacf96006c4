"""The column of what is awaited, for trees of any depth."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from rtour.protocol.framing import MAX_FUTURE_DEPTH
from rtour.protocol.messages import Combinator, Future
from rtour.storage import futures
from rtour.storage.introspection import awaited

from .values import futures as shallow

AS_THEY_NEST = 100


def tower(tree: Future, levels: int) -> Future:
    """`tree` below so many levels, each with a leaf and a tree of its own beside it."""
    for number in range(1, levels + 1):
        beside = Future(signals=(number,), combinator=Combinator.ALL_COMPLETED)
        tree = Future((number,), (), (f"s{number}",), (beside, tree), Combinator.UNKNOWN)
    return tree


def flat(tree: Future) -> list[tuple[object, ...]]:
    """Every node from the top, without its children: deep trees cannot be compared as they are."""
    found: list[tuple[object, ...]] = []
    todo = [tree]
    while todo:
        node = todo.pop()
        leaves = (node.completions, node.signals, node.named_signals)
        found.append((*leaves, node.combinator, len(node.nested)))
        todo += node.nested
    return found


@given(shallow, st.sampled_from([0, 1, AS_THEY_NEST - 3, AS_THEY_NEST, MAX_FUTURE_DEPTH]))
def test_trees_survive_their_column(tree: Future, levels: int) -> None:
    """The deepest as well as the flattest come back as they were."""
    deep = tower(tree, levels)
    assert flat(futures.from_text(futures.to_text(deep))) == flat(deep)


def test_shallow_trees_are_written_as_they_always_were() -> None:
    """What earlier versions could hold they can still read, and what they wrote is read."""
    tree = tower(Future((7,)), AS_THEY_NEST - 1)
    assert futures.to_text(tree) == msgspec.json.encode(tree).decode()


def test_views_show_the_deepest_tree() -> None:
    """Its columns of completions, of signals and of the whole tree, which the views are made of."""
    levels = MAX_FUTURE_DEPTH
    stored = futures.to_text(tower(Future((9999,)), levels))
    assert awaited.completions(stored) == f"[{levels}]"
    assert awaited.signals(stored) == "[]"
    shown = awaited.stored_tree(stored, 7)
    assert shown is not None
    assert shown.startswith('{"Unknown":[{"Single":{"CompletionId":1000}},{"Single":{"SignalName"')
    assert shown.count('"Unknown"') == levels + 1
    assert shown.endswith('{"Unknown":[{"Single":{"CompletionId":9999}}]}' + "]}" * levels)

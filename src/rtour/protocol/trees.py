"""Trees of awaited futures, worked through without recursion.

They may nest deeper than Python's stack, or msgspec's, has room for; hence loops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from rtour.protocol.values import Future

N = TypeVar("N")
R = TypeVar("R")


def fold(root: N, below: Callable[[N], Sequence[N]], make: Callable[[N, list[R]], R]) -> R:
    """`make(node, what it made of the node's children)` of the root, from the leaves up.

    `below` gives the children of a node, and is asked once for each.
    """
    made: list[R] = []  # what no parent has taken yet
    todo: list[tuple[N, int]] = [(root, -1)]  # with the number of children, once they are made
    while todo:
        node, count = todo.pop()
        children = below(node) if count < 0 else ()
        if children:
            todo.append((node, len(children)))
            todo += [(child, -1) for child in reversed(children)]
        elif count > 0:
            results = made[-count:]
            del made[-count:]
            made.append(make(node, results))
        else:
            made.append(make(node, []))
    assert len(made) == 1, "each node's children are taken by it"
    return made[0]


def nested(future: Future) -> tuple[Future, ...]:
    """The children of a future that are futures themselves: `below`, for `fold`."""
    return future.nested


def depth(tree: Future) -> int:
    """How deeply futures nest; a leaf-only tree has depth 1."""
    deepest, level = 1, tree.nested
    while level:
        deepest += 1
        level = tuple([child for node in level for child in node.nested])
    return deepest

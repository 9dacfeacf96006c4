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

    `below` gives the children of a node. Both are asked once for each node, however often it is
    found: what is made of one future twice, ten levels deep, has two thousand ways through it.
    """
    made: dict[int, tuple[N, R]] = {}  # by identity; the node is kept, so that its id stays its own
    todo: list[tuple[N, Sequence[N] | None]] = [(root, None)]  # with children, once they are made
    while todo:
        node, children = todo.pop()
        if id(node) in made:
            continue
        if children is None:
            children = below(node)
            if children:
                todo.append((node, children))
                todo += [(child, None) for child in reversed(children)]
                continue
        made[id(node)] = node, make(node, [made[id(child)][1] for child in children])
    return made[id(root)][1]


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

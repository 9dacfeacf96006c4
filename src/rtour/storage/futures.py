"""What a suspended invocation waits for, as the JSON text of its column.

JSON is read and written recursively, as deep as Python's stack goes. What nests deeper than any
program should is therefore a list of its nodes, each behind its children and with their number.
"""

from __future__ import annotations

from typing import Final

import msgspec

from rtour.protocol.messages import Combinator, Future
from rtour.protocol.trees import depth, fold, nested

_NESTED_MAX: Final = 100
"""Levels written as they nest: so deep was the deepest, before there were lists."""


class _Node(msgspec.Struct, frozen=True, array_like=True):
    completions: tuple[int, ...]
    signals: tuple[int, ...]
    named_signals: tuple[str, ...]
    combinator: Combinator
    children: int


_json = msgspec.json.Encoder().encode
_read_tree = msgspec.json.Decoder(Future).decode
_read_nodes = msgspec.json.Decoder(list[_Node]).decode


def to_text(tree: Future) -> str:
    """The column of a tree, however deep."""
    shallow = depth(tree) <= _NESTED_MAX
    return _json(tree if shallow else fold(tree, nested, _listed)).decode()


def from_text(text: str) -> Future:
    """The tree of a column; msgspec's errors for a text that `to_text` never writes."""
    if text.startswith("{"):
        return _read_tree(text)
    made: list[Future] = []
    for node in _read_nodes(text):
        first = len(made) - node.children
        made[first:] = [
            Future(
                node.completions,
                node.signals,
                node.named_signals,
                tuple(made[first:]),
                node.combinator,
            )
        ]
    (tree,) = made
    return tree


def _listed(node: Future, below: list[list[_Node]]) -> list[_Node]:
    """The list that ends with `node`: its first child's, grown in place."""
    nodes = below[0] if below else []
    for more in below[1:]:
        nodes += more
    last = _Node(
        node.completions, node.signals, node.named_signals, node.combinator, len(node.nested)
    )
    nodes.append(last)
    return nodes

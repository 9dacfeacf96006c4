"""What an attempt waits for: trees of completions and signals, and when they are done.

A leaf is one notification to come: a completion id (int > 0), minus a signal's index (int < 0),
or a signal's name (str). Combinators nest freely; their meaning is the protocol's (§5.9), the same
that the server evaluates to decide whether a suspended invocation may go on.

Trees may nest deeper than Python's stack has room for: nothing here recurses.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

from rtour.protocol import messages as m
from rtour.protocol.messages import Combinator
from rtour.protocol.trees import fold

Leaf = int | str

CANCEL: Leaf = -m.SignalIndex.CANCEL


class Outcome(enum.Enum):
    """How far a tree is; the done ones also stand for children taken earlier."""

    PENDING = enum.auto()
    SUCCESS = enum.auto()
    FAILURE = enum.auto()
    UNDECIDED = enum.auto()


class Node(NamedTuple):
    """Children under a combinator."""

    combinator: Combinator
    children: tuple[Tree, ...]


Tree = Leaf | Node | Outcome


def outcome_of(result: m.Result) -> Outcome:
    return Outcome.FAILURE if type(result) is m.Failure else Outcome.SUCCESS


def evaluate(tree: Tree, ready: Mapping[Leaf, m.Result]) -> Outcome:
    """The outcome of `tree`, given the notifications seen so far."""
    if not isinstance(tree, Node):
        return _without_children(tree, ready)

    def outcome(node: Node, inner: list[Outcome]) -> Outcome:
        within = iter(inner)
        children = [
            next(within) if isinstance(child, Node) else _without_children(child, ready)
            for child in node.children
        ]
        return _combine(node.combinator, children)

    return fold(tree, _nodes, outcome)


def _nodes(node: Node) -> list[Node]:
    return [child for child in node.children if isinstance(child, Node)]


def _without_children(tree: Leaf | Outcome, ready: Mapping[Leaf, m.Result]) -> Outcome:
    if isinstance(tree, Outcome):
        return tree
    result = ready.get(tree)
    return Outcome.PENDING if result is None else outcome_of(result)


def _combine(combinator: Combinator, children: list[Outcome]) -> Outcome:
    match combinator:
        case Combinator.UNKNOWN:
            return Outcome.UNDECIDED if _first_done(children) else Outcome.PENDING
        case Combinator.FIRST_COMPLETED:
            return _first_done(children) or Outcome.PENDING
        case Combinator.ALL_COMPLETED:
            return Outcome.PENDING if Outcome.PENDING in children else Outcome.SUCCESS
        case Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED:
            return _until(Outcome.SUCCESS, Outcome.FAILURE, children)
        case _:  # ALL_SUCCEEDED_OR_FIRST_FAILED
            return _until(Outcome.FAILURE, Outcome.SUCCESS, children)


def _first_done(children: list[Outcome]) -> Outcome | None:
    return next((child for child in children if child is not Outcome.PENDING), None)


def _until(decisive: Outcome, otherwise: Outcome, children: list[Outcome]) -> Outcome:
    """One `decisive` child decides; so does an undecided one; else all must be done."""
    if decisive in children:
        return decisive
    if Outcome.UNDECIDED in children:
        return Outcome.UNDECIDED
    return Outcome.PENDING if Outcome.PENDING in children else otherwise


# --- on the wire -------------------------------------------------------------------------------


class _Told(NamedTuple):
    """A node's outcome, and what is left to tell the server of it."""

    outcome: Outcome
    rest: m.Future


def to_future(tree: Node, ready: Mapping[Leaf, m.Result]) -> m.Future:
    """The tree as the server is told: without the parts that are done, a node's parts once each."""

    def tell(node: Node, inner: list[_Told]) -> _Told:
        within = iter(inner)
        outcomes: list[Outcome] = []
        leaves: list[Leaf] = []
        nested: dict[int, m.Future] = {}
        for child in node.children:
            if isinstance(child, Node):
                outcome, rest = next(within)
                if outcome is Outcome.PENDING:
                    nested[id(child)] = rest
            else:
                outcome = _without_children(child, ready)
                if outcome is Outcome.PENDING and not isinstance(child, Outcome):
                    leaves.append(child)
            outcomes.append(outcome)
        rest = _future(node.combinator, leaves, tuple(nested.values()))
        return _Told(_combine(node.combinator, outcomes), rest)

    return fold(tree, _nodes, tell).rest


def _future(combinator: Combinator, leaves: list[Leaf], nested: tuple[m.Future, ...]) -> m.Future:
    """Each leaf once, in the order in which they stand."""
    numbers = [leaf for leaf in dict.fromkeys(leaves) if isinstance(leaf, int)]
    return m.Future(
        tuple([leaf for leaf in numbers if leaf > 0]),
        tuple([-leaf for leaf in numbers if leaf < 0]),
        tuple([leaf for leaf in dict.fromkeys(leaves) if isinstance(leaf, str)]),
        nested,
        combinator,
    )

"""What an attempt waits for: trees of completions and signals, and when they are done.

A leaf is one notification to come: a completion id (int > 0), minus a signal's index (int < 0),
or a signal's name (str). Combinators nest freely; their meaning is the protocol's (§5.9), the same
that the server evaluates to decide whether a suspended invocation may go on.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

from rtour.protocol import messages as m
from rtour.protocol.messages import Combinator

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
    if isinstance(tree, Outcome):
        return tree
    if isinstance(tree, Node):
        return _combine(tree.combinator, [evaluate(child, ready) for child in tree.children])
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


def to_future(tree: Node, ready: Mapping[Leaf, m.Result]) -> m.Future:
    """The tree as the server is told: without the parts that are done."""
    completions: dict[int, None] = {}
    signals: dict[int, None] = {}
    names: dict[str, None] = {}
    nested: list[m.Future] = []
    for child in tree.children:
        if evaluate(child, ready) is not Outcome.PENDING:
            continue
        if isinstance(child, Node):
            nested.append(to_future(child, ready))
        elif isinstance(child, str):
            names[child] = None
        else:
            assert isinstance(child, int), child
            (completions if child > 0 else signals)[abs(child)] = None
    return m.Future(
        tuple(completions), tuple(signals), tuple(names), tuple(nested), tree.combinator
    )

"""The future tree against an evaluator that looks at all notifications anew each time.

The engine forgets what a tree has heard and keeps what is left; the evaluator keeps everything and
works out each node from the definition (protocol §5.9). They must agree at each step.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtour.engine import awaiting
from rtour.protocol import messages as m
from rtour.protocol.messages import Combinator, Failure, Future, MessageType, Notification, Value
from rtour.protocol.trees import depth

from .script import future

LEAVES = st.integers(1, 9)
WELL = Value(b"")
ILL = Failure(500, "no")


@st.composite
def trees(draw: st.DrawFn, combinators: tuple[Combinator, ...] = tuple(Combinator)) -> Future:
    """Trees without empty nodes, in which each leaf stands once."""
    leaves = draw(st.lists(LEAVES, min_size=1, max_size=9, unique=True))
    return _tree(draw, leaves, combinators)


def _tree(draw: st.DrawFn, leaves: list[int], combinators: tuple[Combinator, ...]) -> Future:
    combinator = draw(st.sampled_from(combinators))
    own = draw(st.integers(0 if len(leaves) > 1 else 1, len(leaves)))
    nested = []
    rest = leaves[own:]
    while rest:
        size = draw(st.integers(1, len(rest)))
        nested.append(_tree(draw, rest[:size], combinators))
        rest = rest[size:]
    return Future(tuple(leaves[:own]), nested=tuple(nested), combinator=combinator)


def completion(id_: int, result: Value | Failure) -> Notification:
    return Notification(MessageType.CALL_COMPLETION, id_, result)


NOTIFICATIONS = st.lists(
    st.builds(completion, LEAVES, st.sampled_from([WELL, ILL])),
    unique_by=lambda notification: notification.id,
)


# --- the naive evaluator -------------------------------------------------------------------------


def evaluate(tree: Future, arrived: list[Notification]) -> bool | None:
    """Whether the tree ended well; None while open. First come first counts for `first`."""
    if tree.combinator in {Combinator.FIRST_COMPLETED, Combinator.UNKNOWN}:
        for count in range(1, len(arrived) + 1):
            for child in _children(tree, arrived[:count]):
                if child is not None:
                    return child
        return None
    children = _children(tree, arrived)
    if tree.combinator is Combinator.ALL_COMPLETED:
        return None if None in children else True
    decisive = tree.combinator is Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED
    if decisive in children:
        return decisive
    return None if None in children else not decisive


def _children(tree: Future, arrived: list[Notification]) -> list[bool | None]:
    results = {n.id: not isinstance(n.result, Failure) for n in arrived}
    leaves = [results.get(id_) for id_ in tree.completions]
    return leaves + [evaluate(child, arrived) for child in tree.nested]


def feed(tree: Future, arrived: list[Notification]) -> int | None:
    """How many notifications it took to resolve the tree."""
    for count, notification in enumerate(arrived, 1):
        rest = awaiting.remaining(tree, notification)
        if rest is None:
            return count
        tree = rest
    return None


DECIDABLE = tuple(c for c in Combinator if c is not Combinator.UNKNOWN)


@given(trees(DECIDABLE), NOTIFICATIONS)
def test_tree_resolves_exactly_when_its_definition_says(
    tree: Future, arrived: list[Notification]
) -> None:
    """Feeding one by one resolves a tree at the first prefix that completes it, not sooner."""
    expected = next(
        (n for n in range(1, len(arrived) + 1) if evaluate(tree, arrived[:n]) is not None), None
    )
    assert feed(tree, arrived) == expected


@given(trees(), NOTIFICATIONS)
def test_nothing_sleeps_through_what_it_waits_for(
    tree: Future, arrived: list[Notification]
) -> None:
    """With unknown nodes a tree may resolve early, since only the SDK can tell, but never late."""
    took = feed(tree, arrived)
    late = next(
        (n for n in range(1, len(arrived) + 1) if evaluate(tree, arrived[:n]) is not None), None
    )
    assert late is None or (took is not None and took <= late)


@given(trees())
def test_every_leaf_there_resolves_any_tree(tree: Future) -> None:
    """Once everything has come, nothing keeps an invocation suspended."""
    assert feed(tree, [completion(id_, WELL) for id_ in range(1, 10)]) is not None


@given(trees(), LEAVES)
def test_a_notification_that_is_not_awaited_leaves_the_tree_alone(tree: Future, id_: int) -> None:
    """Another completion, or a signal of the same number, is not what is awaited."""
    assert awaiting.remaining(tree, completion(id_ + 100, WELL)) == tree
    assert awaiting.remaining(tree, Notification(MessageType.SIGNAL, id_, WELL)) == tree


@given(trees(), NOTIFICATIONS)
def test_what_remains_is_awaited_still(tree: Future, arrived: list[Notification]) -> None:
    """A tree that waits on is never empty, and its leaves were there before."""
    for notification in arrived:
        rest = awaiting.remaining(tree, notification)
        if rest is None:
            return
        assert not awaiting.is_empty(rest)
        assert _leaves(rest) <= _leaves(tree) - {notification.id}
        tree = rest


def _leaves(tree: Future) -> set[int]:
    return set(tree.completions).union(*map(_leaves, tree.nested))


@pytest.mark.parametrize(
    ("tree", "then"),
    [
        ("all(unknown(1),2)", "resolves"),
        ("any(unknown(1),2)", "resolves"),
        ("first(all(unknown(1),2),3)", "resolves"),
        ("settled(unknown(1),2)", "settled(2)"),
        ("settled(all(unknown(1),2),3)", "settled(3)"),
        ("first(unknown(1),2)", "resolves"),
        ("unknown(all(1,2),3)", "unknown(3,all(2))"),
    ],
)
def test_unknown_nodes_hand_the_decision_to_the_sdk(tree: str, then: str) -> None:
    """What an unknown node came to is undecidable: it completes nodes that would have to know."""
    rest = awaiting.remaining(future(tree), completion(1, WELL))
    assert rest == (None if then == "resolves" else future(then))


@pytest.mark.parametrize("awaited", ["first(s17)", "first('go')", "first(s1,'go',s17)"])
def test_signals_are_awaited_by_index_and_by_name(awaited: str) -> None:
    """An index and a name are different things, and so is a completion of the same number."""
    tree = future(awaited)
    by_index = awaiting.remaining(tree, Notification(MessageType.SIGNAL, 17, m.VOID))
    by_name = awaiting.remaining(tree, Notification(MessageType.SIGNAL, "go", m.VOID))
    assert (by_index is None) == (17 in tree.signals)
    assert (by_name is None) == ("go" in tree.named_signals)
    assert awaiting.remaining(tree, completion(17, WELL)) == tree


def test_trees_of_any_depth_are_fed() -> None:
    """What completes at the bottom is told to the top, level by level."""
    tree = Future((1, 2), combinator=Combinator.ALL_COMPLETED)
    for _ in range(5000):
        tree = Future(nested=(tree,), combinator=Combinator.FIRST_COMPLETED)
    rest = awaiting.remaining(tree, completion(2, WELL))
    assert rest is not None
    assert not awaiting.is_empty(rest)
    assert depth(rest) == 5001
    assert awaiting.remaining(rest, completion(1, WELL)) is None


def test_empty_is_without_any_leaf() -> None:
    """Nested nodes without leaves await nothing."""
    assert awaiting.is_empty(Future())
    assert awaiting.is_empty(Future(nested=(Future(), Future(nested=(Future(),)))))
    assert not awaiting.is_empty(future("all(all(1))"))
    assert not awaiting.is_empty(future("first('go')"))

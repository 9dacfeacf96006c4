"""What a suspended invocation waits for, and when that is enough to go on (protocol §5.9).

A tree of awaited notifications is fed one notification at a time. Each feeding either resolves the
tree, or leaves a smaller one: children that completed are dropped where the combinator allows it.
"""

from __future__ import annotations

import enum

from rtour.protocol.messages import Combinator, Failure, Future, MessageType, Notification


class _State(enum.Enum):
    """How a completed node ended. UNDECIDABLE: only the SDK knows, so where it matters to the
    node above, that one is complete as well.
    """

    SUCCESS = enum.auto()
    FAILURE = enum.auto()
    UNDECIDABLE = enum.auto()


def remaining(tree: Future, notification: Notification) -> Future | None:
    """The tree without what `notification` completes; None when the SDK can go on."""
    state, rest = _feed(tree, notification)
    return None if state else rest


def is_empty(tree: Future) -> bool:
    """Whether nothing at all is awaited, which no SDK may ask for."""
    leaves = tree.completions or tree.signals or tree.named_signals
    return not leaves and all(is_empty(child) for child in tree.nested)


def depth(tree: Future) -> int:
    """How deeply futures nest; a leaf-only tree has depth 1. Iterative: it may be hostile."""
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in node.nested]
    return deepest


def _feed(node: Future, notification: Notification) -> tuple[_State | None, Future]:
    ended, node = _drop_leaf(node, notification)
    nested = []
    for child in node.nested:
        state, rest = _feed(child, notification)
        if state:
            ended.append(state)
        else:
            nested.append(rest)
    if nested or node.nested:
        node = Future(
            node.completions, node.signals, node.named_signals, tuple(nested), node.combinator
        )
    return (_combine(node, ended) if ended else None), node


def _drop_leaf(node: Future, notification: Notification) -> tuple[list[_State], Future]:
    """The state of the leaf that the notification completes, if any, and the node without it."""
    id = notification.id  # noqa: A001
    completions, signals, names = node.completions, node.signals, node.named_signals
    if notification.type != MessageType.SIGNAL:
        if id not in completions:
            return [], node
        completions = tuple(i for i in completions if i != id)
    elif isinstance(id, int):
        if id not in signals:
            return [], node
        signals = tuple(i for i in signals if i != id)
    else:
        if id not in names:
            return [], node
        names = tuple(name for name in names if name != id)
    failed = isinstance(notification.result, Failure)
    state = _State.FAILURE if failed else _State.SUCCESS
    return [state], Future(completions, signals, names, node.nested, node.combinator)


def _combine(rest: Future, ended: list[_State]) -> _State | None:
    """What a node comes to when some children ended and `rest` is still open."""
    match rest.combinator:
        case Combinator.FIRST_COMPLETED:
            return ended[0]
        case Combinator.UNKNOWN:
            return _State.UNDECIDABLE
        case Combinator.ALL_COMPLETED:
            return _State.SUCCESS if is_empty(rest) else None
        case Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED:
            return _decide(ended, _State.SUCCESS, _State.FAILURE, rest)
        case Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED:
            return _decide(ended, _State.FAILURE, _State.SUCCESS, rest)


def _decide(
    ended: list[_State], decisive: _State, at_the_end: _State, rest: Future
) -> _State | None:
    if _State.UNDECIDABLE in ended:
        return _State.UNDECIDABLE
    if decisive in ended:
        return decisive
    return at_the_end if is_empty(rest) else None

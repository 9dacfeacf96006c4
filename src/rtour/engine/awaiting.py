"""What a suspended invocation waits for, and when that is enough to go on (protocol §5.9).

A tree of awaited notifications is fed one notification at a time. Each feeding either resolves the
tree, or leaves a smaller one: children that completed are dropped where the combinator allows it.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from rtour.protocol.messages import Combinator, Failure, Future, MessageType, Notification
from rtour.protocol.trees import fold, nested


class _State(enum.Enum):
    """How a completed node ended. UNDECIDABLE: only the SDK knows, so where it matters to the
    node above, that one is complete as well.
    """

    SUCCESS = enum.auto()
    FAILURE = enum.auto()
    UNDECIDABLE = enum.auto()


class _Fed(NamedTuple):
    """A node after a notification: how it ended, if it did, and what of it is still open."""

    state: _State | None
    rest: Future
    empty: bool


def remaining(tree: Future, notification: Notification) -> Future | None:
    """The tree without what `notification` completes; None when the SDK can go on."""
    fed = _feed(tree, notification)
    return None if fed.state else fed.rest


def is_empty(tree: Future) -> bool:
    """Whether nothing at all is awaited, which no SDK may ask for."""
    return fold(tree, nested, _is_empty)


def _is_empty(node: Future, children: list[bool]) -> bool:
    return not (node.completions or node.signals or node.named_signals) and all(children)


def _feed(tree: Future, notification: Notification) -> _Fed:
    def feed(node: Future, children: list[_Fed]) -> _Fed:
        ended, node = _drop_leaf(node, notification)
        ended += [child.state for child in children if child.state]
        open_ones = [child for child in children if not child.state]
        if children:
            node = Future(
                node.completions,
                node.signals,
                node.named_signals,
                tuple([child.rest for child in open_ones]),
                node.combinator,
            )
        empty = _is_empty(node, [child.empty for child in open_ones])
        return _Fed(_combine(node.combinator, ended, empty) if ended else None, node, empty)

    return fold(tree, nested, feed)


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


def _combine(combinator: Combinator, ended: list[_State], all_ended: bool) -> _State | None:
    """What a node comes to when some of its children ended."""
    match combinator:
        case Combinator.FIRST_COMPLETED:
            return ended[0]
        case Combinator.UNKNOWN:
            return _State.UNDECIDABLE
        case Combinator.ALL_COMPLETED:
            return _State.SUCCESS if all_ended else None
        case Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED:
            return _decide(ended, _State.SUCCESS, _State.FAILURE, all_ended)
        case Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED:
            return _decide(ended, _State.FAILURE, _State.SUCCESS, all_ended)


def _decide(
    ended: list[_State], decisive: _State, at_the_end: _State, all_ended: bool
) -> _State | None:
    if _State.UNDECIDABLE in ended:
        return _State.UNDECIDABLE
    if decisive in ended:
        return decisive
    return at_the_end if all_ended else None

"""What a suspended invocation waits for, combined futures included.

The columns of completions and signals name only what is awaited directly; what lies within a
combination is in the tree, which is asked for where it matters.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from rtour.client.journal import FIRST_AWAKEABLE_SIGNAL
from rtour.client.model import Invocation
from rtour.client.query import Query, quote, select
from rtour.ids import awakeable_id

# Trees may nest deeper than a JSON reader goes. In a text, the quote after the word is escaped.
_LEAF: Final = re.compile(r'"(CompletionId|SignalIndex)":(\d+)')


class Awaited(msgspec.Struct, frozen=True):
    """The completion ids and the signal indexes, any of which may wake the invocation."""

    completions: frozenset[int]
    signals: frozenset[int]


async def awaited(query: Query, invocation: Invocation) -> Awaited:
    """All that `invocation` waits for; nothing unless it is suspended."""
    is_it = f"id = {quote(invocation.id)}"
    rows = await query.rows(
        select("suspended_waiting_future_json AS tree", "sys_invocation", [is_it])
    )
    leaves = _LEAF.findall(rows[0].get("tree") or "") if rows else []
    found = Awaited(
        frozenset(int(number) for kind, number in leaves if kind == "CompletionId"),
        frozenset(int(number) for kind, number in leaves if kind == "SignalIndex"),
    )
    return Awaited(
        found.completions.union(invocation.suspended_waiting_for_completions),
        found.signals.union(invocation.suspended_waiting_for_signals),
    )


def awakeables(invocation: Invocation, awaited: Awaited) -> list[str]:
    """The ids of the awakeables among what it waits for, the first made first."""
    return [
        awakeable_id(invocation.id, signal)
        for signal in sorted(awaited.signals)
        if signal >= FIRST_AWAKEABLE_SIGNAL
    ]

"""Who called whom: the callers above an invocation, the callees below it."""

from __future__ import annotations

from rtour.client.model import Invocation
from rtour.client.query import Query

# Whoever calls more than this many wants SQL, not a tree.
MAX_FAMILY = 300


async def family(query: Query, root: Invocation) -> dict[str, list[Invocation]]:
    """Children by parent, one query per generation."""
    found: dict[str, list[Invocation]] = {}
    generation, count = [root.id], 1
    while generation and count < MAX_FAMILY:
        children = await query.children(generation)
        generation = []
        for child in children[: MAX_FAMILY - count]:
            if child.id != root.id and child.id not in found:
                found.setdefault(child.invoked_by_id or "", []).append(child)
                generation.append(child.id)
        count += len(generation)
    return found


async def first_caller(query: Query, invocation: Invocation) -> Invocation:
    """The root of the tree an invocation belongs to, as far as it is still known."""
    for _ in range(MAX_FAMILY):
        if not invocation.invoked_by_id:
            break
        caller = await query.invocation(invocation.invoked_by_id)
        if caller is None:
            break
        invocation = caller
    return invocation

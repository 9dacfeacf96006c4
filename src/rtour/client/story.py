"""An invocation with all that is stored of it and of what it called, gathered in one go."""

from __future__ import annotations

import asyncio

import msgspec

from rtour.client.family import family
from rtour.client.journal import JournalEntry, JournalEvent
from rtour.client.model import Invocation
from rtour.client.query import Query

QUERIES_AT_ONCE = 10


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """An invocation with its journal, events and callees, to any depth."""

    invocation: Invocation
    journal: list[JournalEntry]
    events: list[JournalEvent]
    children: list[Story]


async def story_of(query: Query, root: Invocation, *, nested: bool) -> Story:
    """Read the story; without `nested` the callees are left out."""
    called = await family(query, root) if nested else {}
    members = [root, *(child for children in called.values() for child in children)]
    gate = asyncio.Semaphore(QUERIES_AT_ONCE)

    async def read(invocation: Invocation) -> tuple[list[JournalEntry], list[JournalEvent]]:
        async with gate:
            return await query.journal(invocation.id), await query.events(invocation.id)

    parts = await asyncio.gather(*(read(member) for member in members))
    known = {member.id: part for member, part in zip(members, parts, strict=True)}

    def assemble(invocation: Invocation) -> Story:
        journal, events = known[invocation.id]
        children = [assemble(child) for child in called.get(invocation.id, [])]
        return Story(invocation=invocation, journal=journal, events=events, children=children)

    return assemble(root)

"""A journal and the state of its object as they were after a given entry.

Nothing is stored for this: the journal itself says when each thing was written and when each
completion arrived. Of the state, only names that the invocation read or wrote are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from rtour.client.journal import JournalEntry
from rtour.client.telling import STATE_READS


def journal_after(entries: Iterable[JournalEntry], index: int) -> list[JournalEntry]:
    """The entries up to `index`; what completed later is open again."""
    return [
        _reopened(entry) if entry.completed_by is not None and entry.completed_by > index else entry
        for entry in entries
        if entry.index <= index
    ]


def state_after(entries: Sequence[JournalEntry], index: int) -> dict[str, bytes | None]:
    """The values after entry `index`; None is a name that is known to hold nothing."""
    state = _before(entries)
    for entry in entries:
        if entry.index > index or entry.notification:
            continue
        if entry.kind == "SetState" and entry.name is not None:
            state[entry.name] = entry.value
        elif entry.kind == "ClearState" and entry.name is not None:
            state[entry.name] = None
        elif entry.kind == "ClearAllState":
            state = dict.fromkeys(state)
    return state


def _before(entries: Sequence[JournalEntry]) -> dict[str, bytes | None]:
    """What a name held at the start: the first read says it, unless a write came before."""
    state: dict[str, bytes | None] = {}
    written: set[str] = set()
    cleared = False
    for entry in entries:
        if entry.kind == "ClearAllState":
            cleared = True
        if entry.name is None or entry.notification:
            continue
        if entry.kind in ("SetState", "ClearState"):
            written.add(entry.name)
        elif _read(entry) and entry.name not in written and not cleared:
            state.setdefault(entry.name, entry.outcome.value if entry.outcome else None)
    return state


def _read(entry: JournalEntry) -> bool:
    return entry.kind in STATE_READS and entry.outcome is not None


def _reopened(entry: JournalEntry) -> JournalEntry:
    return msgspec.structs.replace(entry, completed_by=None, completed_at=None, outcome=None)

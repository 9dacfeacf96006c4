"""What the cache takes over from a durable batch, so that the next reads need no file."""

from __future__ import annotations

from rtour.engine.model import Entry, InboxItem, Invocation, Status
from rtour.storage.batch import UNSET, Batch, Object, ObjectChanges
from rtour.storage.cache import MISSING, Cache

INBOX_HELD = 64  # items of one inbox that are kept in memory, at most

# Estimates of what the Python objects weigh beside their contents.
_INVOCATION_BYTES = 1000
_ENTRY_BYTES = 200
OBJECT_BYTES = 300


def invocation_size(invocation: Invocation) -> int:
    content = getattr(invocation.result, "content", b"")
    return _INVOCATION_BYTES + len(content) + OBJECT_BYTES * len(invocation.sinks)


def journal_size(entries: list[Entry]) -> int:
    return OBJECT_BYTES + sum([_ENTRY_BYTES + len(entry.raw) for entry in entries])


def state_size(state: dict[bytes, bytes]) -> int:
    return OBJECT_BYTES + sum([100 + len(name) + len(value) for name, value in state.items()])


def inbox_size(items: list[InboxItem]) -> int:
    patches = [item.patch.entries for item in items if item.patch is not None]
    return OBJECT_BYTES + _ENTRY_BYTES * len(items) + sum(map(state_size, patches))


def patched(state: dict[bytes, bytes], changes: ObjectChanges) -> dict[bytes, bytes]:
    patched = {} if changes.state_cleared else state.copy()
    for name, value in changes.state.items():
        if value is None:
            patched.pop(name, None)
        else:
            patched[name] = value
    return patched


def remember(cache: Cache, batch: Batch) -> None:
    ended: set[int] = set()
    for id_, invocation in batch.invocations.items():
        if invocation is None:
            cache.drop(id_)
        elif invocation.status is Status.COMPLETED:
            cache.drop(id_)  # hardly ever read again
            cache.drop(invocation.number)
            ended.add(invocation.number)
        else:
            cache.put(id_, invocation, invocation_size(invocation))
    for number, changes in batch.journals.items():
        if changes.dropped:
            cache.drop(number)
        if changes.entries and number not in ended:
            _remember_entries(cache, number, changes.entries)
    for name, object_changes in batch.objects.items():
        _remember_object(cache, name, object_changes)


def _remember_entries(cache: Cache, number: int, entries: list[Entry]) -> None:
    cached = cache.get(number)
    if cached is not MISSING:
        assert len(cached) == entries[0].index, "a journal grows by its next entry"
        cached += entries
        cache.grow(number, journal_size(entries))
    elif entries[0].index == 0:
        cache.put(number, entries, journal_size(entries))


def _remember_object(cache: Cache, name: Object, changes: ObjectChanges) -> None:
    if changes.lock is not UNSET:
        cache.put((*name, "lock"), changes.lock, OBJECT_BYTES)
    if changes.inbox:
        _remember_inbox(cache, name, changes.inbox)
    if changes.state or changes.state_cleared:
        key = (*name, "state")
        state = {} if changes.state_cleared else cache.get(key)
        if state is not MISSING:
            state = dict(sorted(patched(state, changes).items()))
            cache.put(key, state, state_size(state))


def _remember_inbox(cache: Cache, name: Object, changes: dict[int, InboxItem | None]) -> None:
    """Keep the inbox's first items, and whether they are all of it: a queue at a hot key lives in
    memory. To read it anew from the file for each that leaves it was a tenth of the server's time.
    """
    key = (*name, "inbox")
    held = cache.get(key)
    if held is MISSING:
        return
    items, is_all = held
    items = [item for item in items if item.sequence not in changes]
    if is_all:
        items += [item for item in changes.values() if item is not None]
        is_all = len(items) <= INBOX_HELD
        del items[INBOX_HELD:]
    if items or is_all:
        cache.put(key, (items, is_all), inbox_size(items))
    else:
        cache.drop(key)

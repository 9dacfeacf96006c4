"""The engine's reads: not yet durable batches over a cache over the file.

The batches hold all that the file may lack, so what the file says about a key they do not mention
is true whether the commit under way has reached it or not. Memory is bounded by the batches and
the cache, whatever is stored.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from rtour.engine.model import DocumentKind, Entry, InboxItem, Invocation, Promise, Status, Timer
from rtour.storage.batch import UNSET, Batch, Object, ObjectChanges
from rtour.storage.cache import MISSING, Cache
from rtour.storage.reader import Reader


class WorkingSet:
    """A `View` of all that was written."""

    def __init__(self, reader: Reader, cache: Cache, sequence: int) -> None:
        self._reader = reader
        self._cache = cache
        self.open = Batch(sequence)
        self.flight: Batch | None = None
        self._layers: tuple[Batch, ...] = (self.open,)  # newest first

    def seal(self) -> Batch:
        """Close the open batch, to be committed, and open the next."""
        assert self.flight is None, "one commit at a time"
        self.flight, self.open = self.open, Batch(self.open.sequence)
        self._layers = (self.open, self.flight)
        return self.flight

    def settle(self) -> None:
        """The sealed batch is durable: what may be read again goes to the cache."""
        assert self.flight is not None
        _remember(self._cache, self.flight)
        self.flight = None
        self._layers = (self.open,)

    def invocation(self, id: str) -> Invocation | None:  # noqa: A002
        for batch in self._layers:
            found = batch.invocations.get(id, MISSING)
            if found is not MISSING:
                return found  # type: ignore[no-any-return]
        found = self._cache.get(id)
        if found is not MISSING:
            return found  # type: ignore[no-any-return]
        found = self._reader.invocation(id)
        if found is not None:
            self._cache.put(id, found, _invocation_size(found))
        return found

    def entries(self, invocation: Invocation, first: int = 0) -> list[Entry]:
        number = invocation.number
        pending: list[list[Entry]] = []
        complete = False
        for batch in self._layers:
            changes = batch.journals.get(number)
            if changes is None:
                continue
            if changes.entries:
                pending.insert(0, changes.entries)
            if changes.dropped or (pending and pending[0][0].index <= first):
                complete = True
                break
        border = pending[0][0].index if pending else None
        entries = [] if complete else self._stored_entries(invocation, first, border)
        for part in pending:
            entries += part[max(0, first - part[0].index) :]
        return entries

    def _stored_entries(
        self, invocation: Invocation, first: int, border: int | None
    ) -> list[Entry]:
        """Durable entries from `first` on; those from `border` on are known to be in a batch."""
        number = invocation.number
        if number > self._layers[-1].base:
            return []  # made by a record that is not durable
        cached = self._cache.get(number)
        if cached is not MISSING:
            return cached[first:border]  # type: ignore[no-any-return]
        entries = self._reader.entries(number, first)
        expected = invocation.journal_length if border is None else border
        if first + len(entries) < expected and first < expected:
            self._refuse_gap(invocation, border)
        if border is not None:
            del entries[max(0, border - first) :]
        if first == 0 and invocation.status is not Status.COMPLETED:
            self._cache.put(number, list(entries), _journal_size(entries))
        return entries

    def _refuse_gap(self, invocation: Invocation, border: int | None) -> None:
        """The file has less of a journal than it should, unless that was dropped meanwhile."""
        now = self.invocation(invocation.id)
        dropped = (
            now is None
            or now.number != invocation.number
            or now.journal_length < invocation.journal_length
        )
        if border is not None or not dropped:
            raise self._reader.damaged("journal", (invocation.number, "the end is missing"))

    def lock(self, service: str, key: str) -> str | None:
        for changes in self._changes((service, key)):
            if changes.lock is not UNSET:
                return changes.lock
        cached = self._cache.get((service, key, "lock"))
        if cached is MISSING:
            cached = self._reader.lock(service, key)
            self._cache.put((service, key, "lock"), cached, _OBJECT_BYTES)
        return cached  # type: ignore[no-any-return]

    def inbox(self, service: str, key: str) -> Iterator[InboxItem]:
        pending: dict[int, InboxItem | None] = {}
        for changes in reversed(self._changes((service, key))):
            pending.update(changes.inbox)
        waiting = [item for _, item in sorted(pending.items()) if item is not None]
        if self._cache.get((service, key, "empty inbox")) is True:
            return iter(waiting)
        stored = (i for i in self._stored_inbox(service, key) if i.sequence not in pending)
        return heapq.merge(stored, waiting, key=lambda item: item.sequence)

    def _stored_inbox(self, service: str, key: str) -> Iterator[InboxItem]:
        empty = True
        for item in self._reader.inbox(service, key):
            empty = False
            yield item
        if empty:
            self._cache.put((service, key, "empty inbox"), True, _OBJECT_BYTES)

    def state(self, service: str, key: str, name: bytes) -> bytes | None:
        for changes in self._changes((service, key)):
            found = changes.state.get(name, MISSING)
            if found is not MISSING:
                return found  # type: ignore[no-any-return]
            if changes.state_cleared:
                return None
        cached = self._cache.get((service, key, "state"))
        if cached is not MISSING:
            return cached.get(name)  # type: ignore[no-any-return]
        return self._reader.state(service, key, name)

    def all_state(self, service: str, key: str, bytes_max: int | None = None) -> dict[bytes, bytes]:
        """All of it; or, where that is more than `bytes_max`, perhaps only more than that."""
        pending = self._changes((service, key))
        if not pending and bytes_max is not None:
            cached = self._cache.get((service, key, "state"))
            if cached is not MISSING:
                return cached.copy()  # type: ignore[no-any-return]
            return self._first_state(service, key, bytes_max)
        state: dict[bytes, bytes]
        if any(changes.state_cleared for changes in pending):
            state = {}
        else:
            state = self._stored_state(service, key)
        if not pending:
            return state.copy()
        for changes in reversed(pending):
            state = _patched(state, changes)
        return dict(sorted(state.items()))

    def _first_state(self, service: str, key: str, bytes_max: int) -> dict[bytes, bytes]:
        state = self._reader.all_state(service, key, bytes_max)
        size = sum([len(name) + len(value) for name, value in state.items()])
        if size <= bytes_max:  # then it is all there is
            self._cache.put((service, key, "state"), state.copy(), _state_size(state))
        return state

    def _stored_state(self, service: str, key: str) -> dict[bytes, bytes]:
        cached = self._cache.get((service, key, "state"))
        if cached is MISSING:
            cached = self._reader.all_state(service, key)
            self._cache.put((service, key, "state"), cached, _state_size(cached))
        return cached  # type: ignore[no-any-return]

    def promise(self, service: str, key: str, name: str) -> Promise | None:
        for changes in self._changes((service, key)):
            found = changes.promises.get(name)
            if found is not None:
                return found
            if changes.promises_cleared:
                return None
        return self._reader.promise(service, key, name)

    def document(self, kind: DocumentKind, id: str) -> bytes | None:  # noqa: A002
        for batch in self._layers:
            found = batch.documents.get((kind, id), MISSING)
            if found is not MISSING:
                return found  # type: ignore[no-any-return]
        return self._reader.document(kind, id)

    def timers_after(self, after: Timer | None, limit: int) -> list[Timer]:
        """Stored timers, without those whose deletion is on its way.

        Nor those whose storing is: whoever set them is told of each when its commit is over, and
        would otherwise know it twice.
        """
        timers: list[Timer] = []
        while len(timers) < limit:
            wanted = limit - len(timers)
            stored = self._reader.timers_after(after, wanted)
            timers += [timer for timer in stored if not self._is_changing(timer)]
            if len(stored) < wanted:
                break
            after = stored[-1]
        return timers

    def _is_changing(self, timer: Timer) -> bool:
        return any(timer in batch.timers for batch in self._layers)

    def _changes(self, name: Object) -> list[ObjectChanges]:
        """What the batches do to the object, newest first."""
        return [batch.objects[name] for batch in self._layers if name in batch.objects]


# --- what the cache takes over from a durable batch ---------------------------------------------

# Estimates of what the Python objects weigh beside their contents.
_INVOCATION_BYTES = 1000
_ENTRY_BYTES = 200
_OBJECT_BYTES = 300


def _invocation_size(invocation: Invocation) -> int:
    content = getattr(invocation.result, "content", b"")
    return _INVOCATION_BYTES + len(content) + _OBJECT_BYTES * len(invocation.sinks)


def _journal_size(entries: list[Entry]) -> int:
    return _OBJECT_BYTES + sum([_ENTRY_BYTES + len(entry.raw) for entry in entries])


def _state_size(state: dict[bytes, bytes]) -> int:
    return _OBJECT_BYTES + sum([100 + len(name) + len(value) for name, value in state.items()])


def _patched(state: dict[bytes, bytes], changes: ObjectChanges) -> dict[bytes, bytes]:
    patched = {} if changes.state_cleared else state.copy()
    for name, value in changes.state.items():
        if value is None:
            patched.pop(name, None)
        else:
            patched[name] = value
    return patched


def _remember(cache: Cache, batch: Batch) -> None:
    ended: set[int] = set()
    for id_, invocation in batch.invocations.items():
        if invocation is None:
            cache.drop(id_)
        elif invocation.status is Status.COMPLETED:
            cache.drop(id_)  # hardly ever read again
            cache.drop(invocation.number)
            ended.add(invocation.number)
        else:
            cache.put(id_, invocation, _invocation_size(invocation))
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
        cache.grow(number, _journal_size(entries))
    elif entries[0].index == 0:
        cache.put(number, entries, _journal_size(entries))


def _remember_object(cache: Cache, name: Object, changes: ObjectChanges) -> None:
    if changes.lock is not UNSET:
        cache.put((*name, "lock"), changes.lock, _OBJECT_BYTES)
    if changes.inbox:
        cache.drop((*name, "empty inbox"))
    if changes.state or changes.state_cleared:
        key = (*name, "state")
        state = {} if changes.state_cleared else cache.get(key)
        if state is not MISSING:
            state = dict(sorted(_patched(state, changes).items()))
            cache.put(key, state, _state_size(state))

"""The engine's reads: batches that the file has not yet, over a cache over the file.

The newest batch is open, the next one may be in a commit, the last one is durable in the ledger and
waits to be carried over. Together they hold all that the file may lack, so what the file says about
a key they do not mention is true. Memory is bounded by the batches and the cache, whatever is
stored.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice

from rtour.engine.changes import AppendEntry, Change, PutState, PutTelling
from rtour.engine.model import (
    DocumentKind,
    Entry,
    InboxItem,
    Invocation,
    Promise,
    Sink,
    Status,
    Telling,
    Timer,
)
from rtour.storage import rows
from rtour.storage.batch import UNSET, Batch, Object, ObjectChanges
from rtour.storage.cache import MISSING, Cache
from rtour.storage.ledger.pages import Written
from rtour.storage.reader import Reader
from rtour.storage.remembering import (
    OBJECT_BYTES,
    inbox_size,
    invocation_size,
    journal_size,
    patched,
    remember,
    state_size,
)

_INBOX_PAGE = 16  # items that are read at once


class WorkingSet:
    """A `View` of all that was written."""

    def __init__(self, reader: Reader, cache: Cache, sequence: int) -> None:
        self._reader = reader
        self._cache = cache
        self.open = Batch(sequence)
        self.flight: Batch | None = None
        self.ledgered = Batch(sequence)
        self._layers: tuple[Batch, ...] = (self.open, self.ledgered)  # newest first
        self._written: list[Written] = []
        self._bulk = 0  # bytes in what was written that may be many
        self._sealed: list[Written] = []

    def write(self, changes: Iterable[Change], sequence: int, at: int) -> None:
        """Take the changes of the next record."""
        written = list(changes)
        self.open.add(written, sequence, at)
        self._written.append((sequence, at, written))
        for change in written:
            if type(change) is AppendEntry:
                self._bulk += len(change.entry.raw)
            elif type(change) is PutState:
                self._bulk += len(change.value)
            elif type(change) is PutTelling:
                self._bulk += len(getattr(change.telling.result, "content", b""))

    def seal(self) -> tuple[list[Written], int]:
        """Close the open batch, to be committed, and open the next.

        Returns its records, and how many bytes at least they are. None, if they cancel each other
        out, and then there is no commit.
        """
        assert self.flight is None, "one commit at a time"
        sealed, self._written = self._written, []
        bulk, self._bulk = self._bulk, 0
        if self.open.is_empty:
            self._open_next(self.open.base)
            return [], 0
        self._sealed = sealed
        self.flight = self.open
        self._open_next(self.flight.sequence)
        self._layers = (self.open, self.flight, self.ledgered)
        return sealed, bulk

    def _open_next(self, base: int) -> None:
        sequence, self.open = self.open.sequence, Batch(base)
        self.open.sequence = sequence
        self._layers = (self.open, self.ledgered)

    def settle(self) -> None:
        """The sealed batch is durable."""
        sealed, self._sealed = self._sealed, []
        for sequence, at, changes in sealed:
            self.ledgered.add(changes, sequence, at)
        self.flight = None
        self._layers = (self.open, self.ledgered)

    def carried(self) -> None:
        """The durable batch is in the file: what may be read again goes to the cache."""
        remember(self._cache, self.ledgered)
        self.ledgered = Batch(self.ledgered.sequence)
        self._layers = (*self._layers[:-1], self.ledgered)

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
            self._cache.put(id, found, invocation_size(found))
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
        """Entries in the file from `first` on; those from `border` on are in a batch."""
        number = invocation.number
        if number > self._layers[-1].base:
            return []  # made by a record that is not in the file
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
            self._cache.put(number, list(entries), journal_size(entries))
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

    def waiters(self, id: str, number: int, limit: int) -> list[Sink]:  # noqa: A002, ARG002
        pending: dict[Sink, bool] = {}
        for batch in reversed(self._layers):
            pending.update(batch.waiters.get(number, {}))
        new = sorted([sink for sink, kept in pending.items() if kept], key=rows.place_of_waiter)
        if number > self._layers[-1].base:
            return new[:limit]
        stored = (sink for sink in self._reader.waiters(number, limit) if sink not in pending)
        return list(islice(heapq.merge(stored, new, key=rows.place_of_waiter), limit))

    def telling(self, id: str, number: int) -> Telling | None:  # noqa: A002, ARG002
        for batch in self._layers:
            found = batch.tellings.get(number, MISSING)
            if found is not MISSING:
                return found  # type: ignore[no-any-return]
        return self._reader.telling(number)

    def lock(self, service: str, key: str) -> str | None:
        for changes in self._changes((service, key)):
            if changes.lock is not UNSET:
                return changes.lock
        cached = self._cache.get((service, key, "lock"))
        if cached is MISSING:
            cached = self._reader.lock(service, key)
            self._cache.put((service, key, "lock"), cached, OBJECT_BYTES)
        return cached  # type: ignore[no-any-return]

    def inbox(self, service: str, key: str) -> Iterator[InboxItem]:
        pending: dict[int, InboxItem | None] = {}  # in order, and behind all that is stored
        for changes in reversed(self._changes((service, key))):
            pending.update(changes.inbox)
        for item in self._stored_inbox(service, key):
            if item.sequence not in pending:
                yield item
        for waiting in pending.values():
            if waiting is not None:
                yield waiting

    def _stored_inbox(self, service: str, key: str) -> Iterator[InboxItem]:
        """Page by page: whoever takes the first pays for a few, and the next ones for none."""
        held = self._cache.get((service, key, "inbox"))
        if held is MISSING:
            page = self._reader.inbox(service, key, -1, _INBOX_PAGE)
            held = page, len(page) < _INBOX_PAGE
            self._cache.put((service, key, "inbox"), held, inbox_size(page))
        items, is_all = held
        yield from items
        while not is_all:
            items = self._reader.inbox(service, key, items[-1].sequence, _INBOX_PAGE)
            is_all = len(items) < _INBOX_PAGE
            yield from items

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
        return self._state_over(self._changes((service, key)), service, key, bytes_max)

    def durable_state(
        self, service: str, key: str, bytes_max: int | None = None
    ) -> dict[bytes, bytes]:
        """The same without what is not durable."""
        changes = self.ledgered.objects.get((service, key))
        return self._state_over([changes] if changes else [], service, key, bytes_max)

    def _state_over(
        self, pending: list[ObjectChanges], service: str, key: str, bytes_max: int | None
    ) -> dict[bytes, bytes]:
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
            state = patched(state, changes)
        return dict(sorted(state.items()))

    def _first_state(self, service: str, key: str, bytes_max: int) -> dict[bytes, bytes]:
        state = self._reader.all_state(service, key, bytes_max)
        size = sum([len(name) + len(value) for name, value in state.items()])
        if size <= bytes_max:  # then it is all there is
            self._cache.put((service, key, "state"), state.copy(), state_size(state))
        return state

    def _stored_state(self, service: str, key: str) -> dict[bytes, bytes]:
        cached = self._cache.get((service, key, "state"))
        if cached is MISSING:
            cached = self._reader.all_state(service, key)
            self._cache.put((service, key, "state"), cached, state_size(cached))
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
        """Durable timers, without those whose deletion is on its way.

        Nor those whose storing is: whoever set them is told of each when its commit is over, and
        would otherwise know it twice.
        """
        new = [timer for timer, kept in self.ledgered.timers.items() if kept]
        timers = [timer for timer in new if after is None or timer > after]
        timers = [timer for timer in timers if not self._is_changing(timer)]
        reached, found = after, 0
        while found < limit:
            wanted = limit - found
            stored = self._reader.timers_after(reached, wanted)
            staying = [timer for timer in stored if not self._is_changed(timer)]
            timers += staying
            found += len(staying)
            if len(stored) < wanted:
                break
            reached = stored[-1]
        return sorted(timers)[:limit]

    def _is_changing(self, timer: Timer) -> bool:
        return any(timer in batch.timers for batch in self._layers[:-1])

    def _is_changed(self, timer: Timer) -> bool:
        return any(timer in batch.timers for batch in self._layers)

    def numbered(self, number: int) -> Invocation | None:
        """The durable invocation with this number."""
        if number > self.ledgered.base:
            found = (one for one in self.ledgered.invocations.values() if one)
            return next((one for one in found if one.number == number), None)
        stored = self._reader.numbered(number)
        if stored is None or stored.id not in self.ledgered.invocations:
            return stored
        now = self.ledgered.invocations[stored.id]
        return now if now is not None and now.number == number else None

    def _changes(self, name: Object) -> list[ObjectChanges]:
        """What the batches do to the object, newest first."""
        return [batch.objects[name] for batch in self._layers if name in batch.objects]

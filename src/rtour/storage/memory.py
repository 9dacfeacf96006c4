"""The storage in dicts: for tests, for simulations, and the meaning of every Change in one place.

What is written shows at once in the working tables and reaches the durable ones at its commit. A
crash keeps the durable tables only: `MemoryStorage(storage.durable)` is the restart after it.

`DeclaredView` keeps the engine honest: it refuses every read that `engine.apply.keys` did not
declare, so that a storage over a remote database can fetch a batch's rows in one round trip.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rtour.engine import changes as c
from rtour.engine.commands import Document, Tell
from rtour.engine.model import (
    DocumentKind,
    Entry,
    Event,
    InboxItem,
    Invocation,
    Promise,
    Sink,
    Status,
    Telling,
    Timer,
)
from rtour.engine.view import DocumentKey, InvocationKey, Key, ObjectKey, View
from rtour.storage import Recovered
from rtour.storage.rows import place_of_waiter

Object = tuple[str, str]


class Tables:
    """All rows, by their keys."""

    def __init__(self) -> None:
        self.sequence = 0
        self.at = 0
        self.invocations: dict[str, Invocation] = {}
        self.journals: dict[int, list[Entry]] = {}
        self.events: dict[int, list[Event]] = {}
        self.locks: dict[Object, str] = {}
        self.inboxes: dict[Object, dict[int, InboxItem]] = {}
        self.states: dict[Object, dict[bytes, bytes]] = {}
        self.promises: dict[Object, dict[str, Promise]] = {}
        self.waiters: dict[int, dict[Sink, None]] = {}
        self.tellings: dict[int, Telling] = {}
        self.timers: dict[Timer, None] = {}
        self.documents: dict[tuple[DocumentKind, str], bytes] = {}

    def copy(self) -> Tables:
        """A second set of tables with the same rows; the rows themselves never change."""
        other = Tables()
        for name, table in vars(self).items():
            if isinstance(table, dict):
                rows = {k: v.copy() if isinstance(v, dict | list) else v for k, v in table.items()}
                setattr(other, name, rows)
            else:
                setattr(other, name, table)
        return other

    def apply(self, change: c.Change) -> None:
        _APPLY[type(change)](self, change)


def _put_invocation(tables: Tables, change: c.PutInvocation) -> None:
    known = tables.invocations.get(change.invocation.id)
    assert known is None or known.number == change.invocation.number, "a living id is used again"
    tables.invocations[change.invocation.id] = change.invocation


def _delete_invocation(tables: Tables, change: c.DeleteInvocation) -> None:
    del tables.invocations[change.id]
    tables.journals.pop(change.number, None)
    tables.events.pop(change.number, None)


def _append_entry(tables: Tables, change: c.AppendEntry) -> None:
    journal = tables.journals.setdefault(change.number, [])
    assert change.entry.index == len(journal), "a journal grows by its next entry"
    journal.append(change.entry)


def _delete_journal(tables: Tables, change: c.DeleteJournal) -> None:
    tables.journals.pop(change.number, None)
    tables.events.pop(change.number, None)


def _append_event(tables: Tables, change: c.AppendEvent) -> None:
    tables.events.setdefault(change.number, []).append(change.event)


def _put_lock(tables: Tables, change: c.PutLock) -> None:
    tables.locks[change.service, change.key] = change.holder


def _delete_lock(tables: Tables, change: c.DeleteLock) -> None:
    tables.locks.pop((change.service, change.key), None)


def _put_inbox_item(tables: Tables, change: c.PutInboxItem) -> None:
    inbox = tables.inboxes.setdefault((change.service, change.key), {})
    inbox[change.item.sequence] = change.item


def _delete_inbox_item(tables: Tables, change: c.DeleteInboxItem) -> None:
    tables.inboxes.get((change.service, change.key), {}).pop(change.sequence, None)


def _put_state(tables: Tables, change: c.PutState) -> None:
    tables.states.setdefault((change.service, change.key), {})[change.name] = change.value


def _delete_state(tables: Tables, change: c.DeleteState) -> None:
    tables.states.get((change.service, change.key), {}).pop(change.name, None)


def _clear_state(tables: Tables, change: c.ClearState) -> None:
    tables.states.pop((change.service, change.key), None)


def _put_promise(tables: Tables, change: c.PutPromise) -> None:
    tables.promises.setdefault((change.service, change.key), {})[change.name] = change.promise


def _clear_promises(tables: Tables, change: c.ClearPromises) -> None:
    tables.promises.pop((change.service, change.key), None)


def _put_waiter(tables: Tables, change: c.PutWaiter) -> None:
    tables.waiters.setdefault(change.number, {})[change.sink] = None


def _delete_waiter(tables: Tables, change: c.DeleteWaiter) -> None:
    tables.waiters.get(change.number, {}).pop(change.sink, None)


def _put_telling(tables: Tables, change: c.PutTelling) -> None:
    tables.tellings[change.telling.number] = change.telling


def _delete_telling(tables: Tables, change: c.DeleteTelling) -> None:
    del tables.tellings[change.number]


def _put_timer(tables: Tables, change: c.PutTimer) -> None:
    tables.timers[change.timer] = None


def _delete_timer(tables: Tables, change: c.DeleteTimer) -> None:
    tables.timers.pop(change.timer, None)


def _put_document(tables: Tables, change: c.PutDocument) -> None:
    tables.documents[change.kind, change.id] = change.json


def _delete_document(tables: Tables, change: c.DeleteDocument) -> None:
    tables.documents.pop((change.kind, change.id), None)


_APPLY: dict[type, Callable[[Tables, Any], None]] = {
    c.PutInvocation: _put_invocation,
    c.DeleteInvocation: _delete_invocation,
    c.AppendEntry: _append_entry,
    c.DeleteJournal: _delete_journal,
    c.AppendEvent: _append_event,
    c.PutLock: _put_lock,
    c.DeleteLock: _delete_lock,
    c.PutInboxItem: _put_inbox_item,
    c.DeleteInboxItem: _delete_inbox_item,
    c.PutState: _put_state,
    c.DeleteState: _delete_state,
    c.ClearState: _clear_state,
    c.PutPromise: _put_promise,
    c.ClearPromises: _clear_promises,
    c.PutWaiter: _put_waiter,
    c.DeleteWaiter: _delete_waiter,
    c.PutTelling: _put_telling,
    c.DeleteTelling: _delete_telling,
    c.PutTimer: _put_timer,
    c.DeleteTimer: _delete_timer,
    c.PutDocument: _put_document,
    c.DeleteDocument: _delete_document,
}


class TablesView:
    """The engine's reads over `Tables`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def invocation(self, id: str) -> Invocation | None:  # noqa: A002
        return self._tables.invocations.get(id)

    def entries(self, invocation: Invocation, first: int = 0) -> list[Entry]:
        return self._tables.journals.get(invocation.number, [])[first:]

    def waiters(self, id: str, number: int, limit: int) -> list[Sink]:  # noqa: A002, ARG002
        return sorted(self._tables.waiters.get(number, {}), key=place_of_waiter)[:limit]

    def telling(self, id: str, number: int) -> Telling | None:  # noqa: A002, ARG002
        return self._tables.tellings.get(number)

    def lock(self, service: str, key: str) -> str | None:
        return self._tables.locks.get((service, key))

    def inbox(self, service: str, key: str) -> Iterator[InboxItem]:
        items = self._tables.inboxes.get((service, key), {})
        return iter([items[sequence] for sequence in sorted(items)])

    def state(self, service: str, key: str, name: bytes) -> bytes | None:
        return self._tables.states.get((service, key), {}).get(name)

    def all_state(self, service: str, key: str) -> dict[bytes, bytes]:
        return dict(sorted(self._tables.states.get((service, key), {}).items()))

    def promise(self, service: str, key: str, name: str) -> Promise | None:
        return self._tables.promises.get((service, key), {}).get(name)

    def document(self, kind: DocumentKind, id: str) -> bytes | None:  # noqa: A002
        return self._tables.documents.get((kind, id))


class MemoryStorage:
    """A `Storage` that forgets all but what was committed, when asked to."""

    def __init__(self, durable: Tables | None = None) -> None:
        self.durable = durable if durable is not None else Tables()
        self.working = self.durable.copy()
        self._view = TablesView(self.working)
        self._open: list[tuple[int, int, list[c.Change]]] = []
        self._flight: list[tuple[int, int, list[c.Change]]] = []  # in the commit under way
        self._committing = False

    @property
    def view(self) -> View:
        return self._view

    def recover(self) -> Recovered:
        tables = self.durable
        return Recovered(
            last_sequence=tables.sequence,
            last_at=tables.at,
            documents=[
                Document(kind, id_, json) for (kind, id_), json in sorted(tables.documents.items())
            ],
            tellings=[Tell(each.id, number) for number, each in sorted(tables.tellings.items())],
        )

    def running_after(self, number: int, limit: int) -> list[Invocation]:
        running = [
            each
            for each in self.durable.invocations.values()
            if each.status is Status.INVOKED and each.number > number
        ]
        return sorted(running, key=lambda each: each.number)[:limit]

    def stored(self, number: int) -> Invocation | None:
        found = (each for each in self.durable.invocations.values() if each.number == number)
        return next(found, None)

    def write(self, changes: Iterable[c.Change], *, sequence: int, at: int) -> None:
        batch = list(changes)
        for change in batch:
            self.working.apply(change)
        self._open.append((sequence, at, batch))

    def commit(self, done: Callable[[BaseException | None], None]) -> None:
        assert not self._committing, "one commit at a time"
        self._committing = True
        self._flight, self._open = self._open, []
        asyncio.get_running_loop().call_soon(self._settle, done)

    def _settle(self, done: Callable[[BaseException | None], None]) -> None:
        batch, self._flight = self._flight, []
        for sequence, at, changes in batch:
            for change in changes:
                self.durable.apply(change)
            self.durable.sequence, self.durable.at = sequence, at
        self._committing = False
        done(None)

    def journal(self, invocation: Invocation) -> list[Entry]:
        return self._view.entries(invocation)[: invocation.journal_length]

    def object_state(
        self,
        service: str,
        key: str,
        *,
        committed: bool,
        bytes_max: int | None = None,  # noqa: ARG002 - it is all in memory
    ) -> dict[bytes, bytes]:
        tables = self.durable if committed else self.working
        return TablesView(tables).all_state(service, key)

    def timers_after(self, after: Timer | None, limit: int) -> list[Timer]:
        changing = {
            change.timer
            for _, _, changes in (*self._flight, *self._open)
            for change in changes
            if isinstance(change, c.PutTimer | c.DeleteTimer)
        }
        timers = [t for t in self.durable.timers if t not in changing]
        return sorted(t for t in timers if after is None or t > after)[:limit]

    def expired(self, at: int, limit: int) -> list[tuple[str, bool]]:
        due: list[tuple[int, int, str, bool]] = []
        for invocation in self.durable.invocations.values():
            whole = invocation.expires_at
            if whole is None:
                continue
            journal = invocation.journal_expires_at
            first = whole if journal is None else journal
            if first <= at:
                due.append((first, invocation.number, invocation.id, whole <= at))
        return [(id_, whole) for _, _, id_, whole in sorted(due)[:limit]]

    async def carried(self) -> None:
        """There is no file."""

    def close(self) -> None:
        """Nothing to let go of."""


class DeclaredView:
    """A view of the declared keys alone; any other read is a bug of `engine.apply.keys`."""

    def __init__(self, view: View, keys: Iterable[Key]) -> None:
        self._view = view
        self._ids: set[str] = set()
        self._objects: set[Object] = set()
        self._documents: set[tuple[DocumentKind, str]] = set()
        for key in keys:
            self._declare(key)

    def _declare(self, key: Key) -> None:
        match key:
            case ObjectKey(service, name):
                self._objects.add((service, name))
            case DocumentKey(kind, id_):
                self._documents.add((kind, id_))
            case InvocationKey(id_):
                self._ids.add(id_)
                stored = self._view.invocation(id_)
                if stored is not None and stored.target.key is not None:
                    self._objects.add((stored.target.service, stored.target.key))

    def _check_id(self, id_: str) -> None:
        assert id_ in self._ids, f"read of the undeclared invocation {id_}"

    def _check_object(self, service: str, key: str) -> None:
        assert (service, key) in self._objects, f"read of the undeclared object {service}/{key}"

    def invocation(self, id: str) -> Invocation | None:  # noqa: A002
        self._check_id(id)
        return self._view.invocation(id)

    def entries(self, invocation: Invocation, first: int = 0) -> list[Entry]:
        self._check_id(invocation.id)
        return self._view.entries(invocation, first)

    def waiters(self, id: str, number: int, limit: int) -> list[Sink]:  # noqa: A002
        self._check_id(id)
        return self._view.waiters(id, number, limit)

    def telling(self, id: str, number: int) -> Telling | None:  # noqa: A002
        self._check_id(id)
        return self._view.telling(id, number)

    def lock(self, service: str, key: str) -> str | None:
        self._check_object(service, key)
        return self._view.lock(service, key)

    def inbox(self, service: str, key: str) -> Iterator[InboxItem]:
        self._check_object(service, key)
        return self._view.inbox(service, key)

    def state(self, service: str, key: str, name: bytes) -> bytes | None:
        self._check_object(service, key)
        return self._view.state(service, key, name)

    def all_state(self, service: str, key: str) -> dict[bytes, bytes]:
        self._check_object(service, key)
        return self._view.all_state(service, key)

    def promise(self, service: str, key: str, name: str) -> Promise | None:
        self._check_object(service, key)
        return self._view.promise(service, key, name)

    def document(self, kind: DocumentKind, id: str) -> bytes | None:  # noqa: A002
        assert (kind, id) in self._documents, f"read of the undeclared document {kind} {id}"
        return self._view.document(kind, id)

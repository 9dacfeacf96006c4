"""What the database has not yet: at once the overlay that reads see and the rows to store.

Changes of one key melt into the last of them, so an invocation that moves five times within a
batch is one row. Whatever a record of this batch has numbered (an invocation, its journal and
timers, an inbox item) is unknown to the file: deleted again, it leaves no trace at all.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from rtour.engine import changes as c
from rtour.engine.model import (
    DocumentKind,
    Entry,
    Event,
    InboxItem,
    Invocation,
    Promise,
    Sink,
    Telling,
    Timer,
)

Object = tuple[str, str]


class _Unset(enum.Enum):
    UNSET = enum.auto()


UNSET: Final = _Unset.UNSET
Unset = Literal[_Unset.UNSET]


class ObjectChanges:
    """What a batch does to one object; a None among the rows is a deletion."""

    __slots__ = ("inbox", "lock", "promises", "promises_cleared", "state", "state_cleared")

    def __init__(self) -> None:
        self.lock: str | Unset | None = UNSET
        self.inbox: dict[int, InboxItem | None] = {}
        self.state: dict[bytes, bytes | None] = {}
        self.state_cleared = False
        self.promises: dict[str, Promise] = {}
        self.promises_cleared = False


class JournalChanges:
    """What a batch does to one journal: drop what was there, then append."""

    __slots__ = ("dropped", "entries", "events")

    def __init__(self, *, dropped: bool = False) -> None:
        self.dropped = dropped
        self.entries: list[Entry] = []
        self.events: list[Event] = []


class Batch:
    """The melted changes of all records after `base`, the last one of the batch before."""

    __slots__ = (
        "at",
        "base",
        "documents",
        "forgotten",
        "invocations",
        "journals",
        "objects",
        "sequence",
        "tellings",
        "timers",
        "waiters",
    )

    def __init__(self, base: int) -> None:
        self.base = base
        self.sequence = base
        self.at = 0
        self.invocations: dict[str, Invocation | None] = {}
        self.forgotten: list[int] = []
        self.journals: dict[int, JournalChanges] = {}
        self.objects: dict[Object, ObjectChanges] = {}
        self.waiters: dict[int, dict[Sink, bool]] = {}
        self.tellings: dict[int, Telling | None] = {}
        self.timers: dict[Timer, bool] = {}
        self.documents: dict[tuple[DocumentKind, str], bytes | None] = {}

    @property
    def is_empty(self) -> bool:
        return not (
            self.invocations
            or self.journals
            or self.objects
            or self.waiters
            or self.tellings
            or self.timers
            or self.documents
        )

    def add(self, changes: Iterable[c.Change], sequence: int, at: int) -> None:
        """Take the changes of one record."""
        assert sequence > self.sequence, "records come in order"
        self.sequence, self.at = sequence, at
        for change in changes:
            _APPLY[type(change)](self, change)

    def journal(self, number: int) -> JournalChanges:
        found = self.journals.get(number)
        if found is None:
            found = self.journals[number] = JournalChanges()
        return found

    def object(self, service: str, key: str) -> ObjectChanges:
        found = self.objects.get((service, key))
        if found is None:
            found = self.objects[service, key] = ObjectChanges()
        return found

    def drop_journal(self, number: int) -> None:
        if number > self.base:
            self.journals.pop(number, None)
        else:
            self.journals[number] = JournalChanges(dropped=True)


def _put_invocation(batch: Batch, change: c.PutInvocation) -> None:
    batch.invocations[change.invocation.id] = change.invocation


def _delete_invocation(batch: Batch, change: c.DeleteInvocation) -> None:
    batch.invocations[change.id] = None
    batch.drop_journal(change.number)
    if change.number <= batch.base:
        batch.forgotten.append(change.number)


def _append_entry(batch: Batch, change: c.AppendEntry) -> None:
    batch.journal(change.number).entries.append(change.entry)


def _delete_journal(batch: Batch, change: c.DeleteJournal) -> None:
    batch.drop_journal(change.number)


def _append_event(batch: Batch, change: c.AppendEvent) -> None:
    batch.journal(change.number).events.append(change.event)


def _put_lock(batch: Batch, change: c.PutLock) -> None:
    batch.object(change.service, change.key).lock = change.holder


def _delete_lock(batch: Batch, change: c.DeleteLock) -> None:
    batch.object(change.service, change.key).lock = None


def _put_inbox_item(batch: Batch, change: c.PutInboxItem) -> None:
    batch.object(change.service, change.key).inbox[change.item.sequence] = change.item


def _delete_inbox_item(batch: Batch, change: c.DeleteInboxItem) -> None:
    inbox = batch.object(change.service, change.key).inbox
    if change.sequence > batch.base:
        inbox.pop(change.sequence, None)
    else:
        inbox[change.sequence] = None


def _put_state(batch: Batch, change: c.PutState) -> None:
    batch.object(change.service, change.key).state[change.name] = change.value


def _delete_state(batch: Batch, change: c.DeleteState) -> None:
    changes = batch.object(change.service, change.key)
    if changes.state_cleared:
        changes.state.pop(change.name, None)
    else:
        changes.state[change.name] = None


def _clear_state(batch: Batch, change: c.ClearState) -> None:
    changes = batch.object(change.service, change.key)
    changes.state_cleared = True
    changes.state = {}


def _put_promise(batch: Batch, change: c.PutPromise) -> None:
    batch.object(change.service, change.key).promises[change.name] = change.promise


def _clear_promises(batch: Batch, change: c.ClearPromises) -> None:
    changes = batch.object(change.service, change.key)
    changes.promises_cleared = True
    changes.promises = {}


def _put_waiter(batch: Batch, change: c.PutWaiter) -> None:
    batch.waiters.setdefault(change.number, {})[change.sink] = True


def _delete_waiter(batch: Batch, change: c.DeleteWaiter) -> None:
    if change.number > batch.base:
        batch.waiters.get(change.number, {}).pop(change.sink, None)
    else:
        batch.waiters.setdefault(change.number, {})[change.sink] = False


def _put_telling(batch: Batch, change: c.PutTelling) -> None:
    batch.tellings[change.telling.number] = change.telling


def _delete_telling(batch: Batch, change: c.DeleteTelling) -> None:
    batch.tellings[change.number] = None


def _put_timer(batch: Batch, change: c.PutTimer) -> None:
    batch.timers[change.timer] = True


def _delete_timer(batch: Batch, change: c.DeleteTimer) -> None:
    if change.timer.number > batch.base:
        batch.timers.pop(change.timer, None)
    else:
        batch.timers[change.timer] = False


def _put_document(batch: Batch, change: c.PutDocument) -> None:
    batch.documents[change.kind, change.id] = change.json


def _delete_document(batch: Batch, change: c.DeleteDocument) -> None:
    batch.documents[change.kind, change.id] = None


_APPLY: dict[type, Callable[[Batch, Any], None]] = {
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

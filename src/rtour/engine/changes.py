"""The writes of a decision: each is one row (or one range of rows) of storage."""

from __future__ import annotations

from rtour.engine.model import (
    DocumentKind,
    Entry,
    Event,
    InboxItem,
    Invocation,
    Promise,
    Sink,
    Struct,
    Telling,
    Timer,
)


class _Change(Struct, tag=True, array_like=True):
    """Tagged, so that a list of changes can be written down and read again."""


class PutInvocation(_Change):
    """Insert or replace the invocation."""

    invocation: Invocation


class DeleteInvocation(_Change):
    """Remove the invocation, its journal and its events; who waits for it is another's matter."""

    id: str
    number: int


class AppendEntry(_Change):
    """Add the next entry to a journal."""

    id: str
    number: int
    entry: Entry


class DeleteJournal(_Change):
    """Remove a journal and its events; the invocation stays."""

    id: str
    number: int


class AppendEvent(_Change):
    id: str
    number: int
    event: Event


class PutLock(_Change):
    """The object belongs to this invocation."""

    service: str
    key: str
    holder: str


class DeleteLock(_Change):
    service: str
    key: str


class PutInboxItem(_Change):
    service: str
    key: str
    item: InboxItem


class DeleteInboxItem(_Change):
    service: str
    key: str
    sequence: int


class PutState(_Change):
    service: str
    key: str
    name: bytes
    value: bytes


class DeleteState(_Change):
    service: str
    key: str
    name: bytes


class ClearState(_Change):
    """Remove all state of one object."""

    service: str
    key: str


class PutPromise(_Change):
    service: str
    key: str
    name: str
    promise: Promise


class ClearPromises(_Change):
    """Remove all promises of one workflow key."""

    service: str
    key: str


class PutWaiter(_Change):
    """One more waits for the end of the invocation with this number."""

    id: str
    number: int
    sink: Sink


class DeleteWaiter(_Change):
    """One of those was told, or waits no more; it may never have been there."""

    id: str
    number: int
    sink: Sink


class PutTelling(_Change):
    telling: Telling


class DeleteTelling(_Change):
    id: str
    number: int


class PutTimer(_Change):
    timer: Timer


class DeleteTimer(_Change):
    timer: Timer


class PutDocument(_Change):
    kind: DocumentKind
    id: str
    json: bytes


class DeleteDocument(_Change):
    kind: DocumentKind
    id: str


Change = (
    PutInvocation
    | DeleteInvocation
    | AppendEntry
    | DeleteJournal
    | AppendEvent
    | PutLock
    | DeleteLock
    | PutInboxItem
    | DeleteInboxItem
    | PutState
    | DeleteState
    | ClearState
    | PutPromise
    | ClearPromises
    | PutWaiter
    | DeleteWaiter
    | PutTelling
    | DeleteTelling
    | PutTimer
    | DeleteTimer
    | PutDocument
    | DeleteDocument
)

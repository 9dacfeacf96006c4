"""The writes of a decision: each is one row (or one range of rows) of storage."""

from __future__ import annotations

from rtour.engine.model import (
    DocumentKind,
    Entry,
    Event,
    InboxItem,
    Invocation,
    Promise,
    Struct,
    Timer,
)


class PutInvocation(Struct):
    """Insert or replace the invocation."""

    invocation: Invocation


class DeleteInvocation(Struct):
    """Remove the invocation, its journal and its events."""

    id: str
    number: int


class AppendEntry(Struct):
    """Add the next entry to a journal."""

    id: str
    number: int
    entry: Entry


class DeleteJournal(Struct):
    """Remove a journal and its events; the invocation stays."""

    id: str
    number: int


class AppendEvent(Struct):
    id: str
    number: int
    event: Event


class PutLock(Struct):
    """The object belongs to this invocation."""

    service: str
    key: str
    holder: str


class DeleteLock(Struct):
    service: str
    key: str


class PutInboxItem(Struct):
    service: str
    key: str
    item: InboxItem


class DeleteInboxItem(Struct):
    service: str
    key: str
    sequence: int


class PutState(Struct):
    service: str
    key: str
    name: bytes
    value: bytes


class DeleteState(Struct):
    service: str
    key: str
    name: bytes


class ClearState(Struct):
    """Remove all state of one object."""

    service: str
    key: str


class PutPromise(Struct):
    service: str
    key: str
    name: str
    promise: Promise


class ClearPromises(Struct):
    """Remove all promises of one workflow key."""

    service: str
    key: str


class PutTimer(Struct):
    timer: Timer


class DeleteTimer(Struct):
    timer: Timer


class PutDocument(Struct):
    kind: DocumentKind
    id: str
    json: bytes


class DeleteDocument(Struct):
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
    | PutTimer
    | DeleteTimer
    | PutDocument
    | DeleteDocument
)

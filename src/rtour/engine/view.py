"""The reads the engine may make, and the keys that say which of them a command needs.

A storage over a remote database fetches the declared keys of a whole batch in one round trip, so a
handler reads nothing that `apply.keys` did not declare. The memory storage enforces it in tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from rtour.engine.model import (
    DocumentKind,
    Entry,
    InboxItem,
    Invocation,
    Promise,
    Sink,
    Struct,
    Telling,
)


class InvocationKey(Struct):
    """An invocation, its journal, who waits for it, and the object it targets."""

    id: str


class ObjectKey(Struct):
    """The lock, inbox, state and promises of one object or workflow key."""

    service: str
    key: str


class DocumentKey(Struct):
    """A stored document."""

    kind: DocumentKind
    id: str


Key = InvocationKey | ObjectKey | DocumentKey


class View(Protocol):
    """The state as of all records applied before this one. Synchronous, and never changes under
    a handler: its own writes show only to later records.
    """

    def invocation(self, id: str) -> Invocation | None: ...  # noqa: A002

    def entries(self, invocation: Invocation, first: int = 0) -> list[Entry]:
        """The journal from index `first` on, in order."""

    def waiters(self, id: str, number: int, limit: int) -> list[Sink]:  # noqa: A002
        """Of those who have rows of their own and wait for the invocation of this id and number:
        the first `limit`, in an order of their own.
        """

    def telling(self, id: str, number: int) -> Telling | None: ...  # noqa: A002

    def lock(self, service: str, key: str) -> str | None:
        """The id of the invocation that holds the object."""

    def inbox(self, service: str, key: str) -> Iterator[InboxItem]:
        """What waits for the object, first come first."""

    def state(self, service: str, key: str, name: bytes) -> bytes | None: ...

    def all_state(self, service: str, key: str) -> dict[bytes, bytes]:
        """Every state entry of the object, sorted by name."""

    def promise(self, service: str, key: str, name: str) -> Promise | None: ...

    def document(self, kind: DocumentKind, id: str) -> bytes | None: ...  # noqa: A002

"""What the server asks of a storage: a working view to decide on, durable batches, snapshots.

One writer: the processor. It applies records against `view`, hands their changes to `write`, and
calls `commit` for all that was written since the last commit. Commits are durable in order; the
view already shows what is not yet durable, so whoever acts outside waits for the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from rtour.engine.changes import Change
from rtour.engine.commands import Document, Tell
from rtour.engine.model import Entry, Invocation, Timer
from rtour.engine.view import View


class Recovered(msgspec.Struct, frozen=True):
    """What a restart needs beside the running invocations: documents, the place in the log.

    `tellings` are to be proposed: the results that not all who wait for them have been told.
    """

    last_sequence: int
    last_at: int
    documents: list[Document]
    tellings: list[Tell] = []


class Storage(Protocol):
    """Rows of the engine's changes, durable in batches."""

    @property
    def view(self) -> View:
        """The working state, with all that was written, durable or not."""

    def recover(self) -> Recovered:
        """Read what a restart needs, and see that what ran can be read, too.

        Called once, before anything is written.
        """

    def running_after(self, number: int, limit: int) -> list[Invocation]:
        """What a restart must redo: running invocations by number, beginning behind `number`."""

    def stored(self, number: int) -> Invocation | None:
        """An invocation as it is durable, by its number."""

    def write(self, changes: Iterable[Change], *, sequence: int, at: int) -> None:
        """Apply the changes of one record to the working state and the open batch."""

    def commit(self, done: Callable[[BaseException | None], None]) -> None:
        """Make the open batch durable and call `done` on the event loop.

        At most one commit is under way; `write` may go on meanwhile, for the next batch.
        """

    def journal(self, invocation: Invocation) -> list[Entry]:
        """The first `invocation.journal_length` entries."""

    def object_state(
        self, service: str, key: str, *, committed: bool, bytes_max: int | None = None
    ) -> dict[bytes, bytes]:
        """State of an object, sorted; `committed` leaves out what is not yet durable.

        Beyond `bytes_max` the rest may be left out: what comes is then longer than that.
        """

    def timers_after(self, after: Timer | None, limit: int) -> list[Timer]:
        """Stored timers in order of time, beginning behind `after`."""

    def expired(self, at: int, limit: int) -> list[tuple[str, bool]]:
        """Completed invocations past retention: (id, True) all of it, (id, False) the journal."""

    async def carried(self) -> None:
        """Wait until what is durable by now is in the file, for whoever reads that."""

    def close(self) -> None:
        """Finish the commit under way and let go of the file."""

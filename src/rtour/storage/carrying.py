"""What is durable in the ledger is carried over to the database, a little later and all at once.

In the event loop, since it takes no wait for the disk; only what does wait has a thread: a commit
too large for the ledger, checkpoints, and the sync that lets the ledger use a volume again. Nothing
is carried over meanwhile, while smaller commits go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rtour.storage.ledger.writing import Ledger
from rtour.storage.plan import plan
from rtour.storage.settings import SqliteSettings
from rtour.storage.threads import Failure, Job, Runner, Then
from rtour.storage.working import WorkingSet
from rtour.storage.writer import Writer


class Carrier:
    """Keeps the database close behind the ledger.

    `failure` is why it cannot any more. What is in the ledger is safe then, and carried over by the
    next life; this one must take no more.
    """

    def __init__(
        self,
        working: WorkingSet,
        writer: Writer,
        ledger: Ledger | None,
        settings: SqliteSettings,
        workers: Callable[[str], Runner],
    ) -> None:
        self._working = working
        self._writer = writer
        self._ledger = ledger
        self._settings = settings
        self.failure: Failure = None
        self._bytes = 0  # in the ledger and not in the database
        self._soon: asyncio.Handle | None = None
        self._users = 0  # jobs that have the writer, or wait for it
        self._closed = False
        self._waiting: list[asyncio.Future[None]] = []
        self._storing = workers("rtour-store")

    def grew(self, size: int) -> None:
        """So many bytes more are in the ledger alone."""
        self._bytes += size
        if self._soon is None:
            loop = asyncio.get_running_loop()
            self._soon = loop.call_later(self._settings.carry_after_s, self.carry)
        if self._bytes - size < self._settings.carry_bytes <= self._bytes:
            self._soon.cancel()  # not here: somebody waits to hear of the commit
            self._soon = asyncio.get_running_loop().call_soon(self.carry)

    def carry(self) -> None:
        """Bring all that is durable into the database, unless a thread is at it."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._users or self._closed or self.failure is not None:
            return  # it is done when they are
        batch = self._working.ledgered
        if batch.sequence > batch.base:
            self._stored(self._writer.store(plan(batch), self._bytes))

    @property
    def is_late(self) -> bool:
        """Whether the database is so far behind that commits had better wait for it."""
        return self._bytes >= self._settings.late_bytes

    async def carried(self) -> None:
        """Wait until all that is durable now is in the database, too."""
        while self._users and self.failure is None and not self._closed:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self.carry()

    def store_now(self, size: int, then: Then) -> None:
        """Make the commit under way durable in the database itself, with all before it.

        It is settled by the time that `then` is called.
        """
        flight = self._working.flight
        assert flight is not None
        steps = plan(self._working.ledgered) + plan(flight)
        size += self._bytes

        def store() -> Failure:
            return self._writer.store(steps, size, sync=True) or self._release(flight.sequence)

        def stored(failure: Failure) -> None:
            if failure is None:
                self._working.settle()
            self._stored(failure)
            then(failure)  # which may commit again

        self._use(store, stored)

    def _stored(self, failure: Failure) -> None:
        self._note(failure)
        if failure is None:
            self._bytes = 0
            self._working.carried()
            self._tidy()

    def _note(self, failure: Failure) -> None:
        """Keep a failure: a later success must not undo it."""
        self.failure = self.failure or failure

    def _tidy(self) -> None:
        """Sync what the ledger wants to be rid of, and fold the write-ahead log in when it is long.

        It is synced first, and the ledger knows: of a database that has pages of commits which its
        log no longer shows, the log is damaged.
        """
        is_long = self._writer.is_log_long()
        if not is_long and not (self._ledger and self._ledger.is_half_full):
            return
        sequence = self._working.ledgered.base

        def tidy() -> Failure:
            failure = self._writer.sync() or self._release(sequence)
            return self._writer.fold_in() if is_long and failure is None else failure

        self._use(tidy, self._note)

    def _release(self, sequence: int, *, sync: bool = False) -> Failure:
        try:
            if self._ledger is not None:
                self._ledger.release(sequence, sync=sync)
        except OSError as error:
            return error
        return None

    def _use(self, job: Job, then: Then) -> None:
        """Do it in the thread, and carry nothing over meanwhile."""

        def over(failure: Failure) -> None:
            self._users -= 1
            if self._closed:  # and the files with it
                return
            then(failure)
            if not self._users:
                self._wake()
                self.carry()

        self._users += 1
        self._storing.run(job, over)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)

    def close(self) -> None:
        """Finish what threads are at, carry over what is left, and make that durable."""
        self._closed = True
        if self._soon is not None:
            self._soon.cancel()
        self._wake()
        self._storing.stop()
        batch = self._working.ledgered
        if self.failure is None and batch.sequence > batch.base:
            self._note(self._writer.store(plan(batch), self._bytes))
        self._note(self._writer.sync())
        if self.failure is None:
            self._note(self._release(batch.sequence, sync=True))

"""Time that developers drive: the clock of a development server is skipped on, stopped, let go.

Sleeps, delayed sends, retries and retention all go by the server's one clock, so a skip is to them
as if the machine had slept. How the clock stands is a stored document: a change is durable before
it takes effect, so that no life of the server shows an earlier time than the one before, unless
the machine's own clock was set back: then it goes on from the last record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from rtour.clock import Clock, ClockState, SkippingClock, ahead_ms
from rtour.engine.commands import Document, StoreDocuments
from rtour.engine.model import DocumentKind, Status, Timer, TimerKind
from rtour.errors import RtourError
from rtour.server.cleaner import Cleaner
from rtour.server.durations import friendly
from rtour.server.instants import rfc3339
from rtour.server.invoker import Invoker
from rtour.server.processor import Processor
from rtour.server.requests import Requests
from rtour.server.tasks import TaskSet
from rtour.server.timers import Timers
from rtour.storage import Recovered, Storage

log = logging.getLogger("rtour.time")

LATEST_MS = 4_102_444_800_000  # the year 2100: instants stay printable, whatever is added to them
ONE_SECOND_MS = 1000
LAST_CHANGE_S = 1.0
_DOCUMENT = "clock"
_PAGE = 200
_KINDS = {TimerKind.SLEEP: "sleep", TimerKind.START: "start"}
_DECODER = msgspec.json.Decoder(ClockState)


class CannotDrive(RtourError):  # noqa: N818 - reads as the fact it reports
    """What was asked of the clock makes no sense; with `conflict`, it makes none now."""

    def __init__(self, message: str, *, conflict: bool = False) -> None:
        super().__init__(message)
        self.conflict = conflict


class ClockWasDriven(RtourError):  # noqa: N818
    """The stored clock is ahead of the machine's, and this server is none for development."""


class Due(msgspec.Struct, frozen=True):
    """What the next instant is of importance to: a `sleep`, a `start` of a delayed invocation, or
    the `retry` of a failed one. `at` is on the server's clock.
    """

    at: int
    what: str
    invocation_id: str


class Moved(msgspec.Struct, frozen=True):
    """How far a change moved the clock, and what became due by it."""

    by_ms: int = 0
    timers: int = 0
    retries: int = 0


class TimeControl:
    """Drives one clock. Its changes come one after the other, and each outlives its asker."""

    def __init__(
        self,
        clock: SkippingClock,
        storage: Storage,
        processor: Processor,
        requests: Requests,
        timers: Timers,
        invoker: Invoker,
        cleaner: Cleaner,
    ) -> None:
        self.clock = clock
        self.on_change: Callable[[], None] | None = None
        self._storage = storage
        self._processor = processor
        self._requests = requests
        self._timers = timers
        self._invoker = invoker
        self._cleaner = cleaner
        self._turn = asyncio.Lock()
        self._tasks = TaskSet()

    def __str__(self) -> str:
        return described(self.clock)

    # --- looking ---------------------------------------------------------------------------------

    @property
    def state(self) -> ClockState:
        return self.clock.state

    def next_due(self) -> Due | None:
        """What is waited for next: the first timer whose invocation is still there, or a retry."""
        retry = self._invoker.back_off.next()
        due = [] if retry is None else [Due(retry[0], "retry", retry[1])]
        timer = self._next_timer()
        if timer is not None:
            due.append(Due(timer.at, _KINDS[timer.kind], timer.invocation_id))
        return min(due, key=lambda each: each.at, default=None)

    def _next_timer(self) -> Timer | None:
        """The first stored one that still means something: those of ended invocations stay."""
        after: Timer | None = None
        while page := self._storage.timers_after(after, _PAGE):
            for timer in page:
                invocation = self._storage.view.invocation(timer.invocation_id)
                if (
                    invocation is not None
                    and invocation.number == timer.number
                    and invocation.status is not Status.COMPLETED
                ):
                    return timer
            after = page[-1]
        return None

    # --- driving ---------------------------------------------------------------------------------

    async def skip(self, by_ms: int) -> Moved:
        """Move the clock on. Raises CannotDrive."""
        if by_ms <= 0:
            raise CannotDrive("time never goes back: expected a duration above zero, like 15m")
        return await self._in_turn(lambda: self._skip(by_ms))

    async def skip_to(self, at: int) -> Moved:
        """Move the clock on to an instant. Raises CannotDrive."""
        return await self._in_turn(lambda: self._skip(at - self.clock.now_ms()))

    async def skip_to_next(self) -> Moved:
        """Move the clock on to what is due next. Raises CannotDrive if nothing is."""
        return await self._in_turn(self._skip_to_next)

    async def freeze(self) -> Moved:
        """Stop the clock; a second time changes nothing."""
        return await self._in_turn(self._freeze)

    async def resume(self, *, auto: bool = False) -> Moved:
        """Let the clock go on by itself from what it shows; with `auto`, by leaps as well."""
        return await self._in_turn(lambda: self._resume(auto))

    async def stop(self) -> None:
        """Let the change under way end; one that is stored by then is in effect next time."""
        await self._tasks.wait(LAST_CHANGE_S)
        await self._tasks.cancel_all()

    async def _in_turn(self, change: Callable[[], Awaitable[Moved]]) -> Moved:
        """Make a change when it is its turn; who asked for it may go away meanwhile."""

        async def alone() -> Moved | RtourError:
            async with self._turn:
                try:
                    return await change()
                except RtourError as error:
                    return error

        task: asyncio.Task[Moved | RtourError] = self._tasks.spawn(alone(), "a clock change")
        outcome = await asyncio.shield(task)
        if isinstance(outcome, RtourError):
            raise outcome
        return outcome

    async def _skip(self, by_ms: int) -> Moved:
        now = self.clock.now_ms()
        if by_ms <= 0:
            raise CannotDrive(
                f"time never goes back: this server's clock shows {rfc3339(now)} already",
                conflict=True,
            )
        if now + by_ms > LATEST_MS:
            raise CannotDrive(f"the clock can be driven up to {rfc3339(LATEST_MS)}, not beyond")
        moved = await self._become(self.state.moved(by_ms))
        log.info("The clock was skipped by %s: %s", friendly(by_ms), self._shown())
        return msgspec.structs.replace(moved, by_ms=by_ms)

    async def _skip_to_next(self) -> Moved:
        await self._processor.caught_up()
        due = self.next_due()
        if due is None:
            raise CannotDrive(
                "nothing waits for a time: no sleep, no delayed invocation, no retry", conflict=True
            )
        by_ms = due.at - self.clock.now_ms()
        return await (self._skip(by_ms) if by_ms > 0 else self._changed())

    async def _freeze(self) -> Moved:
        """Stop first and store then: what is stored must still be what the clock shows."""
        before = self.state
        if before.frozen_at is not None:
            return Moved()
        self.clock.state = before.frozen(self.clock.machine.now_ms())
        try:
            await self._store(self.clock.state)
        except BaseException:
            self.clock.state = before
            self._look_again()
            raise
        log.info("The clock was stopped: %s", self._shown())
        return await self._changed()

    async def _resume(self, auto: bool) -> Moved:
        before = self.state
        if before.frozen_at is None and before.auto is auto:
            return Moved()
        moved = await self._become(before.running(self.clock.machine.now_ms(), auto=auto))
        log.info("The clock was let go: %s", self._shown())
        return moved

    def _shown(self) -> str:
        return f"it shows {rfc3339(self.clock.now_ms())}, {described(self.clock)}"

    async def _become(self, state: ClockState) -> Moved:
        await self._store(state)
        self.clock.state = state
        return await self._changed()

    async def _store(self, state: ClockState) -> None:
        document = Document(DocumentKind.CLOCK, _DOCUMENT, msgspec.json.encode(state))
        await self._requests.ask(lambda number: StoreDocuments((document,), number))

    async def _changed(self) -> Moved:
        """Let everything that goes by the clock look at it, and what is due begin."""
        moved = self._look_again()
        if self.on_change is not None:
            self.on_change()
        await self._cleaner.clean()
        await self._processor.caught_up()
        return moved

    def _look_again(self) -> Moved:
        return Moved(
            timers=self._timers.clock_changed(), retries=self._invoker.back_off.clock_changed()
        )


def restore(clock: Clock, recovered: Recovered) -> None:
    """Let a development server's clock go on from where its last life left it; no other may.

    Raises ClockWasDriven if the stored time is ahead of a clock that cannot be driven.
    """
    state = _stored(recovered.documents)
    if isinstance(clock, SkippingClock):
        machine_ms = clock.machine.now_ms()
        short_ms = recovered.last_at - state.shows(machine_ms)
        clock.state = state if short_ms <= 0 else state.moved(short_ms)
    elif (ahead := state.shows(clock.now_ms()) - clock.now_ms()) > 0:
        raise ClockWasDriven(
            f"the clock of this data was driven {_rounded(ahead)} ahead of this machine's, and "
            "time never goes back: start with --dev-clock, as `rtour up` does, or with another "
            "--data folder"
        )


def described(clock: SkippingClock) -> str:
    """How the clock stands, in words: `3d ahead of this machine's, standing still`."""
    off_ms = ahead_ms(clock)
    same = abs(off_ms) < ONE_SECOND_MS
    apart = f"{_rounded(abs(off_ms))} {'ahead of' if off_ms > 0 else 'behind'}"
    going = "running"
    if clock.state.frozen_at is not None:
        going = "standing still"
    elif clock.state.auto:
        going = "leaping whenever all work waits"
    return f"{'the same as' if same else apart} this machine's, {going}"


def _rounded(ms: int) -> str:
    """A duration for people, to the second where there is one."""
    return friendly(round(ms / ONE_SECOND_MS) * ONE_SECOND_MS if ms >= ONE_SECOND_MS else ms)


def _stored(documents: Iterable[Document]) -> ClockState:
    for document in documents:
        if document.kind is DocumentKind.CLOCK and document.json is not None:
            return _DECODER.decode(document.json)
    return ClockState()

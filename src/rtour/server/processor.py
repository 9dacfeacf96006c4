"""The loop everything goes through: take what is queued, decide, make it durable, tell the world.

`propose` is the one door for durable change. Commands are stamped with a sequence and a time, and
applied at once against the working view; their changes gather in a batch. While one batch commits
the next one gathers, so under load a commit carries many commands and alone it carries one: group
commit without ever waiting for more work. Actions of a batch go out after its commit, in order.

A batch that leads to no action keeps nobody waiting: that a side effect has begun, say, or that a
one-way invocation ended. It goes with the next batch somebody waits for, or by itself soon after.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from time import perf_counter

from rtour.clock import Clock
from rtour.engine.actions import Action, Respond
from rtour.engine.apply import apply
from rtour.engine.changes import AppendEntry
from rtour.engine.commands import Command, Record
from rtour.engine.decision import Decision
from rtour.server.counts import EngineCounts
from rtour.server.weights import weight
from rtour.storage import Recovered, Storage

log = logging.getLogger("rtour.processor")

BATCH_COMMANDS_MAX = 512  # keeps a burst from holding back the first commit, and the loop
LINGER_S = 0.005  # at most, of what nobody waits for: a step that ends sooner costs one commit
UNSTORED_BYTES_MAX = 64 << 20  # of commands that are not durable; whoever brings more waits


class Processor:
    """Owns the storage. Lives on one event loop; nothing here is thread safe.

    `dispatch` gets each action after its commit. `on_defect` hears of a command that the engine
    could not decide (our bug: it changed nothing). `on_fatal` hears that a commit failed: nothing
    after it may be trusted to be durable, so the processor takes no more. `watch` sees every
    decision before it is written. `on_idle` is called each time that nothing is left to do.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        dispatch: Callable[[Action], None],
        *,
        on_defect: Callable[[Command, Exception], None],
        on_fatal: Callable[[BaseException], None],
        watch: Callable[[Record, Decision], None] | None = None,
        unstored_bytes_max: int = UNSTORED_BYTES_MAX,
    ) -> None:
        # Asked for once: in Python 3.11 each `get_running_loop` is a system call.
        self._loop = asyncio.get_running_loop()
        self._storage = storage
        self._clock = clock
        self._dispatch = dispatch
        self._on_defect = on_defect
        self._on_fatal = on_fatal
        self.on_idle: Callable[[], None] | None = None
        self._watch = watch
        self.counts = EngineCounts()
        self._commit_began = 0.0
        self.unstored_bytes_max = unstored_bytes_max
        self._queue: deque[tuple[Command, int]] = deque()  # with their weights
        self._actions: list[Action] = []
        self._committing: list[Action] | None = None
        self._wrote = False
        self._lingering: asyncio.TimerHandle | None = None
        self._scheduled = False
        self._failed = False
        self._behind_since: float | None = None
        self._sequence = 0
        self._at = 0
        self._barriers: list[asyncio.Future[None]] = []
        # Commands so far: proposed, applied, in the commit under way, durable and told.
        self._proposed = 0
        self._applied = 0
        self._sealed = 0
        self._done = 0
        # The same of their weights.
        self._proposed_bytes = 0
        self._applied_bytes = 0
        self._sealed_bytes = 0
        self._done_bytes = 0
        self._laggards: deque[tuple[int, asyncio.Future[None]]] = deque()

    def start(self, recovered: Recovered) -> None:
        """Go on after the last record of the storage. Time never runs back behind it."""
        self._sequence = recovered.last_sequence
        self._at = recovered.last_at

    def propose(self, command: Command) -> None:
        """Queue a command. It is durable when its actions come out, not before."""
        heavy = weight(command)
        self._queue.append((command, heavy))
        self._proposed += 1
        self._proposed_bytes += heavy
        if not self._scheduled and not self._failed:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    @property
    def applied(self) -> int:
        """How many commands were applied since the start."""
        return self._applied

    @property
    def proposed(self) -> int:
        """How many commands were proposed since the start."""
        return self._proposed

    @property
    def unstored_bytes(self) -> int:
        """The weight of all commands that are not durable yet."""
        return self._proposed_bytes - self._done_bytes

    async def settled(self) -> None:
        """Wait until nothing is left to do, which under load may never be."""
        if self._failed or not self._busy():
            return
        barrier: asyncio.Future[None] = self._loop.create_future()
        self._barriers.append(barrier)
        self._linger_no_more()
        await barrier

    async def caught_up(self) -> None:
        """Wait until all that was proposed so far is durable and dispatched."""
        if self._failed or self._done >= self._proposed:
            return
        caught_up: asyncio.Future[None] = self._loop.create_future()
        self._laggards.append((self._proposed, caught_up))
        self._linger_no_more()
        await caught_up

    async def room(self) -> None:
        """Wait while more is not durable than memory is for: so the disk sets everybody's pace."""
        while self.unstored_bytes > self.unstored_bytes_max and not self._failed:
            await self.caught_up()

    def _busy(self) -> bool:
        return bool(self._queue or self._wrote or self._actions) or self._committing is not None

    def _turn(self) -> None:
        """Apply what is queued, then commit if no commit is under way."""
        self._scheduled = False
        if self._failed:
            return
        for _ in range(min(len(self._queue), BATCH_COMMANDS_MAX)):
            command, heavy = self._queue.popleft()
            self._apply(command)
            self._applied += 1
            self._applied_bytes += heavy
        if not self._queue:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self._loop.time()
        if self._committing is None:
            self._commit_in_time()

    @property
    def behind_s(self) -> float:
        """For how long there have been more commands than a turn takes."""
        if self._behind_since is None:
            return 0.0
        return self._loop.time() - self._behind_since

    def _apply(self, command: Command) -> None:
        """Apply a command and the messages it leads to, all in the same batch."""
        self._at = max(self._at, self._clock.now_ms())
        pending = [command]
        for each in pending:  # which grows meanwhile
            self._sequence += 1
            record = Record(self._sequence, self._at, each)
            began = perf_counter()
            try:
                decision = apply(self._storage.view, record)
            except Exception as error:
                log.exception(
                    "The engine could not decide %.1000r",
                    record.command,
                    extra={"invocation": record.command},
                )
                self._on_defect(record.command, error)
                continue
            if self._watch is not None:
                self._watch(record, decision)
            if decision.changes:
                self._wrote = True
                self._storage.write(decision.changes, sequence=record.sequence, at=record.at)
                self._count_entries(decision)
            self.counts.commands[type(each)].add(perf_counter() - began)
            self._actions += decision.actions
            pending += decision.messages
            self.counts.messages += len(decision.messages)

    def _count_entries(self, decision: Decision) -> None:
        for change in decision.changes:
            if type(change) is AppendEntry:
                self.counts.entries[change.entry.type] += 1

    def _commit_in_time(self) -> None:
        """Commit at once what somebody waits for, and a little later what nobody does."""
        waited_for = self._actions or self._queue or self._laggards or self._barriers
        if waited_for or not self._wrote:
            self._commit()
        elif self._lingering is None:
            self._lingering = self._loop.call_later(LINGER_S, self._linger_no_more)

    def _linger_no_more(self) -> None:
        if self._lingering is not None:
            self._commit()

    def _commit(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        actions, self._actions = self._actions, []
        self._sealed, self._sealed_bytes = self._applied, self._applied_bytes
        if self._wrote:
            self._wrote = False
            self._committing = actions
            self._commit_began = self._loop.time()
            self._storage.commit(self._committed)
        else:
            self._dispatch_all(actions)
            self._next()

    def _committed(self, error: BaseException | None) -> None:
        actions, self._committing = self._committing, None
        assert actions is not None
        self.counts.commits.add(self._loop.time() - self._commit_began)
        if error is not None:
            self._fail(error)
            return
        self._dispatch_all(actions)
        self._next()

    def _next(self) -> None:
        """Go on with what came meanwhile; when there is nothing, whoever waited for it may."""
        self._done, self._done_bytes = self._sealed, self._sealed_bytes
        while self._laggards and self._laggards[0][0] <= self._done:
            _wake(self._laggards.popleft()[1])
        if self._queue:
            if not self._scheduled:
                self._scheduled = True
                self._loop.call_soon(self._turn)
        elif self._wrote or self._actions:
            self._commit_in_time()
        else:
            self._release()

    def _dispatch_all(self, actions: list[Action]) -> None:
        for action in actions:
            told = action.response if type(action) is Respond else action
            self.counts.actions[type(told)] += 1
            try:
                self._dispatch(action)
            except Exception:
                about = getattr(action, "invocation", action)
                log.exception(
                    "Could not act on %.1000r; a restart will",
                    action,
                    extra={"invocation": about},
                )

    def _release(self) -> None:
        self._done, self._done_bytes = self._proposed, self._proposed_bytes
        barriers = [*self._barriers, *(waiter for _, waiter in self._laggards)]
        self._barriers.clear()
        self._laggards.clear()
        for barrier in barriers:
            _wake(barrier)
        if self.on_idle is not None:
            self.on_idle()

    def _fail(self, error: BaseException) -> None:
        """A batch may be lost: act on nothing any more."""
        self._failed = True
        self._queue.clear()
        self._release()
        self._on_fatal(error)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)

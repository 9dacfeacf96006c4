"""Which invocations run now: attempts are started, limited, retried with back-off, and ended.

What is kept here is memory only. After a restart every running invocation starts over with a
fresh budget (server-semantics.md §2.5).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from random import Random

from msgspec.structs import replace

from rtour.engine.actions import (
    AbortAttempt,
    AckEntry,
    Notify,
    PauseAttempt,
    RetryNow,
    StartAttempt,
)
from rtour.engine.commands import (
    AttemptEnded,
    AttemptExhausted,
    AttemptFailed,
    AttemptPaused,
    AttemptSuspended,
)
from rtour.engine.model import AttemptError, Invocation
from rtour.errors import ProtocolError
from rtour.protocol.messages import ErrorBehavior
from rtour.server.activation import Activation
from rtour.server.attempt import Attempt
from rtour.server.attempt_errors import AttemptFailure, failure, from_exception
from rtour.server.attempt_terms import AttemptWorld, Ended, Progress, Suspended
from rtour.server.back_off import BackOff
from rtour.server.backlog import Left, still_waiting
from rtour.server.invoker_terms import InvokerLimits, Routes
from rtour.server.making_room import RoomMaker
from rtour.server.preconditions import Refused
from rtour.server.ready import ReadyQueue
from rtour.server.tasks import TaskSet
from rtour.server.transport import TransportError
from rtour.server.watch import Watch

log = logging.getLogger("rtour.invoker")

_RECOVERED_AT_ONCE = 1000  # more would fill memory, only to be left to storage again


class Invoker:
    """Carries out the attempt actions of the engine and reports how attempts went."""

    def __init__(
        self, world: AttemptWorld, routes: Routes, random: Random, limits: InvokerLimits
    ) -> None:
        self._world = world
        self.counts = world.counts
        self._routes = routes
        self._random = random
        self._active: dict[str, Activation] = {}
        self._loop = asyncio.get_running_loop()
        self.ready = ReadyQueue(limits, self._loop.time, self._bring_back)
        self.back_off = BackOff(
            world.clock, limits.retries_held, self._bring_back, self._make_ready
        )
        self._room_maker = RoomMaker(self._attempts, self.ready.__len__, limits.idle_s)
        self._watch = Watch()
        self._tasks = TaskSet()
        self._stopping = False

    # --- actions ---------------------------------------------------------------------------------

    def start_attempt(self, action: StartAttempt) -> None:
        """Begin, or go on, after `delay_ms`."""
        invocation = action.invocation
        activation = self._active.get(invocation.id)
        if activation is None or not action.retry:
            self._drop(invocation.id, activation)
            activation = self._active[invocation.id] = Activation(invocation)
        activation.invocation = invocation
        activation.attempt = None
        if invocation.pause_requested:  # asked for before a restart of the server
            del self._active[invocation.id]
            self._pause(invocation)
        elif action.delay_ms:
            if not self.back_off.wait(activation, self._world.clock.now_ms() + action.delay_ms):
                del self._active[invocation.id]
        else:
            self._make_ready(activation)

    def recover(self) -> int:
        """Begin anew what ran when the server's last life ended, and count it."""
        last = count = 0
        while page := self._world.storage.running_after(last, _RECOVERED_AT_ONCE):
            for invocation in page:
                self.start_attempt(StartAttempt(invocation))
            last = page[-1].number
            count += len(page)
        return count

    def notify(self, action: Notify) -> None:
        activation = self._active.get(action.id)
        if activation is None or activation.invocation.attempt != action.attempt:
            return
        if action.entry.index < activation.invocation.journal_length:
            return  # brought back from storage with it
        if activation.attempt is not None:
            activation.attempt.notify(action.entry)
        else:  # it will read the journal when it starts
            activation.invocation = replace(
                activation.invocation,
                journal_length=action.entry.index + 1,
            )

    def ack_entry(self, action: AckEntry) -> None:
        activation = self._active.get(action.id)
        if activation is None or activation.invocation.attempt != action.attempt:
            return
        if activation.attempt is not None:
            activation.attempt.ack(action.command_index)

    def abort_attempt(self, action: AbortAttempt) -> None:
        activation = self._active.pop(action.id, None)
        if activation is not None:
            log.debug("Killed", extra={"invocation": activation.invocation})
        self._drop(action.id, activation)

    def retry_now(self, action: RetryNow) -> None:
        activation = self._active.get(action.id)
        if activation is None:
            activation = self.back_off.take(action.id)
        elif activation.next_retry_at is None:
            return
        if activation is not None:
            self._make_ready(activation)

    def pause_attempt(self, action: PauseAttempt) -> None:
        """Close the input of a running attempt; one that waits for its next try pauses now."""
        activation = self._active.get(action.id)
        if activation is None:  # left to storage, or ended just now, and then this is too late
            self.back_off.forget(action.id)
            self._pause(self._world.storage.view.invocation(action.id))
        elif activation.attempt is not None:
            activation.attempt.close_input()
        else:
            self._drop(action.id, self._active.pop(action.id))
            self._pause(activation.invocation)

    def _pause(self, invocation: Invocation | None) -> None:
        if invocation is not None:
            self._world.propose(AttemptPaused(invocation.id, invocation.attempt, invocation.number))

    def _drop(self, id_: str, activation: Activation | None) -> None:
        """Forget an activation; its attempt, if any, breaks off and reports nothing."""
        if activation is None:
            self.back_off.forget(id_)
            return
        self.back_off.end(activation)
        activation.queued = False
        if activation.attempt is not None:
            activation.attempt.cancel()

    # --- running ---------------------------------------------------------------------------------

    def _make_ready(self, activation: Activation) -> None:
        self.back_off.end(activation)
        if self._stopping:
            return
        self.counts.enqueued += 1
        place = self._routes.place(activation.invocation)
        if self.ready.begin(place):
            self._run(activation, place)
        else:
            if not self.ready.put(place, activation):
                del self._active[activation.invocation.id]
            self._room_maker.start()

    def _bring_back(self, left: Left) -> Activation | None:
        """What was left to storage, if it still waits for the same attempt."""
        invocation = still_waiting(self._world.storage, left)
        if invocation is None or invocation.pause_requested:
            self._pause(invocation)
            return None
        activation = self._active[invocation.id] = Activation(invocation, left.tried)
        return activation

    def _run(self, activation: Activation, place: str) -> None:
        """Begin an attempt in a slot of this place."""
        activation.attempts += 1
        activation.started_at = self._world.clock.now_ms()
        self.counts.started += 1
        try:
            attempt = self._prepare(activation)
        except AttemptFailure as error:
            self.ready.end(place)
            self._failed(activation, error)
            return
        work = self._attempt(activation, attempt, place)
        self._tasks.spawn(work, f"attempt {activation.invocation.id}")

    def _prepare(self, activation: Activation) -> Attempt:
        invocation = activation.invocation
        route = self._routes.route(invocation)
        since_ms = self._world.clock.now_ms() - activation.grown_at if activation.failures else 0
        progress = Progress(activation.failures, max(since_ms, 0))
        activation.deployment_id = route.deployment_id
        activation.attempt = Attempt(invocation, route, progress, self._world, self._watch)
        extra = {"invocation": invocation}
        log.debug("Attempt %d on %s", activation.attempts, route.endpoint.uri, extra=extra)
        return activation.attempt

    def _run_next(self) -> None:
        """Give away the slots that are free."""
        while not self._stopping and (found := self.ready.next()) is not None:
            self._run(*found)
        if self.ready.unfinished and not self._stopping:
            self._loop.call_soon(self._run_next)

    async def _attempt(self, activation: Activation, attempt: Attempt, place: str) -> None:
        """Run one attempt and report how it went, unless it is no longer the current one."""
        outcome: Ended | Suspended | AttemptFailure
        began = self._loop.time()
        try:
            outcome = await attempt.run()
        except AttemptFailure as error:
            outcome = error
        except asyncio.CancelledError:
            if attempt.span is not None:
                attempt.span.end(None)
            raise
        except (ProtocolError, TransportError, Refused) as error:
            outcome = from_exception(error)
        except Exception as error:
            log.exception("Attempt broke", extra={"invocation": attempt.invocation})
            outcome = failure("RT0006", f"internal error: {error!r}")
        finally:
            self.counts.durations.add(self._loop.time() - began)
            self.ready.end(place)
            self._run_next()
        outcome = attempt.timed_out() or outcome
        activation.sdk = attempt.sdk or activation.sdk
        current = self._active.get(attempt.invocation.id) is activation
        current = current and activation.attempt is attempt
        if attempt.span is not None:
            attempt.span.end(outcome if current else None)
        if current:
            self._report(activation, attempt, outcome)
        else:
            self.counts.aborted += 1

    def _note_progress(self, activation: Activation, attempt: Attempt) -> None:
        if attempt.commands:
            activation.failures = 0
            activation.grown_at = self._world.clock.now_ms()

    def _report(
        self,
        activation: Activation,
        attempt: Attempt,
        outcome: Ended | Suspended | AttemptFailure,
    ) -> None:
        invocation = attempt.invocation
        activation.attempt = None
        match outcome:
            case Ended(entries):
                activation.tell(log, "Ended")
                self.counts.completed += 1
                del self._active[invocation.id]
                self._routes.learn(invocation, attempt, suspended=False)
                self._world.propose(
                    AttemptEnded(invocation.id, invocation.attempt, invocation.number, entries)
                )
            case Suspended():
                activation.tell(log, "Suspended")
                self.counts.suspended += 1
                del self._active[invocation.id]
                self._routes.learn(invocation, attempt, suspended=True)
                self._world.propose(
                    AttemptSuspended(
                        invocation.id,
                        invocation.attempt,
                        outcome.awaiting_on,
                        outcome.delivered,
                        invocation.number,
                    )
                )
            case AttemptFailure():
                self._note_progress(activation, attempt)
                self._failed(activation, outcome)

    # --- failing ---------------------------------------------------------------------------------

    def _failed(self, activation: Activation, outcome: AttemptFailure) -> None:
        """Plan the next attempt by the policy, or say that there is none."""
        error = outcome.error
        activation.last_error = error
        self.counts.failed += 1
        activation.failed_at = self._loop.time()
        activation.failures += 1
        policy = self._routes.retry_policy(activation.invocation)
        if outcome.behavior is not ErrorBehavior.RETRY:
            pause = outcome.behavior is ErrorBehavior.PAUSE
        elif outcome.retry_after_ms is not None:
            self._retry(activation, error, outcome.retry_after_ms)
            return
        else:
            activation.spent += 1
            if not policy.exhausted(activation.spent):
                delay_ms = policy.delay_ms(activation.spent, self._random)
                self._retry(activation, error, delay_ms)
                return
            pause = policy.pause_on_max
        self.counts.exhausted += 1
        log.warning(
            "%s after %d attempts: [%s] %s",
            "Paused" if pause else "Failed",
            activation.attempts,
            error.doc_code,
            error.message,
            extra={"invocation": activation.invocation},
        )
        invocation = activation.invocation
        del self._active[invocation.id]
        self._world.propose(
            AttemptExhausted(
                invocation.id, invocation.attempt, error, pause, number=invocation.number
            )
        )

    def _retry(self, activation: Activation, error: AttemptError, delay_ms: int) -> None:
        log.warning(
            "Attempt %d failed, next in %.1f s: [%s] %s",
            activation.attempts,
            delay_ms / 1000,
            error.doc_code,
            error.message,
            extra={"invocation": activation.invocation},
        )
        invocation = activation.invocation
        self._world.propose(
            AttemptFailed(
                invocation.id, invocation.attempt, error, delay_ms, number=invocation.number
            )
        )

    def report_defect(self, id_: str, error: Exception) -> None:
        """The engine could not take a report of this invocation's attempt: try it again."""
        activation = self._active.get(id_)
        if activation is not None and activation.attempt is not None:
            activation.attempt.cancel()
            activation.attempt = None
            self._failed(activation, failure("RT0006", f"internal error: {error}"))

    # --- looking and stopping --------------------------------------------------------------------

    @property
    def waiting(self) -> tuple[int, int]:
        """How many invocations wait for a slot, and how many for their next try."""
        return len(self.ready), len(self.back_off)

    def activations(self) -> Iterator[Activation]:
        """What runs or waits for its next attempt, but for what is left to storage."""
        return iter(list(self._active.values()))

    @property
    def running(self) -> int:
        """How many attempts are under way, those that are being broken off counted."""
        return self.ready.running

    def _attempts(self) -> Iterator[Attempt]:
        return (each.attempt for each in self.activations() if each.attempt is not None)

    async def drain(self, grace_s: float) -> None:
        """Start nothing more, and let running attempts end or suspend by themselves."""
        self._stopping = True
        for attempt in self._attempts():
            attempt.close_input()
        await self._tasks.wait(grace_s)

    async def stop(self) -> None:
        """Break off all attempts; their invocations run again after the next start."""
        self._stopping = True
        self._room_maker.stop()
        self.back_off.stop()
        self._active.clear()
        await self._tasks.cancel_all()

"""Invocations that wait for their next try: when that is, and what is left to storage until then.

The first thousands are held as they are, each with its timer. A further one is stored as it is, but
for what is known of its attempts: that is packed into some 100 bytes, by its id. When its time has
come it is read again, so many in a turn, and goes on as if it had stayed.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final, NamedTuple

from rtour.clock import Clock, wait_ms
from rtour.engine.model import AttemptError
from rtour.server.activation import Activation, Tried
from rtour.server.backlog import Left
from rtour.server.reasons import Reason, Reasons

_LOOK_AGAIN_MS: Final = 10_000  # the wall clock may be set: look at it at least this often
_PAGE: Final = 100  # so many are brought back in a turn: 2 ms
# Due, number, attempt, reason, when it failed, and what was tried; the id follows. In order of what
# is due.
_PACKED: Final = Struct(">QQIIdIIIQQ")


class Retry(NamedTuple):
    """An invocation that is left to storage until it is tried again at `at`, on the clock."""

    at: int
    id: str
    left: Left
    reason: Reason


class Failed(NamedTuple):
    """The latest attempt of an invocation that waits: when it failed, by the event loop's time."""

    since: float
    attempts: int
    error: AttemptError | None


class BackOff:
    """Waits for all; `begin` is called with each whose time has come.

    `bring_back` reads what was left to storage, None if it is to be tried no more.
    """

    def __init__(
        self,
        clock: Clock,
        held_max: int,
        bring_back: Callable[[Left], Activation | None],
        begin: Callable[[Activation], None],
    ) -> None:
        self.held_max = held_max
        self._clock = clock
        self._bring_back = bring_back
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._held: dict[str, Activation] = {}
        self._left: dict[str, bytes] = {}
        self._reasons = Reasons()
        self._order: list[bytes] = []  # a heap of what is left, and of what was left before
        self._handle: asyncio.TimerHandle | None = None
        self._stopped = False

    def __len__(self) -> int:
        return len(self._held) + len(self._left)

    def wait(self, activation: Activation, at: int) -> bool:
        """Wait until the clock shows `at`; False if the activation may be forgotten."""
        id_ = activation.invocation.id
        if len(self._held) < self.held_max:
            activation.next_retry_at = at
            self._held[id_] = activation
            self._arm_one(activation)
            return True
        if not self._left:
            self._reasons.clear()
        self._left[id_] = packed = self._pack(activation, at)
        heapq.heappush(self._order, packed)
        self._tidy()
        if self._order[0] is packed:
            self._arm()
        return False

    def _tidy(self) -> None:
        """Let go of the forgotten once they are more than half."""
        if len(self._order) > 2 * len(self._left) + _PAGE:
            self._order = list(self._left.values())
            heapq.heapify(self._order)

    def end(self, activation: Activation) -> None:
        """It waits no longer, if it did."""
        if activation.next_retry_at is not None:
            activation.stop_waiting()
            self._held.pop(activation.invocation.id, None)

    def forget(self, id_: str) -> None:
        """It was killed, paused or started anew, if it was left here."""
        self._left.pop(id_, None)

    def take(self, id_: str) -> Activation | None:
        """Bring back what was left before its time has come, if it was left."""
        packed = self._left.pop(id_, None)
        if packed is None:
            return None
        retry = self._unpack(packed)
        activation = self._bring_back(retry.left)
        if activation is not None:
            activation.failed_at = retry.left.since
            activation.last_error, activation.deployment_id, activation.sdk = retry.reason
        return activation

    def left(self) -> Iterator[Retry]:
        """What was left to storage, in no order."""
        return map(self._unpack, list(self._left.values()))

    def failed(self, id_: str) -> Failed | None:
        """How the latest attempt of one that waits here went, held or left; None if it does not."""
        activation = self._held.get(id_)
        if activation is not None:
            return Failed(activation.failed_at, activation.attempts, activation.last_error)
        packed = self._left.get(id_)
        if packed is None:
            return None
        retry = self._unpack(packed)
        return Failed(retry.left.since, retry.left.tried.attempts, retry.reason.last_error)

    def next(self) -> tuple[int, str] | None:
        """When the next one is tried, and its id."""
        held = [(each.next_retry_at or 0, id_) for id_, each in self._held.items()]
        self._skip_forgotten()
        if self._order:
            held.append((_due(self._order[0]), _id(self._order[0])))
        return min(held, default=None)

    def clock_changed(self) -> int:
        """Try what is due by now, and count it; wait anew for the rest."""
        now = self._clock.now_ms()
        due = [each for each in self._held.values() if (each.next_retry_at or 0) <= now]
        count = len(due) + sum(retry.at <= now for retry in self.left())
        for activation in due:  # at once: waiting anew, one change after another would put them off
            self._begin(activation)
        for activation in self._held.values():
            self._arm_one(activation)
        self._fire()
        return count

    def stop(self) -> None:
        """Try nothing more."""
        self._stopped = True
        self._disarm()
        for activation in self._held.values():
            activation.stop_waiting()
        self._held.clear()
        self._left.clear()
        self._order.clear()

    # --- time ------------------------------------------------------------------------------------

    def _arm_one(self, activation: Activation) -> None:
        """Wait until `next_retry_at`, for ever while the clock stands still."""
        assert activation.next_retry_at is not None
        activation.cancel_timer()
        delay_ms = wait_ms(self._clock, activation.next_retry_at)
        if delay_ms is not None:
            activation.handle = self._loop.call_later(delay_ms / 1000, self._begin, activation)

    def _arm(self) -> None:
        self._disarm()
        self._skip_forgotten()
        if self._stopped or not self._order:
            return
        delay_ms = wait_ms(self._clock, _due(self._order[0]))
        if delay_ms is not None:
            delay_s = min(delay_ms, _LOOK_AGAIN_MS) / 1000
            self._handle = self._loop.call_later(delay_s, self._fire)

    def _disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _skip_forgotten(self) -> None:
        order = self._order
        while order and self._left.get(_id(order[0])) is not order[0]:
            heapq.heappop(order)

    def _fire(self) -> None:
        """Bring back what is due, a page at a time."""
        now = self._clock.now_ms()
        for _ in range(_PAGE):
            self._skip_forgotten()
            if not self._order or _due(self._order[0]) > now:
                break
            activation = self.take(_id(heapq.heappop(self._order)))
            if activation is not None:
                self._begin(activation)
        self._arm()

    # --- packing ---------------------------------------------------------------------------------

    def _pack(self, activation: Activation, at: int) -> bytes:
        invocation, reason = activation.invocation, self._reasons.number_of(activation)
        about = (at, invocation.number, invocation.attempt, reason, activation.failed_at)
        return _PACKED.pack(*about, *activation.tried()) + invocation.id.encode()

    def _unpack(self, packed: bytes) -> Retry:
        at, number, attempt, reason, failed_at, *tried = _PACKED.unpack_from(packed)
        left = Left(number, attempt, False, failed_at, Tried(*tried))
        return Retry(at, _id(packed), left, self._reasons[reason])


def _id(packed: bytes) -> str:
    return packed[_PACKED.size :].decode()


def _due(packed: bytes) -> int:
    return int.from_bytes(packed[:8], "big")

"""Finished spans on their way out: queued, encoded and sent in batches, and counted when lost.

One task does it all, beside the work of the server: it encodes a few spans at a time and waits for
the collector with a limit. Whatever the collector does, `offer` takes a microsecond.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec

from rtour.errors import RtourError
from rtour.server.export_reading import ExportReading
from rtour.server.tracing.spans import Span

log = logging.getLogger("rtour.tracing")


class ExportLimits(msgspec.Struct, frozen=True):
    """The queue counts spans and their events together."""

    queued_max: int = 50_000
    batch_spans_max: int = 512
    batch_bytes_max: int = 1 << 20  # collectors take 4 MiB
    encoded_at_once: int = 32  # then the loop may do something else
    linger_s: float = 0.5  # for more spans to come
    retry_first_s: float = 1.0
    retry_longest_s: float = 30.0
    warning_interval_s: float = 600.0  # when the same is told again
    farewell_s: float = 2.0  # for the last spans of a server that stops


class Undelivered(RtourError):  # noqa: N818 - reads as the fact it reports
    """The collector did not take a batch; `again` says whether it may later."""

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.again = again


class Counts:
    """What became of the spans so far; while it is `full`, nobody needs to make any."""

    __slots__ = ("exported", "failures", "full", "lost")

    def __init__(self) -> None:
        self.exported = 0
        self.lost = 0
        self.failures = 0
        self.full = False


class Exporter:
    """`deliver` sends encoded spans, and returns how many were refused and why."""

    def __init__(
        self,
        encode: Callable[[Span], bytes],
        deliver: Callable[[list[bytes]], Awaitable[tuple[int, str]]],
        where: str,
        limits: ExportLimits | None = None,
    ) -> None:
        self.counts = Counts()
        self._encode = encode
        self._deliver = deliver
        self._where = where
        self._limits = limits or ExportLimits()
        self._queue: deque[Span] = deque()
        self._queued = 0
        self._some = asyncio.Event()
        self._told: dict[str, float] = {}  # what was said of late, and until when it is not again
        self._error: str | None = None  # why nothing gets through
        self._in_hand = 0  # spans of the batch that is being delivered

    def reading(self) -> ExportReading:
        """How it goes, now."""
        return ExportReading(
            "exporting" if self._error is None else "failing",
            self._where,
            self._error,
            self.counts.exported,
            self.counts.lost,
            len(self._queue) + self._in_hand,
        )

    def offer(self, span: Span) -> None:
        """Take a finished span, or count it as lost if too many wait."""
        weight = 1 + len(span.events)
        if self._queued + weight > self._limits.queued_max:
            self.counts.lost += 1
            self.counts.full = True
            return
        self._queued += weight
        self._queue.append(span)
        self._some.set()

    async def run(self) -> None:
        """Send what comes, for ever."""
        while True:
            await self._some.wait()
            if len(self._queue) < self._limits.batch_spans_max:
                await asyncio.sleep(self._limits.linger_s)
            batch = await self._batch()
            self._in_hand = len(batch)
            await self._send(batch)
            self._in_hand = 0

    async def close(self) -> None:
        """Send what is left, but not for long; `run` must have been cancelled before."""
        with contextlib.suppress(TimeoutError, Undelivered):
            async with asyncio.timeout(self._limits.farewell_s):
                while self._queue:
                    batch = await self._batch()
                    await self._deliver(batch)
                    self.counts.exported += len(batch)
        if self._queue:
            log.warning("%d spans could not be exported before the end", len(self._queue))

    async def _batch(self) -> list[bytes]:
        """Encode the next spans, a few at a time."""
        limits = self._limits
        batch: list[bytes] = []
        size = 0
        while self._queue and len(batch) < limits.batch_spans_max and size < limits.batch_bytes_max:
            span = self._queue.popleft()
            self._queued -= 1 + len(span.events)
            batch.append(self._encode(span))
            size += len(batch[-1])
            if len(batch) % limits.encoded_at_once == 0:
                await asyncio.sleep(0)
        if not self._queue:
            self._some.clear()
        if self._queued < limits.queued_max // 2:  # room for a while, not for one more
            self.counts.full = False
        return batch

    async def _send(self, batch: list[bytes]) -> None:
        """Deliver a batch, however often it takes, unless the collector will never take it."""
        wait_s = self._limits.retry_first_s
        while True:
            try:
                refused, why = await self._deliver(batch)
            except Undelivered as error:
                self.counts.failures += 1
                self._warn(str(error))
                if not error.again:
                    self.counts.lost += len(batch)
                    return
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, self._limits.retry_longest_s)
            else:
                self._delivered(len(batch), refused, why)
                return

    def _delivered(self, sent: int, refused: int, why: str) -> None:
        self.counts.exported += sent - refused
        self.counts.lost += refused
        if refused:
            self._warn(f"the collector refused {refused} of {sent} spans: {why}")
        elif self._error is not None:
            self._error = None
            log.info("Spans are exported again; %d were lost so far", self.counts.lost)

    def _warn(self, reason: str) -> None:
        """Say so, but not again and again."""
        self._error = reason
        now = asyncio.get_running_loop().time()
        self._told = {text: until for text, until in self._told.items() if now < until}
        if reason not in self._told:
            self._told[reason] = now + self._limits.warning_interval_s
            log.warning(
                "No spans get to %s: %s. Invocations go on; %d spans wait, %d were lost",
                self._where,
                reason,
                len(self._queue) + self._in_hand,
                self.counts.lost,
            )

"""What everything that makes spans shares: ids, times, sampling, and where finished spans go."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Final

from msgspec.structs import replace

from rtour.clock import Clock
from rtour.engine.model import Invocation, Target, Trace
from rtour.server.attempt_terms import Route
from rtour.server.trace_context import SpanContext, own_trace, parse
from rtour.server.tracing.attempts import AttemptSpan
from rtour.server.tracing.commands import CommandSpans
from rtour.server.tracing.exporter import Counts
from rtour.server.tracing.ingress import IngressSpan
from rtour.server.tracing.spans import Span

_MS: Final = 1_000_000  # nanoseconds
_SKEW_MAX: Final = 2 * _MS
_CORRECTION_MAX: Final = 1000 * _MS
_ALL: Final = 1 << 64
_REMEMBERED: Final = 4096  # invocations: each is asked for several times while it runs


class FineClock:
    """Nanoseconds of a clock that tells milliseconds: an attempt may take less than one.

    It follows where the clock jumps, as clocks of tests and of sleeping laptops do, but a small
    correction does not turn it back: a parent stays older than its children.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = 0  # of the processor's counter
        self._last = 0

    def now_ns(self) -> int:
        now = self._clock.now_ms() * _MS
        counter = time.perf_counter_ns()
        fine = counter + self._ahead
        if not now - _SKEW_MAX < fine < now + _SKEW_MAX:
            fine = self._last if now < self._last < now + _CORRECTION_MAX else now
            self._ahead = fine - counter
        self._last = fine
        return fine


class Tracer:
    """Makes spans; `finish` gets each when it has ended.

    `ratio` is the share of new traces that are recorded. A trace that somebody else began is
    recorded if they said so, and sends follow their sender, so that no trace has holes.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        finish: Callable[[Span], None],
        ratio: float = 1.0,
        counts: Counts | None = None,
    ) -> None:
        self.finish = finish
        self.counts = counts or Counts()
        self.commands = CommandSpans(self)
        self.now_ns = FineClock(clock).now_ns
        self._random = random
        self._below = int(ratio * _ALL)
        self._started = lru_cache(maxsize=_REMEMBERED)(self._start)

    def span_id(self) -> bytes:
        """Eight random bytes, not all zero."""
        return self._random.randbytes(8) or b"\1"

    def begin(self, received: Trace | None) -> tuple[SpanContext, bytes]:
        """The context of a span at the door, and the id of its parent if the caller has one."""
        above = parse(received)
        if above is not None:
            context = SpanContext(above.trace_id, self.span_id(), above.sampled, above.state)
            return context, above.span_id
        trace_id = self._random.randbytes(16)
        return SpanContext(trace_id, self.span_id(), self._wanted(trace_id)), b""

    def start_of(self, invocation: Invocation) -> tuple[SpanContext, bytes]:
        """The context of an invocation's start span, and the id of the span above it.

        It follows from what is stored, in every life of the server alike.
        """
        return self._started(invocation.id, invocation.trace)

    def _start(self, id_: str, trace: Trace | None) -> tuple[SpanContext, bytes]:
        above = parse(trace)
        own = own_trace(id_, sampled=True)
        if above is None:
            return replace(own, sampled=self._wanted(own.trace_id)), b""
        parent = b"" if above.span_id == own.span_id else above.span_id
        context = SpanContext(above.trace_id, own.span_id, above.sampled, above.state)
        return context, parent

    def ingress(self, invocation_id: str, target: Target, received: Trace | None) -> IngressSpan:
        """A client's request begins."""
        return IngressSpan(self, invocation_id, target, received)

    def attempt(self, invocation: Invocation, route: Route) -> AttemptSpan:
        """An attempt begins."""
        return AttemptSpan(self, invocation, route)

    def tells(self, context: SpanContext) -> bool:
        """Whether a span that ends now is to be made; one that finds no room is lost."""
        if context.sampled and self.counts.full:
            self.counts.lost += 1
            return False
        return context.sampled

    def _wanted(self, trace_id: bytes) -> bool:
        return int.from_bytes(trace_id[8:], "big") < self._below

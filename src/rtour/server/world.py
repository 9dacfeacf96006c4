"""The server as attempts see it (`attempt_terms.AttemptWorld`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtour.clock import Clock
from rtour.server.attempt_terms import AttemptLimits
from rtour.server.byte_budget import ByteBudget
from rtour.server.counts import AttemptCounts
from rtour.server.identity import Sign
from rtour.server.preconditions import Preconditions
from rtour.server.processor import Processor
from rtour.server.transport import Transport
from rtour.storage.sqlite import SqliteStorage

if TYPE_CHECKING:
    from rtour.server.tracing.tracer import Tracer


class World:
    """Storage, network, rules, time and the processor, for attempts."""

    def __init__(
        self,
        storage: SqliteStorage,
        transport: Transport,
        preconditions: Preconditions,
        clock: Clock,
        limits: AttemptLimits,
        processor: Processor,
        sign: Sign,
        tracer: Tracer | None,
        *,
        outgoing: ByteBudget,
        incoming: ByteBudget,
    ) -> None:
        self.storage = storage
        self.transport = transport
        self.preconditions = preconditions
        self.clock = clock
        self.limits = limits
        self.propose = processor.propose
        self.room = processor.room
        self.sign = sign
        self.tracer = tracer
        self.outgoing = outgoing
        self.incoming = incoming
        self.counts = AttemptCounts()

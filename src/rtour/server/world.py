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
from rtour.server.settings import Limits
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
        limits: Limits,
        processor: Processor,
        sign: Sign,
        tracer: Tracer | None,
    ) -> None:
        self.storage = storage
        self.transport = transport
        self.preconditions = preconditions
        self.clock = clock
        self.limits = AttemptLimits(limits.message_bytes_max, limits.eager_state_bytes_max)
        self.propose = processor.propose
        self.room = processor.room
        self.sign = sign
        self.tracer = tracer
        self.outgoing = ByteBudget(limits.outgoing_bytes_max)
        self.incoming = ByteBudget(limits.incoming_bytes_max)
        self.counts = AttemptCounts()

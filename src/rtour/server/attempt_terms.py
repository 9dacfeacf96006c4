"""What an attempt is given, what it may use, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from rtour.clock import Clock
from rtour.engine.commands import Command, StoreEntry
from rtour.protocol.messages import Future
from rtour.server.byte_budget import ByteBudget
from rtour.server.counts import AttemptCounts
from rtour.server.preconditions import Preconditions
from rtour.server.transport import Endpoint, Transport
from rtour.storage import Storage

if TYPE_CHECKING:  # only a server that traces imports it
    from rtour.server.tracing.tracer import Tracer


class Route(msgspec.Struct, frozen=True):
    """Where and how an attempt runs: a deployment's address and its handler's settings.

    `duplex` keeps the request open for notifications; otherwise every wait is a suspension.
    """

    deployment_id: str
    endpoint: Endpoint
    protocol_version: int
    duplex: bool
    headers: tuple[tuple[str, str], ...] = ()
    inactivity_timeout_ms: int = 60_000
    abort_timeout_ms: int = 600_000
    eager_state: bool = True

    @property
    def type(self) -> str:
        """How the deployment is spoken to, in the official server's words."""
        if self.endpoint.is_lambda:
            return "Lambda"
        return "Http/bidi-stream" if self.duplex else "Http/request-response"


class Progress(msgspec.Struct, frozen=True):
    """What the SDK is told of earlier attempts since the journal last grew."""

    failures: int = 0
    since_last_entry_ms: int = 0


class Ended(msgspec.Struct, frozen=True):
    """The service sent End, and right before it `entries`, which are still to be stored."""

    entries: tuple[StoreEntry, ...] = ()


class Suspended(msgspec.Struct, frozen=True):
    """The service waits; `delivered` entries had been given to it when its input was closed."""

    awaiting_on: Future
    delivered: int


class AttemptLimits(msgspec.Struct, frozen=True):
    message_bytes_max: int = 32 << 20
    eager_state_bytes_max: int = 32 << 20
    discard_timeout_s: float = 5.0  # for a service to end its response after its last frame


class AttemptWorld(Protocol):
    """What an attempt uses of the server."""

    @property
    def transport(self) -> Transport: ...

    @property
    def storage(self) -> Storage: ...

    @property
    def preconditions(self) -> Preconditions: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def limits(self) -> AttemptLimits: ...

    @property
    def outgoing(self) -> ByteBudget:
        """For the first bytes of attempts, until they are written."""
        ...

    @property
    def incoming(self) -> ByteBudget:
        """For messages of services, while they arrive and until the processor has room."""
        ...

    @property
    def counts(self) -> AttemptCounts: ...

    @property
    def tracer(self) -> Tracer | None:
        """Told what attempts do; None if nobody wants to know."""
        ...

    def propose(self, command: Command, /) -> None:
        """Hand a command to the processor."""

    async def room(self) -> None:
        """Wait while too much is not yet durable."""

    def sign(self, path: str, key: str | None, /) -> tuple[tuple[str, str], ...]:
        """Headers that prove the request is ours; none if no key is configured."""
        ...

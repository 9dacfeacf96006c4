"""One attempt at running an invocation: the journal out, entries in, notifications out.

The attempt turns frames into commands for the processor and committed notifications into frames.
It decides nothing about retries: it ends in `Ended`, `Suspended`, or raises `AttemptFailure`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from msgspec.structs import replace

from rtour.clock import ahead_ms
from rtour.engine import narrate
from rtour.engine.commands import ProposeRun, StoreEntry
from rtour.engine.model import Entry, Invocation
from rtour.errors import ProtocolError
from rtour.protocol.framing import ACK_REQUESTED, Decoder, Frame, decode, encode, frame
from rtour.protocol.messages import (
    AwaitingOn,
    CommandAck,
    End,
    Error,
    Future,
    MessageType,
    Notification,
    ProposeRunCompletion,
    ProposeRunCompletionAck,
    Suspension,
)
from rtour.server import attempt_opening as opening
from rtour.server.attempt_errors import AttemptFailure, failure, from_head, from_service
from rtour.server.attempt_room import AttemptRoom
from rtour.server.attempt_terms import AttemptWorld, Ended, Progress, Route, Suspended
from rtour.server.service_times import shifted
from rtour.server.transport import Exchange
from rtour.server.watch import Watch

log = logging.getLogger("rtour.attempt")

COMMAND_TYPES = range(0x0400, 0x8000)
# Whose effects read nothing, so that they can be one record with the End that they come with.
_GO_WITH_END = frozenset(
    {
        MessageType.OUTPUT,
        MessageType.GET_EAGER_STATE,
        MessageType.GET_EAGER_STATE_KEYS,
        MessageType.SET_STATE,
        MessageType.CLEAR_STATE,
        MessageType.CLEAR_ALL_STATE,
    }
)
LOGGED_MAX = 300  # characters


class Attempt:
    """Runs once. `notify`, `close_input` and `ack` come from the invoker while it runs."""

    def __init__(
        self,
        invocation: Invocation,
        route: Route,
        progress: Progress,
        world: AttemptWorld,
        watch: Watch,
    ) -> None:
        self.invocation = invocation
        self.route = route
        self.sdk: str | None = None
        self.awaiting_on: Future | None = None
        self.commands = 0  # stored or proposed by this attempt
        self.notified = False
        self.input_open = route.duplex
        self.span = None if world.tracer is None else world.tracer.attempt(invocation, route)
        self._route_type = route.type
        self._progress = progress
        self._world = world
        self._command_index = invocation.commands
        self._delivered = invocation.journal_length
        self._proposed: set[int] = set()
        self._ack: set[int] = set()
        self._begun = False  # the journal is read
        self._early: list[bytes] = []  # what came since, and before the exchange
        self._last: list[StoreEntry] = []  # which go with End, if that is next
        self._exchange: Exchange | None = None
        self._room = AttemptRoom(route.deployment_id)
        self._loop = watch.loop
        self.active_at = self._loop.time()
        self._watch = watch
        self._timer: asyncio.TimerHandle | None = None
        self._aborted = False
        self._cancelled = False

    async def run(self) -> Ended | Suspended:
        """Make the attempt. Raises AttemptFailure, ProtocolError, TransportError or Refused."""
        route, target = self.route, self.invocation.target
        path = f"/invoke/{target.service}/{target.handler}"
        self._watch.begin(self, self._silence_s())
        try:
            first = self._first_bytes()
            outgoing = self._world.outgoing
            if len(first) > outgoing.small and not self._room.has_for_first(len(first), outgoing):
                del first  # of what waits for room, nothing is in memory
                await self._room.wait_for_first()
                self.active_at = self._loop.time()
                first = self._first_bytes()
            self._begun = True
            exchange = await self._world.transport.open(
                route.endpoint,
                path,
                self._headers(path),
                body=self._counted(first),
                end=not self.input_open,
            )
            del first
            self._connected(exchange)
            try:
                return await self._converse(exchange)
            finally:
                exchange.discard(self._world.limits.discard_timeout_s)
        finally:
            self._end()

    def _connected(self, exchange: Exchange) -> None:
        """Go on with what came up while there was no exchange."""
        self._exchange = exchange
        self._room.write(exchange, self._loop)
        if self._cancelled:
            exchange.abort()
        for data in self._early:
            exchange.send(self._counted(data))
        if self.route.duplex and not self.input_open:
            exchange.end_request()

    def _end(self) -> None:
        self._watch.end(self)
        if self._timer is not None:
            self._timer.cancel()
        self._room.end()

    def cancel(self) -> None:
        """Break the exchange off: the invocation was killed, or is no longer ours."""
        self._cancelled = True
        if self._exchange is not None:
            self._exchange.abort()
        self._room.cancel()

    @property
    def waiting(self) -> bool:
        """Whether it waits for room in memory, rather than for the service."""
        return self._room.waiting

    # --- out -------------------------------------------------------------------------------------

    def _counted(self, data: bytes) -> bytes:
        self._world.counts.sent_bytes[self._route_type] += len(data)
        return data

    def _headers(self, path: str) -> list[tuple[str, str]]:
        trace = self.invocation.trace if self.span is None else self.span.trace
        return opening.request_headers(self.invocation, self.route, self._world, trace, path)

    def _first_bytes(self) -> bytes:
        """Start and the journal, as one block."""
        invocation, world = self.invocation, self._world
        entries = opening.journal(invocation, world)
        self._proposed = opening.results_of_runs(entries)
        frames = opening.first_frames(invocation, self.route, self._progress, world, entries)
        return b"".join(frames)

    def notify(self, entry: Entry) -> None:
        """Forward a notification that is durable now; while the input is closed, the next
        attempt replays it.
        """
        if not self.input_open:
            return
        assert entry.index >= self._delivered, "notifications go out in journal order"
        self._delivered = entry.index + 1
        if not self._begun:  # it is read with the journal
            self.invocation = replace(self.invocation, journal_length=entry.index + 1)
            return
        self.notified = True
        if log.isEnabledFor(logging.DEBUG):
            self._tell("Notification: %s", entry)
        data = frame(entry.type, entry.raw)
        if entry.type == MessageType.RUN_COMPLETION and self._ack:
            notification = decode(entry.type, entry.raw)
            assert isinstance(notification, Notification)
            if notification.id in self._ack:
                assert isinstance(notification.id, int)
                data = encode(ProposeRunCompletionAck(notification.id))
        self._send(data)

    def _tell(self, message: str, entry: Entry) -> None:
        """Log an entry; large values only by their beginning."""
        text = narrate.entry(entry)
        shown = text if len(text) <= LOGGED_MAX else f"{text[:LOGGED_MAX]}…"
        log.debug(message, shown, extra={"invocation": self.invocation})

    def ack(self, command_index: int) -> None:
        """Tell the SDK that a command entry is durable, which it asked for."""
        if self.input_open:
            self._send(encode(CommandAck(command_index)))

    def _send(self, data: bytes) -> None:
        self.active_at = self._loop.time()
        if self._exchange is None:
            self._early.append(data)
        else:
            self._exchange.send(self._counted(data))

    def close_input(self) -> None:
        """Send no more: an SDK that waits then suspends."""
        if self.input_open:
            self.input_open = False
            self.active_at = self._loop.time()
            if self._exchange is not None:
                self._exchange.end_request()

    def idle_s(self) -> float:
        """For how long nothing was sent or received."""
        return self._loop.time() - self.active_at

    # --- in --------------------------------------------------------------------------------------

    async def _converse(self, exchange: Exchange) -> Ended | Suspended:
        head = await exchange.head()
        self.sdk = head.headers.get("x-restate-server")
        self._world.counts.answers[self._route_type, head.status] += 1
        if not 200 <= head.status < 300:
            # Dates in headers are the service's, whose clock is a machine's.
            clock = self._world.clock
            raise from_head(head, clock.now_ms() - ahead_ms(clock))
        expected = opening.CONTENT_TYPE % self.route.protocol_version
        if head.headers.get("content-type") != expected:
            got = head.headers.get("content-type")
            raise failure("RT0012", f"expected content-type {expected}, got {got}")
        decoder = Decoder(self._world.limits.message_bytes_max)
        small = self._world.incoming.small
        while data := await (
            exchange.receive() if decoder.awaited <= small else self._last_of(decoder, exchange)
        ):
            self._world.counts.received_bytes[self._route_type] += len(data)
            self.active_at = self._loop.time()
            decoder.feed(data)
            try:
                while (received := decoder.next_frame()) is not None:
                    end = self._on_frame(received)
                    if end is not None:
                        return end
            finally:
                self._store_last()
            await self._world.room()
            if self._room.message is not None:
                self._room.hand_on()
        raise failure("RT0007", "the response ended without End, Suspension or Error")

    async def _last_of(self, decoder: Decoder, exchange: Exchange) -> bytes:
        """Read a large message, once there is room for it, up to its last bytes: those."""
        size = decoder.awaited
        await self._room.take_for_message(size, self._world.incoming)
        await self._world.room()  # those before it gave theirs back as they were handed on
        self.active_at = self._loop.time()
        while data := await exchange.receive():
            if decoder.pending_bytes + len(data) >= size:
                break
            self._world.counts.received_bytes[self._route_type] += len(data)
            self.active_at = self._loop.time()
            decoder.feed(data)
        return data

    def _on_frame(self, received: Frame) -> Ended | Suspended | None:
        if received.type not in _GO_WITH_END and received.type != MessageType.END:
            self._store_last()
        if received.type in COMMAND_TYPES:
            self._on_command(received)
            return None
        message = decode(received.type, received.payload, self.route.protocol_version)
        match message:
            case ProposeRunCompletion():
                self._on_proposal(message, received)
            case AwaitingOn():
                self.awaiting_on = message.awaiting_on
            case End():
                last, self._last = self._last, []
                return Ended(tuple(last))
            case Suspension():
                delivered = 0 if self.input_open else self._delivered
                return Suspended(message.awaiting_on, delivered)
            case Error():
                raise from_service(message)
            case _:
                raise ProtocolError(571, f"the service sent {type(message).__name__}")
        return None

    def _on_command(self, received: Frame) -> None:
        raw = received.payload
        entry: Any = decode(received.type, raw, self.route.protocol_version)
        if by_ms := ahead_ms(self._world.clock):
            entry, raw = shifted(entry, raw, by_ms)
        resolved = self._world.preconditions.check(self.invocation, entry)
        callee = resolved.callee
        if self.span is not None:
            self.span.command(entry)
            callee = None if callee is None else self.span.calling(callee, entry)
        if log.isEnabledFor(logging.DEBUG):
            called = callee.id if callee else None
            said = Entry(self._command_index, received.type, received.payload, 0, called)
            self._tell(f"Command {self._command_index}: %s", said)
        command = StoreEntry(
            id=self.invocation.id,
            attempt=self.invocation.attempt,
            command_index=self._command_index,
            entry=entry,
            type=received.type,
            raw=raw,
            deployment_id=self.route.deployment_id,
            protocol_version=self.route.protocol_version,
            callee=callee,
            resolved_id=resolved.id,
            ack=received.ack_requested,
            number=self.invocation.number,
        )
        self._command_index += 1
        self.commands += 1
        if received.type in _GO_WITH_END:
            self._last.append(command)
        else:
            self._world.propose(command)

    def _store_last(self) -> None:
        """The service has not ended with them."""
        for command in self._last:
            self._world.propose(command)
        self._last.clear()

    def _on_proposal(self, message: ProposeRunCompletion, received: Frame) -> None:
        """A result proposed twice is stored once: the first one was what the SDK went on with."""
        id_ = message.result_completion_id
        if id_ in self._proposed:
            return
        self._proposed.add(id_)
        if received.flags & ACK_REQUESTED and self.route.protocol_version >= 7:
            self._ack.add(id_)
        if self.span is not None:
            self.span.run_ended(id_)
        self._world.propose(
            ProposeRun(
                id=self.invocation.id,
                attempt=self.invocation.attempt,
                completion_id=id_,
                result=message.result,
                deployment_id=self.route.deployment_id,
                protocol_version=self.route.protocol_version,
                number=self.invocation.number,
            )
        )

    # --- time ------------------------------------------------------------------------------------

    def arm(self) -> None:
        """Look again when the silence since `active_at` has lasted too long."""
        due = self.active_at + self._silence_s()
        self._timer = self._loop.call_at(due, self._check_time, due)

    def _silence_s(self) -> float:
        """How long nothing may be sent or received."""
        route = self.route
        return (route.inactivity_timeout_ms if self.input_open else route.abort_timeout_ms) / 1000

    def _check_time(self, due: float) -> None:
        """Close the input of an idle attempt, then give it up; look again if it was active."""
        if self.waiting:  # for us: this silence is not the service's
            self.active_at = self._loop.time()
        if self.active_at + self._silence_s() <= due:
            if self.input_open:
                self.close_input()
            elif self._exchange is None:  # still connecting, which has a limit of its own
                self.active_at = self._loop.time()
            else:
                self._aborted = True
                self.cancel()
                return
        self.arm()

    def timed_out(self) -> AttemptFailure | None:
        """The reason, if the attempt broke because it took too long."""
        if not self._aborted:
            return None
        seconds = self.route.abort_timeout_ms / 1000
        return failure(
            "RT0001",
            f"the service neither suspended nor answered within the abort timeout of {seconds:g} s",
        )

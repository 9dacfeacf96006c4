"""The simulated network between the server and its services, and the services' processes.

`Wire` is a `Transport`. Bytes of one direction stay in order, as TCP keeps them, and anything else
may happen: they are late, the connection breaks after some of them, one side does not hear of that,
a request is carried out twice, a gateway answers in the service's place. Behind the wire real SDK
attempts run in processes that die with all that they were doing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from rtour.sdk.attempt import Attempt
from rtour.sdk.endpoint import Accepted, Endpoint
from rtour.server import transport as t
from tests.simulation.faults import Faults

Chunk = bytes | None  # None is the end
PIECE_BYTES = 150  # as much is read at once: large messages come in pieces


class Host(Protocol):
    """What the network knows of the world."""

    @property
    def faults(self) -> Faults: ...

    def chance(self, probability: float) -> bool: ...

    def note(self, event: str) -> None: ...


class Pipe:
    """One direction of a connection: in order, late, and cut after `whole` bytes."""

    def __init__(
        self,
        latency_s: Callable[[], float],
        deliver: Callable[[Chunk], None],
        *,
        whole: int | None = None,
        on_cut: Callable[[], None] = lambda: None,
    ) -> None:
        self._latency_s = latency_s
        self._deliver = deliver
        self._on_cut = on_cut
        self._left = whole
        self._loop = asyncio.get_running_loop()
        self._at = 0.0
        self._queue: deque[Chunk] = deque()
        self._cut = False
        self.closed = False

    def put(self, data: Chunk) -> None:
        if self.closed or self._cut:
            return
        if self._left is not None and data is not None:
            kept, self._left = data[: self._left], self._left - len(data)
            self._cut = self._left < 0
            data = kept
        if data != b"":
            self._queue.append(data)
            self._schedule(self._arrive)
        if self._cut:
            self._schedule(self._break)

    @property
    def lasts_s(self) -> float:
        """For how long what was put in is still under way."""
        return max(self._at - self._loop.time(), 0)

    def _schedule(self, what: Callable[[], None]) -> None:
        self._at = max(self._at, self._loop.time() + self._latency_s())
        self._loop.call_at(self._at, what)

    def _arrive(self) -> None:
        if not self.closed:
            self._deliver(self._queue.popleft())

    def _break(self) -> None:
        """The cut is noticed after what was sent before it."""
        if self.closed:
            return
        if self._queue:  # equal times come in any order
            self._loop.call_soon(self._break)
            return
        self._on_cut()


class Session:
    """The service's side of one request, served by a real SDK attempt; `write` goes back."""

    def __init__(self, process: Process, accepted: Accepted, write: Callable[[Chunk], None]):
        self._process = process
        self._write = write
        self._over = False
        self._last: Chunk = None
        process.sessions[self] = None
        self._attempt: Attempt = accepted.begin(self._send, self._finished)

    def _send(self, data: Chunk) -> None:
        if not self._over:
            self._last = data
            self._write(data)

    def _finished(self) -> None:
        if self._last is not None and self._process.stammers():
            self._send(self._last)
        self._send(None)
        self._process.sessions.pop(self, None)
        self._over = True

    def receive(self, data: Chunk) -> None:
        if self._over:
            return
        if data is None:
            self._attempt.on_eof()
        else:
            self._attempt.on_data(data)

    def lost(self) -> None:
        if not self._over:
            self._over = True
            self._process.sessions.pop(self, None)
            self._attempt.on_lost()


class Process:
    """A service's process: it dies and comes back at the same address."""

    def __init__(self, sdk: Endpoint, host: Host) -> None:
        self.sdk = sdk
        self.sessions: dict[Session, None] = {}
        self.exchanges: dict[WireExchange, None] = {}
        self.up = True
        self._host = host

    def die(self, for_s: float) -> None:
        if not self.up:
            return
        self._host.note("a service's process dies")
        self.up = False
        for session in list(self.sessions):
            session.lost()
        for exchange in list(self.exchanges):
            exchange.broken("the service's process died")
        asyncio.get_running_loop().call_later(for_s, self._revive)

    def _revive(self) -> None:
        self.up = True

    def stammers(self) -> bool:
        """Whether an answer has its last words twice."""
        return self._host.chance(self._host.faults.answers_twice)


class WireExchange:
    """The server's side of one request: an `Exchange`."""

    def __init__(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        self._process = process
        process.exchanges[self] = None
        self._head: asyncio.Future[t.ResponseHead] = loop.create_future()
        self._chunks: deque[Chunk] = deque()
        self._arrived = asyncio.Event()
        self._error: t.TransportError | None = None
        self._discarded = False
        self._ended = False
        self.up: list[Pipe] = []
        self.down: Pipe | None = None
        self.on_gone: Callable[[], None] = lambda: None

    # --- for the attempt -------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        assert not self._ended, "sent after the end of the request"
        for pipe in self.up:
            pipe.put(data)

    def end_request(self) -> None:
        if not self._ended:
            self._ended = True
            for pipe in self.up:
                pipe.put(None)

    async def head(self) -> t.ResponseHead:
        return await self._head

    async def receive(self) -> bytes:
        while not self._chunks:
            if self._error is not None:
                raise self._error
            self._arrived.clear()
            await self._arrived.wait()
        if self._chunks[0] is None:
            return b""
        chunk = self._chunks.popleft()
        assert chunk is not None
        if len(chunk) > PIECE_BYTES:
            self._chunks.appendleft(chunk[PIECE_BYTES:])
        return chunk[:PIECE_BYTES]

    def abort(self) -> None:
        self.broken("aborted")
        self.on_gone()

    def discard(self, within_s: float) -> None:
        self.end_request()
        self._discarded = True
        asyncio.get_running_loop().call_later(within_s, self._give_up)

    def _give_up(self) -> None:
        if self._error is None and not (self._chunks and self._chunks[-1] is None):
            self.abort()

    async def drain_send(self) -> None:
        """The wire takes whatever is sent, in its time."""
        for pipe in self.up:
            await asyncio.sleep(pipe.lasts_s)

    # --- for the wire ----------------------------------------------------------------------------

    def begun(self, head: t.ResponseHead) -> None:
        if not self._head.done():
            self._head.set_result(head)

    def arrived(self, data: Chunk) -> None:
        if self._error is not None:
            return
        if data is None:
            self._process.exchanges.pop(self, None)
        if not self._discarded or data is None:
            self._chunks.append(data)
            self._arrived.set()

    def broken(self, why: str) -> None:
        if self._error is not None:
            return
        self._process.exchanges.pop(self, None)
        self._error = t.StreamLost(why, before_response=not self._head.done())
        if not self._head.done():
            self._head.set_exception(self._error)
            self._head.exception()  # nobody may be waiting for it
        for pipe in (*self.up, self.down):
            if pipe is not None:
                pipe.closed = True
        self._arrived.set()


class Wire:
    """The `Transport` of the server, whichever life it is in."""

    def __init__(self, processes: dict[str, Process], host: Host, random: Random) -> None:
        self._processes = processes
        self._host = host
        self._random = random

    async def open(
        self,
        endpoint: t.Endpoint,
        path: str,
        headers: Sequence[tuple[str, str]],
        *,
        body: bytes = b"",
        end: bool = False,
        method: str = "POST",
    ) -> WireExchange:
        faults = self._host.faults
        await asyncio.sleep(self._latency_s())
        process = self._processes[endpoint.uri]
        if not process.up or self._host.chance(faults.refused):
            raise t.ConnectFailed("connection refused")
        exchange = WireExchange(process)
        self._connect(exchange, process, path, dict(headers))
        if body:
            exchange.send(body)
        if end:
            exchange.end_request()
        return exchange

    async def close(self) -> None:
        """Connections end with the exchanges on them."""

    def _latency_s(self) -> float:
        faults = self._host.faults
        if self._host.chance(faults.stalled):
            return self._random.uniform(5, 40)
        if self._host.chance(faults.late):
            return self._random.uniform(0.05, 2)
        return self._random.choice((0.0, 0.0002, 0.001))

    def _connect(
        self, exchange: WireExchange, process: Process, path: str, headers: dict[str, str]
    ) -> None:
        faults, chance = self._host.faults, self._host.chance
        answer = process.sdk.answer(path, headers, can_stream=True)
        if not isinstance(answer, Accepted):
            exchange.begun(t.ResponseHead(answer.status, dict(answer.headers)))
            exchange.arrived(answer.body)
            exchange.arrived(None)
            return
        carried_out = chance(faults.doubled_request) + 1
        lost_answer = chance(faults.gateway_error)
        for copy in range(carried_out):
            self._serve(exchange, process, answer, mute=lost_answer or copy > 0)
        if lost_answer:
            status = self._random.choice((502, 503, 504))
            exchange.begun(t.ResponseHead(status, {}))
            exchange.arrived(None)
        else:
            exchange.begun(t.ResponseHead(200, dict(answer.headers)))

    def _serve(
        self, exchange: WireExchange, process: Process, answer: Accepted, *, mute: bool
    ) -> None:
        """Let a real attempt answer; `mute` that nobody hears of it."""
        whole_up, whole_down = self._cuts()
        heard_here, heard_there = (not self._host.chance(self._host.faults.unnoticed) for _ in "ab")
        sessions: list[Session] = []

        def cut() -> None:
            self._host.note("a connection is cut")
            if heard_here and not mute:
                exchange.broken("connection reset")
            if heard_there:
                sessions[0].lost()

        down = Pipe(self._latency_s, exchange.arrived, whole=whole_down, on_cut=cut)
        session = Session(process, answer, (lambda _: None) if mute else down.put)
        sessions.append(session)
        exchange.up.append(Pipe(self._latency_s, session.receive, whole=whole_up, on_cut=cut))
        if not mute:
            exchange.down = down
            if self._host.chance(0.7):
                exchange.on_gone = session.lost

    def _cuts(self) -> tuple[int | None, int | None]:
        faults, chance = self._host.faults, self._host.chance
        up = self._random.randrange(600) if chance(faults.cut_request) else None
        down = self._random.randrange(300) if chance(faults.cut_response) else None
        return up, down

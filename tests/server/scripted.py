"""A scripted deployment: the test plays the service's side of every attempt, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rtour.protocol.framing import Decoder, Frame, decode, encode
from rtour.protocol.messages import Message
from rtour.server.attempt_opening import CONTENT_TYPE
from rtour.server.transport import Endpoint, ResponseHead, StreamLost


class ScriptedExchange:
    """Both ends of one attempt: the attempt's `Exchange`, and the verbs of the test's service."""

    def __init__(
        self,
        path: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        end: bool,
        drained: asyncio.Event | None,
    ) -> None:
        self.path = path
        self.headers = dict(headers)
        self.request_ended = end
        self.aborted = False
        self._drained = drained
        self.version = int(self.headers["content-type"].rpartition(".v")[2])
        self._decoder = Decoder()
        self._decoder.feed(body)
        self._head: asyncio.Future[ResponseHead] = asyncio.get_running_loop().create_future()
        self._chunks: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self._sent = asyncio.Event()

    # --- the attempt's side ----------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        assert not self.request_ended, "sent after the end of the request"
        self._decoder.feed(data)
        self._sent.set()

    def end_request(self) -> None:
        self.request_ended = True
        self._sent.set()

    async def head(self) -> ResponseHead:
        return await self._head

    async def receive(self) -> bytes:
        chunk = await self._chunks.get()
        if isinstance(chunk, Exception):
            self._chunks.put_nowait(chunk)
            raise chunk
        return chunk

    def abort(self) -> None:
        self.aborted = True
        error = StreamLost("aborted", before_response=not self._head.done())
        if not self._head.done():
            self._head.set_exception(error)
        self._chunks.put_nowait(error)

    def discard(self, within_s: float) -> None:
        self.end_request()

    async def drain_send(self) -> None:
        if self._drained is not None:
            await self._drained.wait()

    # --- the service's side ----------------------------------------------------------------------

    @property
    def unread(self) -> int:
        """How many chunks the attempt has not taken."""
        return self._chunks.qsize()

    def respond(self, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        defaults = {"content-type": CONTENT_TYPE % self.version}
        self._head.set_result(ResponseHead(status, defaults | named))

    def say(self, *messages: Message, ack: bool = False) -> None:
        """Write messages; the head goes out with the first."""
        if not self._head.done():
            self.respond()
        frames = (encode(message, self.version, ack) for message in messages)
        self._chunks.put_nowait(b"".join(frames))

    def say_bytes(self, data: bytes) -> None:
        if not self._head.done():
            self.respond()
        self._chunks.put_nowait(data)

    def end(self) -> None:
        self._chunks.put_nowait(b"")

    async def hear(self) -> Message | None:
        """The next message from the server; None once it has closed its side."""
        while True:
            frame: Frame | None = self._decoder.next_frame()
            if frame is not None:
                return decode(frame.type, frame.payload, self.version)
            if self.request_ended:
                return None
            self._sent.clear()
            await self._sent.wait()


class ScriptedTransport:
    """Hands every opened exchange to the test."""

    def __init__(self) -> None:
        self._opened: asyncio.Queue[ScriptedExchange] = asyncio.Queue()
        self.refuse: Exception | None = None
        self.drained: asyncio.Event | None = None  # until then no service takes what is sent

    async def open(
        self,
        endpoint: Endpoint,
        path: str,
        headers: Sequence[tuple[str, str]],
        *,
        body: bytes = b"",
        end: bool = False,
        method: str = "POST",
    ) -> ScriptedExchange:
        if self.refuse is not None:
            raise self.refuse
        exchange = ScriptedExchange(path, headers, body, end, self.drained)
        self._opened.put_nowait(exchange)
        return exchange

    async def close(self) -> None:
        pass

    async def attempt(self) -> ScriptedExchange:
        """The next attempt that the server makes."""
        return await self._opened.get()

    @property
    def waiting(self) -> int:
        return self._opened.qsize()

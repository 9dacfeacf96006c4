"""One request and its response, whichever HTTP version carries it.

An exchange outlives the stream it runs on: while no byte of a response was seen and the peer
provably has not worked on the request, losing the stream is repaired by sending the request
again. The reader's own coroutine does that, so no exchange costs a task.

The wire below is a `Channel`; it reports upward through the `on_…` methods, from protocol
callbacks, never concurrently.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from rtour.server.transport.errors import StreamLost, TransportError
from rtour.server.transport.interface import ResponseHead, TransportLimits
from rtour.server.transport.request import Request


class Channel(Protocol):
    """The sending half of one stream, and the reader's credit."""

    def send(self, data: bytes) -> None:
        """Queue body bytes."""

    def end(self) -> None:
        """Close the request half once the queue is out."""

    def abort(self) -> None:
        """Drop the stream; nothing is reported afterwards."""

    def consumed(self, amount: int) -> None:
        """Let the peer send `amount` bytes more."""

    def writable(self) -> bool:
        """Whether the send queue is below its limit; if not, `on_writable` follows."""
        ...


class HttpExchange:
    """The `Exchange` of the real transport."""

    __slots__ = (
        "_channel",
        "_chunks",
        "_deadline",
        "_discarding",
        "_draining",
        "_error",
        "_head",
        "_limits",
        "_loop",
        "_lost",
        "_reader",
        "_reconnect",
        "_resend",
        "_resend_bytes",
        "_response_ended",
        "_reviving",
        "request",
        "request_ended",
        "resends",
    )

    def __init__(
        self,
        request: Request,
        body: bytes,
        *,
        end: bool,
        limits: TransportLimits,
        loop: asyncio.AbstractEventLoop,
        reconnect: Callable[[HttpExchange], Awaitable[None]],
    ) -> None:
        self.request = request
        self.request_ended = end
        self._limits = limits
        self._loop = loop
        self._reconnect = reconnect
        self._channel: Channel | None = None
        self._head: ResponseHead | None = None
        self._chunks: list[bytes] = []
        self._response_ended = False
        self._error: TransportError | None = None
        # Why the stream was lost, while the request may still be sent again.
        self._lost: TransportError | None = None
        self._discarding = False
        self._deadline: asyncio.TimerHandle | None = None
        self._reader: asyncio.Future[None] | None = None
        self._draining: asyncio.Future[None] | None = None
        self._reviving: asyncio.Future[None] | None = None
        self._resend: list[bytes] | None = [body] if body else []
        self._resend_bytes = len(body)
        self.resends = 0

    # What the caller does ----------------------------------------------------------------

    def send(self, data: bytes) -> None:
        assert not self.request_ended, "send after end_request"
        if self._error is not None or self._response_ended or not data:
            return
        self._remember(data)
        if self._channel is not None:
            self._channel.send(data)

    def end_request(self) -> None:
        if self.request_ended:
            return
        self.request_ended = True
        if self._channel is not None:
            self._channel.end()

    async def head(self) -> ResponseHead:
        while self._head is None:
            await self._progress()
        return self._head

    async def receive(self) -> bytes:
        while not self._chunks:
            if self._response_ended:
                return b""
            await self._progress()
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks = []
        if self._channel is not None:
            self._channel.consumed(len(data))
        return data

    async def drain_send(self) -> None:
        while self._error is None and not self._response_ended:
            if self._lost is not None:
                await self._revive()
            elif self._channel is None or self._channel.writable():
                return
            else:
                assert self._draining is None, "one coroutine drains an exchange"
                self._draining = self._loop.create_future()
                try:
                    await self._draining
                finally:
                    self._draining = None
        if self._error is not None:
            raise self._error.with_traceback(None)

    def abort(self) -> None:
        self._fail(StreamLost("aborted by us", before_response=self._head is None))
        self._chunks = []

    def discard(self, within_s: float) -> None:
        self.end_request()
        unread = sum(map(len, self._chunks))
        self._chunks = []
        if self._response_ended or self._error is not None:
            return
        if self._head is None or self._channel is None:
            self.abort()
            return
        self._discarding = True
        self._deadline = self._loop.call_later(within_s, self.abort)
        if unread:
            self._channel.consumed(unread)

    # What the wire reports ---------------------------------------------------------------

    @property
    def given_up(self) -> bool:
        """Whether the exchange wants no stream any more."""
        return self._error is not None

    def attach(self, channel: Channel) -> None:
        """Bind to a stream that has just been opened for this request."""
        if self._resend_bytes > self._limits.resend_buffer_bytes:
            self._resend = None
        self._channel = channel

    def body_so_far(self) -> bytes:
        """Return the body bytes a new stream starts with."""
        assert self._resend is not None, "only a remembered request is sent (again)"
        return b"".join(self._resend)

    def on_head(self, head: ResponseHead) -> None:
        self._head = head
        self._resend = None
        _wake(self._reader)

    def on_data(self, data: bytes) -> None:
        if self._discarding:
            if self._channel is not None:
                self._channel.consumed(len(data))
            return
        self._chunks.append(data)
        _wake(self._reader)

    def on_trailers(self, trailers: dict[str, str]) -> None:
        """Keep what came behind the body; nobody waits for it."""
        if self._head is not None:
            self._head.trailers.update(trailers)

    def on_end(self) -> None:
        """Note that the response is complete: the stream is gone, unread bytes are kept."""
        self._response_ended = True
        self._channel = None
        self._forget_deadline()
        _wake(self._reader)
        _wake(self._draining)

    def on_lost(self, reason: str | TransportError, *, unseen: bool) -> None:
        """Note that the stream is gone; `unseen`: the peer has not worked on the request."""
        error = reason
        if isinstance(error, str):
            error = StreamLost(error, before_response=self._head is None)
        self._channel = None
        if unseen and self._can_resend():
            self._lost = error
            _wake(self._reader)
            _wake(self._draining)
        else:
            self._fail(error)

    def on_writable(self) -> None:
        _wake(self._draining)

    # -------------------------------------------------------------------------------------

    def _remember(self, data: bytes) -> None:
        if self._resend is None:
            return
        self._resend.append(data)
        self._resend_bytes += len(data)
        if self._resend_bytes > self._limits.resend_buffer_bytes:
            self._resend = None
            if self._lost is not None:  # it was still to be sent again, and no longer can
                self._fail(self._lost)

    def _can_resend(self) -> bool:
        return (
            self._head is None
            and self._resend is not None
            and self.resends < self._limits.resends_max
        )

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _fail(self, error: TransportError) -> None:
        if self._error is None and not self._response_ended:
            self._error = error
        self._forget_deadline()
        self._lost = None
        self._resend = None
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.abort()
        _wake(self._reader)
        _wake(self._draining)

    async def _progress(self) -> None:
        """Wait for the wire to report anything; send the request again if it got lost."""
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self._lost is not None:
            await self._revive()
            return
        assert self._reader is None, "one coroutine reads an exchange"
        self._reader = self._loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    async def _revive(self) -> None:
        if self._reviving is not None:  # reader and drainer may both notice
            await asyncio.wait([self._reviving])
            return
        self._reviving = self._loop.create_future()
        try:
            self.resends += 1
            await self._reconnect(self)
            self._lost = None
        except TransportError as error:
            self._fail(error)
        finally:
            self._reviving.set_result(None)
            self._reviving = None


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)

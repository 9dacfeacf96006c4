"""HTTP/1.1 to this very machine, as a transport of httpx.

httpx's own transport brings httpcore, anyio, h2, h11 and a bundle of certificates: 50 ms before
the first byte, a fifth of what a command may take. To loopback there is neither TLS nor a proxy,
so llhttp and a socket are enough; every other address goes through httpx's own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

import httptools
import httpx

READ_BYTES = 256 * 1024
# Shorter than any server keeps an idle connection: what is reused is not about to be closed.
KEEP_IDLE_S = 5.0

log = logging.getLogger("rtour.client.loopback")


class LoopbackTransport(httpx.AsyncBaseTransport):
    """Connections to `http://` origins on this machine, reused when free."""

    def __init__(self) -> None:
        self._idle: list[_Line] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        timeouts = request.extensions.get("timeout", {})
        line = self._reused(request.url) or await _connected(request.url, timeouts.get("connect"))
        answer = _Answer(self, line, timeouts.get("read"), bodiless=request.method == "HEAD")
        try:
            await line.write(_head(request) + body, timeouts.get("write"))
            await answer.read_head()
        except BaseException:
            line.close()
            raise
        log.debug("%s %s: %d", request.method, request.url, answer.status)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=answer,
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": answer.reason},
        )

    async def aclose(self) -> None:
        for line in self._idle:
            line.close()
        self._idle.clear()

    def keep(self, line: _Line) -> None:
        """Takes back a connection whose exchange is over."""
        line.idle_since = asyncio.get_running_loop().time()
        self._idle.append(line)

    def _reused(self, url: httpx.URL) -> _Line | None:
        """The connection to `url` that was used last, if there is one that still lives."""
        oldest = asyncio.get_running_loop().time() - KEEP_IDLE_S
        for line in [line for line in self._idle if line.stale(oldest)]:
            self._idle.remove(line)
            line.close()
        for line in reversed(self._idle):
            if line.origin == _origin(url):
                self._idle.remove(line)
                return line
        return None


class _Line:
    """One connection."""

    def __init__(
        self,
        origin: tuple[str, int],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self._reader = reader
        self._writer = writer

    def stale(self, oldest: float) -> bool:
        """Whether the other side has closed it, or may be about to."""
        return self._reader.at_eof() or self._writer.is_closing() or self.idle_since < oldest

    async def write(self, data: bytes, timeout_s: float | None) -> None:
        """Sends everything; a server that hangs up early may still have answered."""
        self._writer.write(data)
        with _told_as(httpx.WriteTimeout), suppress(ConnectionError):
            async with asyncio.timeout(timeout_s):
                await self._writer.drain()

    async def read(self, timeout_s: float | None) -> bytes:
        """The next bytes; empty at the end of the stream."""
        with _told_as(httpx.ReadTimeout):
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._reader.read(READ_BYTES)
            except OSError as error:
                if isinstance(error, TimeoutError):  # which is an OSError, too
                    raise
                raise httpx.ReadError(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """Ends it without waiting."""
        self._writer.close()


class _Answer(httpx.AsyncByteStream):
    """One response on a line: llhttp's callbacks on one side, the stream of a body on the other."""

    def __init__(
        self,
        transport: LoopbackTransport,
        line: _Line,
        timeout_s: float | None,
        *,
        bodiless: bool,
    ) -> None:
        self.status = 0
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self._transport = transport
        self._line = line
        self._timeout_s = timeout_s
        self._bodiless = bodiless
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._head_is_there = False
        self._complete = False
        self._reusable = False
        self._closed = False

    # What llhttp tells ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.reason, self.headers = b"", []

    def on_status(self, reason: bytes) -> None:
        self.reason += reason  # it comes in the pieces in which it was sent

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._head_is_there = self.status >= 200  # below: the real answer follows

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        if self._head_is_there:
            self._complete = True
            self._reusable = self._parser.should_keep_alive() and not self._bodiless

    # What httpx asks ------------------------------------------------------------------------

    async def read_head(self) -> None:
        """Reads until status and headers are known."""
        while not self._head_is_there:
            await self._feed()
        self._complete = self._complete or self._bodiless

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            parts, self._parts = self._parts, []
            for part in parts:
                yield part
            if self._complete and not self._parts:
                return
            if not self._complete:
                await self._feed()

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._complete and self._reusable:
            self._transport.keep(self._line)
        else:
            self._line.close()

    async def _feed(self) -> None:
        data = await self._line.read(self._timeout_s)
        if not data:
            self._end_of_stream()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise httpx.RemoteProtocolError(f"what answers speaks no HTTP: {error}") from error

    def _end_of_stream(self) -> None:
        """The end of a body without a length, or of a server in the middle of its answer."""
        framed = {b"content-length", b"transfer-encoding"}
        if not self._head_is_there or framed & {name.lower() for name, _ in self.headers}:
            raise httpx.RemoteProtocolError("the server hung up without a whole answer")
        self._complete = True


def _origin(url: httpx.URL) -> tuple[str, int]:
    return url.host, url.port or 80


async def _connected(url: httpx.URL, timeout_s: float | None) -> _Line:
    origin = _origin(url)
    with _told_as(httpx.ConnectTimeout):
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(*origin, limit=READ_BYTES)
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:
                raise
            raise httpx.ConnectError(str(error)) from error
    return _Line(origin, reader, writer)


def _head(request: httpx.Request) -> bytes:
    """The request line and the headers, as httpx made them."""
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    return b"\r\n".join([*lines, b"", b""])


@contextmanager
def _told_as(kind: type[httpx.TimeoutException]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise kind("timed out") from error

"""The connections to one deployment address.

HTTP/2: the oldest connection with room takes the next exchange, and all who find none share one
attempt to connect. HTTP/1.1: the connection used last takes it (the others may then grow idle),
else the opener connects for itself. How many exchanges run at once is the invoker's limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from rtour.server.counts import ConnectionCounts
from rtour.server.transport.codec import CodecFactory
from rtour.server.transport.errors import ConnectFailed, TransportError
from rtour.server.transport.exchange import HttpExchange
from rtour.server.transport.http1 import Http1Connection
from rtour.server.transport.http2 import Http2Connection
from rtour.server.transport.interface import TransportLimits
from rtour.server.transport.request import Origin

Connection = Http1Connection | Http2Connection

_TLS_SHUTDOWN_TIMEOUT_S = 1.0


class Pool:
    """Finds or makes a connection for each exchange with one origin."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        origin: Origin,
        limits: TransportLimits,
        *,
        tls: ssl.SSLContext | None,
        codec_factory: CodecFactory,
        counts: ConnectionCounts,
    ) -> None:
        self.loop = loop
        self._origin = origin
        self._limits = limits
        self._tls = tls
        self._codec_factory = codec_factory
        self._counts = counts
        self._multiplexed: list[Http2Connection] = []
        self._idle: list[Http1Connection] = []
        self._open: set[Connection] = set()
        self._connecting: asyncio.Task[Connection | TransportError] | None = None
        self._sweep: asyncio.TimerHandle | None = None
        # Learned from the peer, so that the next connection starts with it.
        self._streams_max = limits.h2_streams_max
        self._expect_http2 = origin.http_version == "HTTP/2.0"
        self._closed = False

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def start_now(self, exchange: HttpExchange) -> bool:
        """Whether there was a connection, which the exchange then is on."""
        connection = None if self._closed else self._ready(exchange)
        if connection is None:
            return False
        connection.start(exchange)
        return True

    async def start(self, exchange: HttpExchange) -> None:
        """Put an exchange on a connection, a new one if need be."""
        while True:
            if self._closed:
                raise ConnectFailed("the transport is closed")
            if exchange.given_up:  # while a connection was made for it
                return
            connection = self._ready(exchange)
            if connection is None and not self._expect_http2:
                connection = await self._connect()
                if isinstance(connection, Http2Connection):
                    continue
                if not connection.usable:
                    raise ConnectFailed(f"{self._where} closed the connection at once")
                if exchange.given_up:
                    self._keep_idle(connection)
                    return
            if connection is not None:
                connection.start(exchange)
                return
            await self._connect_shared()

    def close(self) -> None:
        """Close every connection and refuse new exchanges."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        for connection in [*self._open]:
            connection.close("the transport was closed")

    async def wait_closed(self) -> None:
        """Wait until the connections are gone."""
        if self._connecting is not None:
            await asyncio.wait([self._connecting])
        closing = [connection.closed for connection in self._open]
        if closing:
            await asyncio.wait(closing)

    # -------------------------------------------------------------------------------------

    @property
    def _where(self) -> str:
        return f"{self._origin.host}:{self._origin.port}"

    def _ready(self, exchange: HttpExchange) -> Connection | None:
        for connection in self._multiplexed:
            if connection.has_room():
                return connection
        # A request that was lost on a stale idle connection doesn't try the next stale one.
        while self._idle and not exchange.resends:
            idle = self._idle.pop()
            if idle.usable:
                return idle
        return None

    async def _connect_shared(self) -> None:
        """Join the attempt to connect that is under way, or start one."""
        if self._connecting is None:
            self._connecting = self.loop.create_task(self._connect_once())
        task = self._connecting
        await asyncio.wait([task])
        if task.cancelled():
            raise ConnectFailed("the transport is closed")
        outcome = task.result()
        if isinstance(outcome, Http2Connection):
            if outcome.usable:
                return
            outcome = outcome.failure or ConnectFailed(f"{self._where} took no request (GOAWAY)")
        if isinstance(outcome, TransportError):
            raise outcome.with_traceback(None)

    async def _connect_once(self) -> Connection | TransportError:
        try:
            connection = await self._connect()
        except TransportError as error:
            return error
        finally:
            self._connecting = None
        if isinstance(connection, Http1Connection):
            self._keep_idle(connection)
        return connection

    async def _connect(self) -> Connection:
        try:
            return await self._new_connection()
        except ConnectFailed:
            self._counts.failed += 1
            raise

    async def _new_connection(self) -> Connection:
        origin = self._origin
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                _, doorway = await self.loop.create_connection(
                    lambda: _Doorway(self),
                    origin.host,
                    origin.port,
                    ssl=self._tls,
                    ssl_shutdown_timeout=_TLS_SHUTDOWN_TIMEOUT_S if origin.secure else None,
                )
        except TimeoutError as error:
            seconds = self._limits.connect_timeout_s
            raise ConnectFailed(f"no connection to {self._where} within {seconds:g} s") from error
        except (OSError, ValueError) as error:  # ValueError: a host name that can't be one
            raise ConnectFailed(f"can't connect to {self._where}: {error}") from error
        connection = doorway.connection
        assert connection is not None, "create_connection returns after connection_made"
        if self._closed:
            connection.close("the transport was closed")
            raise ConnectFailed("the transport is closed")
        return connection

    def admit(self, application_protocol: str | None) -> Connection:
        """Make the protocol for a connection that just came up."""
        negotiated = application_protocol or self._origin.http_version
        self._expect_http2 = negotiated in {"h2", "HTTP/2.0"}
        connection: Connection
        if self._expect_http2:
            connection = Http2Connection(
                self.loop, self._limits, self._codec_factory, self._on_http2_change
            )
            connection.streams_max = self._streams_max
            self._multiplexed.append(connection)
        else:
            connection = Http1Connection(self.loop, self._limits, self._on_http1_change)
        self._open.add(connection)
        self._counts.opened += 1
        return connection

    def _on_http2_change(self, connection: Http2Connection) -> None:
        if connection.settled:
            self._streams_max = max(1, connection.streams_max)
        if connection.retired:
            with contextlib.suppress(ValueError):
                self._multiplexed.remove(connection)
        self._forget_closed(connection)

    def _on_http1_change(self, connection: Http1Connection) -> None:
        self._forget_closed(connection)
        if connection.usable:
            self._keep_idle(connection)
        elif connection in self._idle:
            self._idle.remove(connection)

    def _forget_closed(self, connection: Connection) -> None:
        if connection.closed.done() and connection in self._open:
            self._open.remove(connection)
            self._counts.closed += 1

    def _keep_idle(self, connection: Http1Connection) -> None:
        if len(self._idle) >= self._limits.h1_idle_connections_max or self._closed:
            connection.close("enough idle connections")
            return
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = self.loop.call_later(self._limits.idle_timeout_s, self._sweep_idle)

    def _sweep_idle(self) -> None:
        """Close what nobody used for long; the list is in order of last use."""
        self._sweep = None
        oldest_kept = self.loop.time() - self._limits.idle_timeout_s
        for connection in [idle for idle in self._idle if idle.idle_since <= oldest_kept]:
            connection.close("idle")
        if self._idle:
            due = self._idle[0].idle_since + self._limits.idle_timeout_s
            self._sweep = self.loop.call_at(due, self._sweep_idle)


class _Doorway(asyncio.Protocol):
    """Stands at the socket until TLS has said which HTTP is spoken, then steps aside."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.connection: Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls = transport.get_extra_info("ssl_object")
        protocol = tls.selected_alpn_protocol() if tls is not None else None
        self.connection = self._pool.admit(protocol)
        transport.set_protocol(self.connection)
        self.connection.connection_made(transport)

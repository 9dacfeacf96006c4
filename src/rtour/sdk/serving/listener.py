"""Accepting connections, and letting go of them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from rtour.accepting import Queue
from rtour.sdk.endpoint import Endpoint
from rtour.sdk.watching import watch

GRACE_S: Final = 10.0
"""How long attempts may go on after the server was asked to stop."""

_ACCEPTED_AT_ONCE: Final = 16  # the other processes of a socket get their share
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class _Connection(Protocol):
    def shut_down(self) -> None: ...
    def abort(self) -> None: ...


class Listener:
    """A port that speaks HTTP/2 and HTTP/1.1 for an endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connections: set[_Connection] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._server: asyncio.Server | None = None
        self._queue: Queue | None = None
        self._arriving: set[asyncio.Task[None]] = set()

    async def start(self, listening: socket.socket) -> None:
        """Accept on a socket that is bound."""
        loop = asyncio.get_running_loop()
        watch(loop)
        self._server = await loop.create_server(self._accepted, sock=listening, backlog=1024)
        self._queue = Queue(self._server.sockets, _ACCEPTED_AT_ONCE)

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Refuse new work, and wait for what is under way to end.

        Handlers that wait are suspended: the server resumes them wherever they are served next.
        Those at work go on until they wait, or until the grace is over; then they are cut off.
        """
        if self._server is not None:
            self._server.close()
        if self._queue is not None:
            self._queue.close()
        for connection in list(self._connections):
            connection.shut_down()
        try:
            async with asyncio.timeout(grace_s):
                await self._idle.wait()
        except TimeoutError:
            for connection in list(self._connections):
                connection.abort()
            await self._idle.wait()

    def _accepted(self) -> asyncio.Protocol:
        """For the connection that the loop accepted; some that wait behind it are taken, too."""
        if self._queue is not None:
            loop = asyncio.get_running_loop()
            for accepted in self._queue.rest():
                task = loop.create_task(self._take(loop, accepted))
                self._arriving.add(task)
                task.add_done_callback(self._arriving.discard)
        return self._sniffer()

    async def _take(self, loop: asyncio.AbstractEventLoop, accepted: socket.socket) -> None:
        try:
            await loop.connect_accepted_socket(self._sniffer, accepted)
        except OSError:  # gone already
            accepted.close()

    def _sniffer(self) -> asyncio.Protocol:
        sniffer = _Sniffer(self._choose, self._forget)
        self._remember(sniffer)
        return sniffer

    def _choose(self, first: bytes) -> asyncio.Protocol:
        connection: Any
        if first.startswith(_PREFACE[: len(first)]):
            from rtour.sdk.serving.http2 import Http2Connection  # noqa: PLC0415 - needs ngh2

            connection = Http2Connection(self._endpoint, self._forget)
        else:
            from rtour.sdk.serving.http1 import Http1Connection  # noqa: PLC0415 - needs httptools

            connection = Http1Connection(self._endpoint, self._forget)
        self._remember(connection)
        chosen: asyncio.Protocol = connection
        return chosen

    def _remember(self, connection: _Connection) -> None:
        self._connections.add(connection)
        self._idle.clear()

    def _forget(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._idle.set()


class _Sniffer(asyncio.Protocol):
    """Reads enough to tell the protocol, then steps aside."""

    _ENOUGH: Final = 4
    """`PRI ` is a method that HTTP/1.1 does not have."""

    def __init__(
        self, choose: Callable[[bytes], asyncio.Protocol], forget: Callable[[Any], None]
    ) -> None:
        self._choose = choose
        self._forget = forget
        self._first = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._first += data
        if len(self._first) < self._ENOUGH:
            return
        protocol = self._choose(self._first[: len(_PREFACE)])
        self._transport.set_protocol(protocol)
        self._forget(self)
        protocol.connection_made(self._transport)
        protocol.data_received(self._first)

    def connection_lost(self, _error: Exception | None) -> None:
        self._forget(self)

    def shut_down(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

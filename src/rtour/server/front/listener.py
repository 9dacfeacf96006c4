"""The port: accepts connections, tells HTTP/1.1 from HTTP/2, stops."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
from typing import Protocol, cast

from rtour.accepting import Queue
from rtour.errors import RtourError
from rtour.server.front.answering import Check, Shared, Stoppable, open_to_all
from rtour.server.front.http1 import Http1Connection
from rtour.server.front.limits import Deadline, FrontLimits
from rtour.server.tasks import TaskSet
from rtour.server.web import App

_log = logging.getLogger("rtour.front")

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_ACCEPTED_AT_ONCE = 256
_WRITE_BUFFER_BYTES = 64 << 10
_BACKLOG = 4096  # what Linux takes, unless told otherwise; beyond it clients are not even heard


class _Connection(Stoppable, Protocol):
    """Either version's connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...

    def data_received(self, data: bytes) -> None: ...


class FrontError(RtourError):
    """The port cannot be had; the message says which and why."""


class _Sniffer(asyncio.Protocol):
    """Decides by the first bytes which protocol a connection speaks."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._seen = b""
        self._deadline = Deadline(asyncio.get_running_loop(), self.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        _keep_alive(transport.get_extra_info("socket"))
        # With TLS it would be more; what is below is not counted as unread.
        self._transport.set_write_buffer_limits(_WRITE_BUFFER_BYTES)
        if not self._front.admit(self):
            self._transport.abort()
            return
        self._deadline.set(self._front.shared.limits.head_timeout_s)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        size = min(len(self._seen), len(_PREFACE))
        if self._seen[:size] != _PREFACE[:size]:
            self._hand_over(Http1Connection(self._front.shared, self._front.lost))
        elif size == len(_PREFACE):
            self._begin_http2()

    def _begin_http2(self) -> None:
        try:
            from rtour.server.front.http2 import Http2Connection  # noqa: PLC0415 - see below
        except ImportError as error:  # ngh2 has no wheel for this platform: HTTP/1.1 still works
            _log.warning("an HTTP/2 client was turned away: %s", error)
            self._transport.abort()
            return
        self._hand_over(Http2Connection(self._front.shared, self._front.lost))

    def connection_lost(self, _error: Exception | None) -> None:
        self._deadline.close()
        self._front.lost(self)

    def _hand_over(self, connection: _Connection) -> None:
        self._deadline.close()
        self._front.replace(self, connection)
        assert isinstance(connection, asyncio.Protocol)
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        connection.data_received(self._seen)

    def stop(self) -> None:
        self._transport.abort()

    def abort(self) -> None:
        self._transport.abort()


def _keep_alive(sock: socket.socket) -> None:
    """Let the kernel find out about clients that vanish while they wait for an answer."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


class Front:
    """An `App` on a port; `check` sees the head of each request first."""

    def __init__(
        self,
        app: App,
        limits: FrontLimits | None = None,
        *,
        check: Check = open_to_all,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.shared = Shared(app, limits or FrontLimits(), check)
        self._tls = tls
        self._connections: set[Stoppable] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._server: asyncio.Server | None = None
        self.opened = 0  # connections, since the start
        self._queue: Queue | None = None
        self._tasks = TaskSet()

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def requests_bytes_max(self) -> int:
        """What the requests of all connections may hold together."""
        return self.shared.limits.requests_bytes_max

    @property
    def requests_bytes(self) -> int:
        """What they hold."""
        return self.requests_bytes_max - self.shared.budget.left

    @property
    def unread_bytes(self) -> int:
        """What of replies the clients have not taken."""
        return self.shared.unread.bytes

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; the port is the real one also when 0 was asked for."""
        assert self._server is not None, "listen() first"
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    @property
    def url(self) -> str:
        """Where clients find it."""
        scheme = "http" if self._tls is None else "https"
        host, port = self.address
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def listen(self, host: str, port: int) -> None:
        """Accept connections from now on."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                self._accepted,
                host,
                port,
                backlog=_BACKLOG,
                reuse_address=True,
                ssl=self._tls,
                ssl_handshake_timeout=self.shared.limits.head_timeout_s if self._tls else None,
            )
            self._queue = Queue(self._server.sockets, _ACCEPTED_AT_ONCE)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            hint = ""
            if error.errno == errno.EADDRINUSE:
                hint = "; is another server running? Stop it, or choose another port"
            raise FrontError(f"cannot listen on {host}:{port}: {reason}{hint}") from error

    def _accepted(self) -> _Sniffer:
        """For the connection that the loop accepted; those that wait behind it are taken, too."""
        loop = asyncio.get_running_loop()
        if self._queue is not None:
            for accepted in self._queue.rest():
                self._tasks.spawn(self._take(loop, accepted), "new connection")
        return _Sniffer(self)

    async def _take(self, loop: asyncio.AbstractEventLoop, accepted: socket.socket) -> None:
        timeout_s = self.shared.limits.head_timeout_s if self._tls else None
        try:
            await loop.connect_accepted_socket(
                lambda: _Sniffer(self), accepted, ssl=self._tls, ssl_handshake_timeout=timeout_s
            )
        except OSError:  # gone already, or not to be talked with by TLS
            accepted.close()

    async def drain(self, grace_s: float) -> bool:
        """Take nothing new; whether all requests under way were answered within `grace_s`."""
        if self._server is None:
            return True
        self._server.close()
        if self._queue is not None:
            self._queue.close()
        self.shared.stopping = True
        for connection in list(self._connections):
            connection.stop()
        try:
            await asyncio.wait_for(self._empty.wait(), grace_s)
        except TimeoutError:
            return False
        return True

    async def close(self, grace_s: float = 5.0) -> None:
        """Answer the requests under way for `grace_s`, then cut the connections that are left."""
        if self._server is None:
            return
        if not await self.drain(grace_s):
            for connection in list(self._connections):
                connection.abort()
            await self._empty.wait()
        await self._server.wait_closed()

    # --- for connections -------------------------------------------------------------------------

    def admit(self, connection: Stoppable) -> bool:
        """Whether there is room for one more."""
        self._connections.add(connection)
        self.opened += 1
        self._empty.clear()
        return (
            len(self._connections) <= self.shared.limits.connections_max
            and not self.shared.stopping
        )

    def replace(self, old: Stoppable, new: Stoppable) -> None:
        self._connections.discard(old)
        self._connections.add(new)

    def lost(self, connection: Stoppable) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

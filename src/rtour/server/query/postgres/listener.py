"""The PostgreSQL port: connections, their start-up, cancel requests, limits."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable
from random import Random
from typing import Final

from rtour.accepting import Queue
from rtour.server.query import failures
from rtour.server.query.engine import Queries
from rtour.server.query.postgres import wire
from rtour.server.query.postgres.login import Login
from rtour.server.query.postgres.session import SETTINGS, Session
from rtour.server.query.postgres.wire import MalformedError
from rtour.server.tasks import TaskSet
from rtour.server.tokens import Tokens

_log = logging.getLogger("rtour.query")

_CONNECTIONS_MAX: Final = 100
# Those that have not said who they are, beside the others: strangers keep no place of theirs.
_STARTING_MAX: Final = 100
_BACKLOG: Final = 256
_STARTUP_TIMEOUT_S: Final = 10.0
_STARTUP_BYTES_MAX: Final = 10_000
_MESSAGE_BYTES_OVER_TEXT: Final = 64 * 1024
_CLOSE_TIMEOUT_S: Final = 2.0
_INT32 = 4


class _Connection:
    """A client's streams, and the statement that it may ask to cancel."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message_bytes_max: int
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._message_bytes_max = message_bytes_max
        self.running: asyncio.Task[None] | None = None
        self.cancelled = False

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def secure(self, tls: ssl.SSLContext) -> None:
        """Go on in TLS. What came in the clear behind the request for it is not the client's."""
        if self.reader._buffer:  # type: ignore[attr-defined] # noqa: SLF001 - nothing else tells
            raise MalformedError("bytes in the clear behind a request for TLS")
        await self.send(b"S")
        await self.writer.start_tls(tls)

    async def startup(self) -> tuple[int, bytes]:
        """The first message has no kind: its number tells what it is."""
        length = int.from_bytes(await self.reader.readexactly(_INT32))
        if not 2 * _INT32 <= length <= _STARTUP_BYTES_MAX:
            raise MalformedError("a start-up message of this length")
        payload = await self.reader.readexactly(length - _INT32)
        return int.from_bytes(payload[:_INT32]), payload[_INT32:]

    async def message(self) -> tuple[bytes, bytes]:
        kind = await self.reader.readexactly(1)
        length = int.from_bytes(await self.reader.readexactly(_INT32)) - _INT32
        if not 0 <= length <= self._message_bytes_max:
            raise MalformedError(f"a message of {length} bytes")
        return kind, await self.reader.readexactly(length)


class PostgresPort:
    """Listens for clients of PostgreSQL, who find nothing to write.

    `tokens` are the passwords, none are asked for if there are none; with `tls` nothing is said
    in the clear.
    """

    def __init__(
        self,
        queries: Queries,
        random: Random,
        *,
        tokens: Tokens | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._login = Login(tokens or Tokens(()))
        self._tls = tls
        self._queries = queries
        self._random = random
        self._server: asyncio.Server | None = None
        self._connections: dict[tuple[int, int], _Connection] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._accepting = TaskSet()
        self._queue: Queue | None = None
        self._starting = 0
        self._next = 0

    async def listen_if_free(self, host: str, port: int) -> None:
        """Listen, unless the port is taken: the server is whole without, for SQL is at /query."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._accepted, host, port, backlog=_BACKLOG)
            self._queue = Queue(self._server.sockets, _BACKLOG)
        except OSError as error:
            _log.warning("No PostgreSQL port, SQL is at the admin port's /query alone: %s", error)

    def _accepted(self) -> asyncio.StreamReaderProtocol:
        """For the connection that the loop accepted; those that wait behind it are taken, too."""
        if self._queue is not None:
            for accepted in self._queue.rest():
                self._accepting.spawn(self._take(accepted), "new connection")
        return self._protocol()

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), self._serve)

    async def _take(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(self._protocol, accepted)
        except OSError:  # gone already
            accepted.close()

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens, if it does."""
        if self._server is None:
            return None
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def close(self) -> None:
        """Let go of all clients."""
        if self._server is None:
            return
        self._server.close()
        if self._queue is not None:
            self._queue.close()
        await self._accepting.cancel_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served in a task"
        self._tasks[task] = None
        limit = self._queries.limits.text_bytes_max + _MESSAGE_BYTES_OVER_TEXT
        connection = _Connection(reader, writer, limit)
        try:
            await self._talk(connection)
        except MalformedError as error:
            writer.write(wire.error("08P01", f"protocol violation: {error}", "FATAL"))
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the client is gone, or never came
        except asyncio.CancelledError:
            writer.write(wire.error("57P01", "the server is stopping", "FATAL"))
        except Exception:  # noqa: BLE001 - the other clients go on
            _log.exception("a client of the PostgreSQL port failed")
        finally:
            self._tasks.pop(task, None)
            writer.close()

    async def _talk(self, connection: _Connection) -> None:
        if self._starting >= _STARTING_MAX:
            await connection.send(wire.error("53300", "too many connections", "FATAL"))
            return
        self._starting += 1
        try:
            async with asyncio.timeout(_STARTUP_TIMEOUT_S):
                if not await self._begin(connection) or not await self._login.passed(connection):
                    return
        finally:
            self._starting -= 1
        self._next = self._next % 0x7FFFFFFF + 1
        key = (self._next, self._random.getrandbits(32))
        if len(self._connections) >= _CONNECTIONS_MAX:
            await connection.send(wire.error("53300", "too many connections", "FATAL"))
            return
        self._connections[key] = connection
        try:
            await connection.send(_welcome(key))
            await self._serve_messages(connection)
        finally:
            del self._connections[key]

    async def _begin(self, connection: _Connection) -> bool:
        """Is this a client that wants to ask something?"""
        secure = False
        while True:
            code, payload = await connection.startup()
            if code == wire.SSL_REQUEST and self._tls is not None and not secure:
                await connection.secure(self._tls)
                secure = True
            elif code in {wire.SSL_REQUEST, wire.GSS_REQUEST}:
                await connection.send(b"N")
            elif code == wire.CANCEL_REQUEST:
                self._cancel(payload)
                return False
            elif self._tls is not None and not secure:
                await connection.send(
                    wire.error("28000", "TLS is needed: sslmode=require", "FATAL")
                )
                return False
            elif code >> 16 == wire.PROTOCOL >> 16:
                wire.startup_parameters(payload)
                return True
            else:
                raise MalformedError(f"protocol {code >> 16}.{code & 0xFFFF}")

    def _cancel(self, payload: bytes) -> None:
        """Stop the statement of the connection with this key; nobody is told whether it worked."""
        key = (int.from_bytes(payload[:_INT32]), int.from_bytes(payload[_INT32 : 2 * _INT32]))
        connection = self._connections.get(key)
        if connection is not None and connection.running is not None:
            connection.cancelled = True
            connection.running.cancel()

    async def _serve_messages(self, connection: _Connection) -> None:
        session = Session(self._queries, connection.send)
        while True:
            kind, payload = await connection.message()
            if kind == b"X":
                return
            await self._handled(connection, session, session.handle(kind, payload))

    async def _handled(
        self, connection: _Connection, session: Session, work: Awaitable[None]
    ) -> None:
        """Do one message's work in a task of its own, which a cancel request can end."""

        async def do() -> None:
            await work

        connection.running = asyncio.get_running_loop().create_task(do(), name="statement")
        try:
            await connection.running
        except asyncio.CancelledError:
            if not connection.cancelled:
                connection.running.cancel()
                raise
            await session.interrupted(failures.cancelled())
        finally:
            connection.running = None
            connection.cancelled = False


def _welcome(key: tuple[int, int]) -> bytes:
    settings = (wire.parameter_status(name, value) for name, value in SETTINGS.items())
    return b"".join((wire.AUTHENTICATION_OK, *settings, wire.key_data(*key), wire.ready(b"I")))

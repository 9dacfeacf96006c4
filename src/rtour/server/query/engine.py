"""The server's side of SQL: hands statements to query processes, and passes their answers on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from rtour.clock import Clock
from rtour.server.query import failures, frames
from rtour.server.query.failures import QueryFailed
from rtour.server.query.pace import Pace
from rtour.server.tasks import TaskSet
from rtour.storage.introspection import LiveAttempt

_encode = msgspec.msgpack.encode
_PIPE_BYTES = 1 << 20
# What a process may take longer than the statement's own limit before it is ended.
_GRACE_S = 2.0
_START_S = 30.0


class QueryLimits(msgspec.Struct, frozen=True):
    """What a statement may cost, and how many run at once."""

    timeout_ms: int = 60_000
    rows_max: int = 10_000_000
    text_bytes_max: int = 512 * 1024
    processes: int = 2
    waiting_max: int = 256


class QueryProcess:
    """One `worker`, while it lives."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        assert process.stdin is not None, "made with pipes"
        assert process.stdout is not None, "made with pipes"
        self._in, self._out = process.stdin, process.stdout
        self._ended = False

    @classmethod
    async def start(cls, path: Path) -> QueryProcess:
        """Start one, and wait until it listens. Raises QueryFailed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "rtour.server.query.worker", str(path)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_PIPE_BYTES,
        )
        started = cls(process)
        try:
            async with asyncio.timeout(_START_S):
                await started._frame()
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            started.end()
            raise failures.broken() from error
        except asyncio.CancelledError:
            started.end()
            raise
        return started

    @property
    def alive(self) -> bool:
        return not self._ended and self._process.returncode is None

    async def ask(self, question: bytes, deadline: float) -> AsyncIterator[bytes]:
        """The pieces of the answer. Raises QueryFailed and TimeoutError, also after some."""
        try:
            async with asyncio.timeout_at(deadline):
                self._in.write(frames.frame(b"Q", question))
                await self._in.drain()
            while True:
                async with asyncio.timeout_at(deadline):
                    kind, payload = await self._frame()
                if kind == frames.END:
                    return
                if kind == frames.FAILED:
                    failed = msgspec.msgpack.decode(payload, type=frames.Failed)
                    raise QueryFailed(failed.status, failed.message, failed.sqlstate)
                yield payload
        except TimeoutError:
            raise
        except (OSError, asyncio.IncompleteReadError) as error:
            self.end()
            raise failures.broken() from error

    async def _frame(self) -> tuple[bytes, bytes]:
        header = await self._out.readexactly(frames.HEADER.size)
        kind, length = frames.HEADER.unpack(header)
        return kind, await self._out.readexactly(length)

    def end(self) -> None:
        """End the process, whatever it does."""
        self._ended = True
        with suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """Let it go when it has nothing to do."""
        self._in.close()
        try:
            async with asyncio.timeout(_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            self.end()
            await self._process.wait()


async def _at_once() -> None:
    """What is asked about is all in the file."""


class Queries:
    """Runs statements, a few at a time; the others wait for their turn.

    `live` tells what only the invoker knows, at the moment of the question. `stored` waits until
    the file has all that was acknowledged by then.
    """

    def __init__(
        self,
        path: Path,
        live: Callable[[], Iterable[LiveAttempt]],
        clock: Clock,
        limits: QueryLimits | None = None,
        pace: Pace | None = None,
        stored: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:
        self.limits = limits or QueryLimits()
        self._pace = pace or Pace(lambda: 0)
        self._path = path
        self._stored = stored
        self._live = live
        self._clock = clock
        self._idle: list[QueryProcess] = []
        self._running: set[QueryProcess] = set()
        self._turns = asyncio.Semaphore(self.limits.processes)
        self._waiting = 0
        self._ending = TaskSet()
        self._closed = False

    async def ask(
        self, sql: str, encoding: frames.Encoding, bound: frames.Bound | None = None
    ) -> AsyncGenerator[bytes]:
        """The pieces of the answer. Raises QueryFailed, also after some.

        Whoever does not read to the end must close the iterator: that stops the statement.
        """
        if len(sql.encode(errors="surrogatepass")) > self.limits.text_bytes_max:
            raise failures.too_long(self.limits.text_bytes_max)
        await self._turn()
        process: QueryProcess | None = None
        finished = False
        began = self._pace.now()
        try:
            process = await self._process()
            self._running.add(process)
            await self._stored()
            question = self._question(sql, encoding, bound)
            deadline = asyncio.get_running_loop().time() + self.limits.timeout_ms / 1000 + _GRACE_S
            async for piece in process.ask(question, deadline):
                yield piece
            finished = True
        except QueryFailed:
            finished = True
            raise
        except TimeoutError:
            raise failures.too_slow(self.limits.timeout_ms) from None
        finally:
            if process is not None:
                self._put_back(process, finished=finished)
            self._rest(self._pace.rest_s(began))

    async def _turn(self) -> None:
        if self._closed:
            raise failures.broken()
        if self._waiting >= self.limits.waiting_max:
            raise failures.too_busy()
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1

    def _rest(self, seconds: float) -> None:
        """Give the turn back, at once or after a rest."""
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._turns.release)
        else:
            self._turns.release()

    async def _process(self) -> QueryProcess:
        while self._idle:
            process = self._idle.pop()
            if process.alive:
                return process
        return await QueryProcess.start(self._path)

    def _put_back(self, process: QueryProcess, *, finished: bool) -> None:
        """A process in the middle of an answer is of no more use."""
        self._running.discard(process)
        if finished and process.alive and not self._closed:
            self._idle.append(process)
        else:
            process.end()
            self._ending.spawn(process.close(), "query process")

    def _question(self, sql: str, encoding: frames.Encoding, bound: frames.Bound | None) -> bytes:
        # Cheap enough to send for every statement that may need it; the process knows.
        live = list(self._live()) if "sys_invocation" in sql.lower() else []
        return _encode(
            frames.Question(
                sql=sql,
                encoding=encoding,
                now_ms=self._clock.now_ms(),
                timeout_ms=self.limits.timeout_ms,
                rows_max=self.limits.rows_max,
                live=live,
                bound=bound,
            )
        )

    async def close(self) -> None:
        """End the processes; statements that run fail."""
        self._closed = True
        for process in self._running:
            process.end()
        idle, self._idle = self._idle, []
        await asyncio.gather(*(process.close() for process in idle))
        await self._ending.cancel_all()

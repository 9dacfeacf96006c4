"""More requests than a server can serve: each is asked when it is due, whatever became of others.

A client that waits for its answer before it asks again goes at the server's pace, and is never too
much. So requests are due at a rate; each takes a free connection or opens one, and those that find
none wait for one, which counts as their waiting. Runs as a process of its own
(`python -m tests.torture.overload OFFER`, an `Offer` in JSON) and prints a `Report` in JSON.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter, deque
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvloop

REPOSITORY = Path(__file__).resolve().parents[2]
TICK_S = 0.005
OPENING_MAX = 200  # more at once would not be heard: it is requests that are to be too many
PATIENCE_S = 120.0


class Offer(msgspec.Struct, frozen=True):
    """`rate` requests a second; if it is None, as many as `connections` callers get answered."""

    url: str
    seconds: float
    rate: float | None = None
    connections: int = 4_000


class Report(msgspec.Struct, frozen=True):
    """What came of an offer; times in ms from when a request was due."""

    offered: int
    statuses: dict[int, int]
    refused_without_retry_after: int
    lost: int
    connections: int
    served_p50_ms: float
    served_p99_ms: float
    refused_p99_ms: float
    drained_s: float
    """From the last request to the last answer."""


class Crowd:
    """All connections, and the requests that are due and have none."""

    def __init__(self, offer: Offer) -> None:
        parts = urlsplit(offer.url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._address = parts.hostname, parts.port
        self._offer = offer
        self._due: deque[float] = deque()
        self._idle: list[_Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._opened = 0
        self.request = (
            f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-length: 0\r\n\r\n"
        ).encode()
        self._open = 0
        self._offered = 0
        self._lost = 0
        self._refused_without_retry_after = 0
        self._times: dict[int, list[float]] = {}

    async def run(self) -> Report:
        began = perf_counter()
        rate, seconds = self._offer.rate, self._offer.seconds
        while (elapsed := perf_counter() - began) < seconds:
            if rate is None:
                wanted = self._offer.connections - self._open
            else:
                wanted = int(elapsed * rate) - self._offered
            self._ask(wanted)
            await asyncio.sleep(TICK_S)
        stopped = perf_counter()
        async with asyncio.timeout(PATIENCE_S):
            while self._open > 0:
                self._ask(0)
                await asyncio.sleep(TICK_S)
        return self._report(perf_counter() - stopped)

    def _ask(self, count: int) -> None:
        now = perf_counter()
        self._offered += count
        self._open += count
        self._due.extend([now] * count)
        while self._due and self._idle:
            self._idle.pop().ask(self._due.popleft())
        room = min(self._offer.connections - self._opened, OPENING_MAX - len(self._opening))
        for _ in range(min(len(self._due) - len(self._opening), room)):
            self._opened += 1
            task = asyncio.get_running_loop().create_task(self._open_one())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open_one(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Connection(self), *self._address)
        except OSError:
            self.lose(None, asked=False)

    def lose(self, connection: _Connection | None, *, asked: bool) -> None:
        """A connection is gone, and its answer if it owed one; or it could not be opened."""
        self._opened -= 1
        self._lost += connection is None or asked
        self._open -= asked
        if connection in self._idle:
            self._idle.remove(connection)

    def answer(self, status: int, head: bytes, took_s: float) -> None:
        self._open -= 1
        self._times.setdefault(status, []).append(took_s * 1000)
        self._refused_without_retry_after += status == 429 and b"\r\nretry-after: " not in head

    def free(self, connection: _Connection) -> None:
        """A connection has no request."""
        if self._due:
            connection.ask(self._due.popleft())
        else:
            self._idle.append(connection)

    def _report(self, drained_s: float) -> Report:
        served, refused = (sorted(self._times.get(status, [0.0])) for status in (200, 429))
        return Report(
            offered=self._offered,
            statuses=dict(Counter({status: len(all_) for status, all_ in self._times.items()})),
            refused_without_retry_after=self._refused_without_retry_after,
            lost=self._lost,
            connections=self._opened,
            served_p50_ms=round(served[len(served) // 2], 1),
            served_p99_ms=round(served[len(served) * 99 // 100], 1),
            refused_p99_ms=round(refused[len(refused) * 99 // 100], 1),
            drained_s=round(drained_s, 1),
        )


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._buffer = bytearray()
        self._due: float | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport  # uvloop's is one in all but name
        self._crowd.free(self)

    def ask(self, due: float) -> None:
        """Send a request that was due then."""
        self._due = due
        self._transport.write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[: end + 2]).lower()
        length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        if len(self._buffer) < end + 4 + length:
            return
        self._buffer.clear()
        assert self._due is not None
        took_s, self._due = perf_counter() - self._due, None
        self._crowd.answer(int(head[9:12]), head, took_s)
        self._crowd.free(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._crowd.lose(self, asked=self._due is not None)


async def run(offer: Offer) -> Report:
    """Make an offer in a process of its own."""
    command = ["-m", "tests.torture.overload", msgspec.json.encode(offer).decode()]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=REPOSITORY, stdout=pipe, stderr=pipe
    )
    out, told = await process.communicate()
    assert process.returncode == 0, told.decode()[-500:]
    return msgspec.json.decode(out, type=Report)


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.argv[1], type=Offer)
    print(msgspec.json.encode(uvloop.run(Crowd(wanted).run())).decode())

"""A load generator: N keep-alive connections, each one request at a time.

For some seconds, or for so many requests in all; then each connection waits for its last answer.
Runs as a process of its own (`python -m tests.benchmarks.load LOAD`, a `Load` in JSON) and prints a
`Report` in JSON. `{key}` in the URL's path becomes one of `keys` names, chosen in turn.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvloop

from tests.benchmarks import wrk
from tests.benchmarks.loads import Load, Report

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


class Source:
    """What the connections send, and what came of it."""

    def __init__(self, load: Load) -> None:
        parts = urlsplit(load.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        body = load.body.encode()
        self._requests = itertools.cycle(
            [
                b"POST %b HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%b"
                % (path.replace("{key}", f"k{number}").encode(), len(body), body)
                for number in range(load.keys)
            ]
        )
        self._until = perf_counter() + load.seconds
        self._left = load.requests
        self.times: list[float] = []
        self.failures = 0

    def next(self) -> bytes | None:
        """The next request, or None when the load is over."""
        if self._left is None:
            return next(self._requests) if perf_counter() < self._until else None
        if self._left == 0:
            return None
        self._left -= 1
        return next(self._requests)


class Connection(asyncio.Protocol):
    """Sends a request, waits for its whole response, sends the next."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._buffer = bytearray()
        self._wanted: int | None = None
        self._asked = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport  # uvloop's is one in all but name
        self._send()

    def _send(self) -> None:
        request = self._source.next()
        if request is None:
            self._transport.close()
            return
        self._asked = True
        self._began = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._wanted is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._wanted = end + 4 + int(length or 0)
        if len(self._buffer) < self._wanted:
            return
        self._source.times.append(perf_counter() - self._began)
        self._source.failures += bytes(self._buffer[9:12]) not in {b"200", b"202"}
        self._buffer.clear()
        self._wanted = None
        self._asked = False
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        self._source.failures += self._asked  # nobody answered
        if not self.done.done():
            self.done.set_result(None)


async def _generate(load: Load) -> Report:
    parts = urlsplit(load.url)
    loop = asyncio.get_running_loop()
    began = monotonic()
    source = Source(load)
    opened = [
        (await loop.create_connection(lambda: Connection(source), parts.hostname, parts.port))[1]
        for _ in range(load.connections)
    ]
    async with asyncio.timeout(load.seconds + PATIENCE_S):
        await asyncio.gather(*(connection.done for connection in opened))
    times = sorted(source.times)
    return Report(
        requests=len(times),
        failures=source.failures,
        seconds=monotonic() - began,
        p50_ms=times[len(times) // 2] * 1000,
        p99_ms=times[len(times) * 99 // 100] * 1000,
        began=began,
    )


def run(load: Load, *, light: bool = True) -> Report:
    """Ask in a process of its own: `wrk` for what is timed, where it is installed and light.

    If nobody was answered in the time, ask again and wait for the answers.
    """
    if light and load.requests is None and wrk.installed():
        report = wrk.run(load)
        if report.requests or report.failures:
            return report
    command = [sys.executable, "-m", "tests.benchmarks.load", msgspec.json.encode(load).decode()]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return msgspec.json.decode(done.stdout, type=Report)


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.argv[1], type=Load)
    print(msgspec.json.encode(uvloop.run(_generate(wanted))).decode())

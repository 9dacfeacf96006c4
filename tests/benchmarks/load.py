"""A load generator: N keep-alive connections, each one request at a time, for some seconds.

Runs as a process of its own (`python -m tests.benchmarks.load URL CONNECTIONS SECONDS [KEYS]`) and
prints one JSON line: requests, failures, seconds, p50_ms, p99_ms. `{key}` in the URL's path becomes
one of KEYS names, chosen in turn.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from time import perf_counter
from urllib.parse import urlsplit

import uvloop

BODY = b'"x"'


class Connection(asyncio.Protocol):
    """Sends a request, waits for its whole response, sends the next."""

    def __init__(self, paths: itertools.cycle[bytes], until: float, times: list[float]) -> None:
        self._paths = paths
        self._until = until
        self._times = times
        self._buffer = b""
        self.failures = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._began = perf_counter()
        self._transport.write(  # type: ignore[attr-defined]
            b"POST %b HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (next(self._paths), len(BODY), BODY)
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        now = perf_counter()
        self._times.append(now - self._began)
        self.failures += head[9:12] not in {b"200", b"202"}
        self._buffer = b""
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def load(url: str, connections: int, seconds: float, keys: int) -> dict[str, float]:
    parts = urlsplit(url)
    names = [parts.path.replace("{key}", f"k{n}").encode() for n in range(keys)]
    paths = itertools.cycle(names)
    times: list[float] = []
    began = perf_counter()
    loop = asyncio.get_running_loop()
    opened = [
        (
            await loop.create_connection(
                lambda: Connection(paths, began + seconds, times), parts.hostname, parts.port
            )
        )[1]
        for _ in range(connections)
    ]
    async with asyncio.timeout(seconds + 60):
        await asyncio.gather(*(connection.done for connection in opened))
    times.sort()
    return {
        "requests": len(times),
        "failures": sum(connection.failures for connection in opened),
        "seconds": perf_counter() - began,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
    }


if __name__ == "__main__":
    url, connections, seconds, *keys = sys.argv[1:]
    report = uvloop.run(load(url, int(connections), float(seconds), int(keys[0]) if keys else 1))
    print(json.dumps(report))

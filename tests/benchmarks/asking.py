"""Clients that ask SQL questions as fast as they are answered, for some seconds.

A process of its own (`python -m tests.benchmarks.asking ADMIN_URL CLIENTS SECONDS`) that prints one
JSON line: questions, failures, p50_ms, p99_ms. The questions are those of the command line and of
its watchers.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from time import perf_counter
from urllib.parse import urlsplit

import uvloop

QUESTIONS = (
    "SELECT id, target, status, created_at FROM sys_invocation WHERE status = 'running' LIMIT 30",
    "SELECT status, COUNT(*) AS many FROM sys_invocation_status GROUP BY status",
    "SELECT service_key, key, value_utf8 FROM state WHERE service_name = 'Counter' LIMIT 50",
    "SELECT id, target FROM sys_invocation ORDER BY created_at DESC LIMIT 25",
    "SELECT service_name, COUNT(*) AS many FROM sys_inbox GROUP BY service_name",
)


async def client(url: str, seconds: float, first: int, times: list[float]) -> int:
    """Ask one question after the other; the number of those not answered with 200."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    until = perf_counter() + seconds
    failures = 0
    for number in itertools.count(first):
        began = perf_counter()
        if began >= until:
            break
        body = json.dumps({"query": QUESTIONS[number % len(QUESTIONS)]}).encode()
        writer.write(
            b"POST /query HTTP/1.1\r\nhost: %b\r\naccept: application/json\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (address.netloc.encode(), len(body), body)
        )
        failures += not await _answered(reader)
        times.append(perf_counter() - began)
    writer.close()
    return failures


async def _answered(reader: asyncio.StreamReader) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    return head.startswith(b"http/1.1 200")


async def ask(url: str, clients: int, seconds: float) -> dict[str, float]:
    """All the clients together."""
    times: list[float] = []
    failures = await asyncio.gather(*(client(url, seconds, n, times) for n in range(clients)))
    times.sort()
    return {
        "questions": len(times),
        "failures": sum(failures),
        "p50_ms": times[len(times) // 2] * 1e3,
        "p99_ms": times[len(times) * 99 // 100] * 1e3,
    }


if __name__ == "__main__":
    target, clients, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    print(json.dumps(uvloop.run(ask(target, clients, seconds))))

"""Bytes thrown at the ports of a real server, and what must come of it.

The first byte of an input chooses the port and how the rest is cut into pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from rtour.server.front import Front
from tests.fuzz.site import Site
from tests.server.fronts import post

PIECES_MAX = 7
QUIET_TURNS = 3
PATIENCE_S = 0.3
HEALTH = {"ingress": "/restate/health", "admin": "/health"}

JSON = b"Host: localhost\r\ncontent-type: application/json\r\n"
CHUNKS = b'12\r\n{"query":"SELECT 1\r\n2\r\n"}\r\n0\r\na: b\r\n\r\n'
H2C = b"Upgrade: h2c\r\nContent-Length: 0\r\n\r\n"

Judge = Callable[[bytes], None]


def check_at(site: Site, data: bytes, judge: Judge) -> None:
    """Send, wait for answers, half close, read to the end; then the server must be as it was."""
    head, stream = (data[:1] or b"\x00")[0], data[1:]
    name = "admin" if head & 1 else "ingress"
    front: Front = getattr(site.server, name)
    judge(site.run(_exchanged(site, front, _cut(stream, head >> 1))))
    site.run(_as_before(front, HEALTH[name]))


def _cut(stream: bytes, how: int) -> list[bytes]:
    pieces = how % PIECES_MAX + 1
    size = max(len(stream) // pieces, 1)
    return [stream[start : start + size] for start in range(0, len(stream), size)]


async def _exchanged(site: Site, front: Front, pieces: list[bytes]) -> bytes:
    """What the server says to these bytes.

    It may wait with its answer, and then only for an invocation: that client has to go.
    """
    reader, writer = await asyncio.open_connection(*front.address)
    said = bytearray()

    async def read() -> None:
        while data := await reader.read(1 << 16):
            said.extend(data)

    reading = asyncio.get_running_loop().create_task(read())
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        await _until_answered(site, front, reading)
        writer.write_eof()
        while not reading.done() and not site.server.requests.pending:
            await asyncio.wait([reading], timeout=0.01)
    except (ConnectionError, OSError):
        pass  # refused before it had all: that is an answer
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        writer.transport.abort()
    return bytes(said)


async def _until_answered(site: Site, front: Front, reading: asyncio.Task[None]) -> None:
    """Whoever closes too soon is taken for gone: wait while requests are under way.

    A request may wait for an invocation that does not end; no longer than that for its own sake.
    """
    loop = asyncio.get_running_loop()
    quiet, patient_until = 0, loop.time() + PATIENCE_S
    while quiet < QUIET_TURNS and not reading.done():
        await asyncio.wait([reading], timeout=0.001)
        quiet = 0 if any(map(_is_busy, front._connections)) else quiet + 1
        if site.server.requests.pending and loop.time() > patient_until:
            return


def _is_busy(connection: Any) -> bool:
    streams = getattr(connection, "_streams", {})
    return bool(getattr(connection, "_task", None)) or any(each.task for each in streams.values())


async def _as_before(front: Front, path: str) -> None:
    """Nothing is left of the connection, and the next one is served."""
    while front.connections or front.shared.budget.left < front.shared.limits.requests_bytes_max:
        await asyncio.sleep(0.001)
    reader, writer = await asyncio.open_connection(*front.address)
    writer.write(b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path.encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 "), answer


def assert_no_bug(body: bytes) -> None:
    assert b"internal server error" not in body, body
    assert b"This is a bug" not in body, body


def _json(body: bytes, path: bytes) -> bytes:
    """A request that its handler takes."""
    whole = post(body, path=path, close=False)
    return whole.replace(b"Host: h\r\n", JSON)


REQUESTS: tuple[bytes, ...] = (
    _json(b'"Ada"', b"/Greeter/greet"),
    _json(b'"1"', b"/Counter/k/add/send?delay=1h"),
    _json(b'"x"', b"/restate/call/Flow/k/run"),
    post(b'{"target":"invocation","invocationId":"inv_1"}', path=b"/restate/attach"),
    b"GET /restate/health HTTP/1.1\r\nHost: localhost:8080\r\nExpect: 100-continue\r\n\r\n",
    b"OPTIONS /Greeter/greet HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3\r\n\r\n",
    b"HEAD /services HTTP/1.0\r\n\r\n",
    b"GET http://localhost/deployments/dp_1?x=%20 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /query HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n%b" % (JSON, CHUNKS),
    b"PATCH /invocations/inv_1/cancel HTTP/1.1\r\n%bConnection: Upgrade\r\n%b" % (JSON, H2C),
)
WORDS = (
    *(b"\r\n", b"\r\n\r\n", b"HTTP/1.1", b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    *(b"idempotency-key: k\r\n", b"x-restate-id: inv_1\r\n", b"Host: a.example\r\n", b"%00"),
    *(b"authorization: Bearer x\r\n", b"traceparent: 00-1-1-01\r\n", b"?delay=", b"0\r\n\r\n"),
)

"""Fronts over an app that echoes, and clients of all manners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from rtour.server.front import Front, FrontLimits
from rtour.server.web import Reply, Request

LIMITS = FrontLimits(
    body_bytes_max=1000,
    requests_bytes_max=8000,
    head_bytes_max=2000,
    head_timeout_s=0.05,
    body_idle_timeout_s=0.05,
    linger_timeout_s=0.05,
)
PATIENT = FrontLimits(
    body_bytes_max=1000,
    requests_bytes_max=5000,
    kept_for_small_bytes=600,
    small_bytes_max=200,
    head_bytes_max=2000,
)
BIG = b"x" * (16 << 20)  # more than the kernel takes for a client that does not read


class EchoApp:
    """Answers with what it got; `/wait` waits for the gate, `/boom` fails, `/stream` streams."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.waiting = 0
        self.requests: list[Request] = []
        self.changed = asyncio.Event()

    async def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        if request.path == "/boom":
            raise RuntimeError("a bug")
        if request.path == "/big":
            return Reply(200, [], BIG)
        if request.path == "/470":
            return Reply(470, [(b"x-a", b"b")], b"not yet")
        if request.path == "/stream":
            return Reply(200, [], self._chunks())
        if request.path == "/wait":
            self._change(+1)
            try:
                await self.gate.wait()
            finally:
                self._change(-1)
        target = f"{request.method} {request.path}?{request.query} ".encode()
        return Reply(200, [(b"content-type", b"text/plain")], target + request.body)

    async def _chunks(self) -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number * 100_000

    def _change(self, by: int) -> None:
        self.waiting += by
        self.changed.set()

    async def until_waiting(self, count: int) -> None:
        async with asyncio.timeout(5):
            while self.waiting != count:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def served(limits: FrontLimits = PATIENT) -> AsyncIterator[tuple[EchoApp, Front]]:
    app = EchoApp()
    front = Front(app, limits)
    await front.listen("127.0.0.1", 0)
    try:
        yield app, front
    finally:
        await front.close(grace_s=0)
    assert front.connections == 0
    assert front.unread_bytes == 0, "nobody is left who could read them"
    assert front.shared.budget.left == limits.requests_bytes_max, "bytes of requests were lost"


async def exchange(front: Front, *parts: bytes) -> bytes:
    """Send bytes, read until the server closes."""
    reader, writer = await asyncio.open_connection(*front.address)
    async with asyncio.timeout(5):
        for part in parts:
            writer.write(part)
            await writer.drain()
        try:
            return await reader.read()
        except ConnectionResetError:
            return b"<reset>"
        finally:
            writer.close()


def post(body: bytes, *, path: bytes = b"/", close: bool = True) -> bytes:
    last = b"Connection: close\r\n" if close else b""
    head = b"POST %b HTTP/1.1\r\nHost: h\r\n%bContent-Length: %d\r\n\r\n"
    return head % (path, last, len(body)) + body


def client(front: Front, *, http2: bool) -> httpx.AsyncClient:
    host, port = front.address
    return httpx.AsyncClient(
        base_url=f"http://{host}:{port}", http1=not http2, http2=http2, timeout=5
    )

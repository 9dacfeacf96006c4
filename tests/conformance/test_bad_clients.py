"""Clients that break HTTP or send nonsense get the specified error, and harm nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from tests.conformance.program import op
from tests.conformance.sites import kinds, standing_site
from tests.conformance.world import Site

LIMIT = 32 * 1024 * 1024


@pytest.fixture(scope="module", params=kinds())
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with standing_site(request.param, "python", tmp_path_factory.mktemp("clients")) as here:
        yield here


class Line:
    """A raw connection to the ingress."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def head(self) -> str:
        """The head of the answer, or what came before the server hung up."""
        async with asyncio.timeout(20):
            try:
                return (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            except asyncio.IncompleteReadError as cut:
                return cut.partial.decode("latin-1")
            except ConnectionError:
                return ""

    async def status(self) -> int | None:
        """The status of the answer; None when the server just hung up."""
        head = await self.head()
        return int(head.split(" ", 2)[1]) if head.startswith("HTTP/1.") else None


@asynccontextmanager
async def line(site: Site) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.server.ingress_port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


async def served(site: Site) -> None:
    """Another client is served as if nothing had happened."""
    async with httpx.AsyncClient(timeout=10) as client:
        answer = await client.post(f"{site.server.ingress_url}/Svc/echo", json="still here")
    assert (answer.status_code, answer.json()) == (200, "still here")


def request(path: str, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: x", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def test_an_announced_oversized_body(shared: Site) -> None:
    """More than 32 MiB, as announced, is 413 before it is sent."""
    async with line(shared) as one:
        await one.send(
            request("/Svc/raw", "content-type: a/b", f"content-length: {LIMIT + 1}") + b"x"
        )
        assert await one.status() == 413
    await served(shared)


async def test_an_unannounced_oversized_body(shared: Site) -> None:
    """Chunk by chunk too large is refused all the same, and nothing is invoked."""
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    async with line(shared) as one:
        await one.send(request("/Svc/raw", "content-type: a/b", "transfer-encoding: chunked"))

        async def pour() -> None:
            try:
                for _ in range(LIMIT // 0x100000 + 1):
                    await one.send(chunk)
                await one.send(b"0\r\n\r\n")
            except ConnectionError:
                pass  # the server need not listen to the end

        async with asyncio.TaskGroup() as group:
            group.create_task(pour())
            status = await one.status()
    assert status in {413, None}
    await served(shared)


async def test_a_body_of_just_the_limit(shared: Site) -> None:
    """A large body within the limit goes through the handler and back."""
    body = b"ab" * (4 * 1024 * 1024)
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(
            f"{shared.server.ingress_url}/Svc/raw", content=body, headers={"content-type": "a/b"}
        )
    assert answer.status_code == 200
    assert answer.content == body[::-1]


async def test_a_slow_body(shared: Site) -> None:
    """A body that comes byte by byte is waited for; others do not wait for it."""
    body = b'"slow"'
    async with line(shared) as one:
        await one.send(
            request("/Svc/echo", "content-type: application/json", f"content-length: {len(body)}")
        )
        for byte in body:
            await served(shared)
            await one.send(bytes([byte]))
        assert await one.status() == 200


async def test_a_client_that_leaves_early(shared: Site) -> None:
    """A request that was never finished invokes nothing."""
    key = "left-early"
    async with line(shared) as one:
        await one.send(request(f"/Obj/{key}/count", "content-length: 100") + b"x")
    await served(shared)
    assert await shared.server.sql(f"SELECT key FROM state WHERE service_key = '{key}'") == []


async def test_a_client_that_does_not_wait(shared: Site) -> None:
    """What has begun runs to its end though its client has gone."""
    steps = [
        op("effect", tag="begun"),
        op("gate", name="nobody-waits"),
        op("effect", tag="ended"),
    ]
    program = json.dumps(steps).encode()
    async with line(shared) as one:
        length = f"content-length: {len(program)}"
        await one.send(request("/Svc/run", "content-type: application/json", length) + program)
        await shared.outside.effect("begun")
    shared.outside.open_gate("nobody-waits")
    assert await shared.outside.effect("ended")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"HELLO\r\n\r\n",
        b"GET /restate/health HTTP/9.9\r\n\r\n",
        b"POST /Svc/echo HTTP/1.1\r\nhost: x\r\ncontent-length: nonsense\r\n\r\n",
        b"POST /Svc/echo HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /Svc/echo HTTP/1.1\r\nhost: x\r\nno colon here\r\n\r\n",
        b"POST /Svc/echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nxx\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nbig: " + b"a" * 2_000_000 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 200,
    ],
    ids=[
        "binary", "one word", "unknown version", "length is text", "length is negative",
        "header without colon", "bad chunk", "endless path", "endless header", "broken http2",
    ],
)  # fmt: skip
async def test_broken_http(shared: Site, raw: bytes) -> None:
    """What is not HTTP is answered with an error, or hung up on."""
    async with line(shared) as one:
        with suppress(ConnectionError):
            await one.send(raw)
        status = await one.status()
    assert status is None or status >= 400
    await served(shared)


async def test_an_idle_connection_costs_nothing(shared: Site) -> None:
    """Hundreds of silent connections do not keep others out."""
    idle = [
        await asyncio.open_connection("127.0.0.1", shared.server.ingress_port) for _ in range(200)
    ]
    await served(shared)
    for _, writer in idle:
        writer.close()


async def test_http2_without_tls(shared: Site) -> None:
    """The ingress speaks HTTP/2 with prior knowledge on the same port."""
    async with httpx.AsyncClient(http1=False, http2=True, timeout=10) as client:
        answer = await client.post(f"{shared.server.ingress_url}/Svc/echo", json=[1])
    assert (answer.http_version, answer.status_code, answer.json()) == ("HTTP/2", 200, [1])

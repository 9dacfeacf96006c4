"""Discovery over real connections: what endpoints answer, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from rtour.errors import ManifestError
from rtour.protocol.discovery import manifest_content_type
from rtour.server.discoverer import BYTES_MAX, HttpDiscoverer
from rtour.server.front import Front
from rtour.server.transport import Endpoint, HttpTransport
from rtour.server.web import Reply, Request, text_reply
from tests.server.rooms import MANIFEST

V4 = manifest_content_type(4).encode()


class FakeSdk:
    """Answers discovery with what was set, one reply after the other."""

    def __init__(self, *replies: Reply) -> None:
        self.requests: list[Request] = []
        self._replies = list(replies)

    async def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        return self._replies.pop(0)


def announced(**changes: object) -> Reply:
    headers = [(b"content-type", V4), (b"x-restate-server", b"sdk/1")]
    return Reply(200, headers, msgspec.json.encode(MANIFEST | changes))


def signed(path: str, key: str | None) -> tuple[tuple[str, str], ...]:
    assert key is None
    return (("x-signed", path),)


@asynccontextmanager
async def discovery(sdk: FakeSdk) -> AsyncIterator[tuple[HttpDiscoverer, str]]:
    front = Front(sdk)
    await front.listen("127.0.0.1", 0)
    transport = HttpTransport()
    host, port = front.address
    try:
        yield HttpDiscoverer(transport, signed, "cluster"), f"http://{host}:{port}/base/"
    finally:
        await transport.close()
        await front.close(grace_s=0)


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2.0"])
async def test_discovery(version: str) -> None:
    """The endpoint is asked below its base path, in its HTTP version, with all headers."""
    sdk = FakeSdk(announced())
    async with discovery(sdk) as (discoverer, uri):
        endpoint = Endpoint(uri, version)  # type: ignore[arg-type]
        found = await discoverer.discover(endpoint, {"x-extra": "1"})
    assert found.sdk_version == "sdk/1"
    assert found.manifest.services[0].name == "Greeter"
    (request,) = sdk.requests
    assert (request.method, request.path) == ("GET", "/base/discover")
    headers = dict(request.headers)
    assert headers[b"accept"] == b", ".join(
        manifest_content_type(number).encode() for number in (1, 2, 3, 4)
    )
    assert headers[b"x-restate-cluster-name"] == b"cluster"
    assert headers[b"x-extra"] == b"1"
    assert headers[b"x-signed"] == b"/discover"


@pytest.mark.parametrize(
    ("sdk", "server", "also"),
    [
        (b"restate-sdk-python/1", b"hypercorn-h2", True),
        (b"rtour-sdk/1", b"hypercorn-h2", True),
        (b"rtour-sdk/1", b"rtour", False),
        (b"restate-sdk-typescript/1", b"", False),
    ],
)
async def test_http1_where_it_is_cheaper(sdk: bytes, server: bytes, also: bool) -> None:
    """Python endpoints are asked for HTTP/1.1, too, unless rtour's own server serves them."""
    reply = announced()
    reply.headers[1:] = [(b"x-restate-server", sdk), (b"server", server)]
    endpoint = FakeSdk(reply, reply)
    async with discovery(endpoint) as (discoverer, uri):
        found = await discoverer.discover(Endpoint(uri), {})
    assert found.also_http1 is also
    assert len(endpoint.requests) == 1 + also


@pytest.mark.parametrize(
    ("reply", "status", "code", "message"),
    [
        (text_reply(404, "no"), 500, "META0003", "got status code '404'"),
        (announced(minProtocolVersion=9, maxProtocolVersion=9), 500, "META0012", "[META0012]"),
        (announced(protocolMode=None), 500, "META0013", "[META0013]"),
        (Reply(200, [(b"content-type", b"text/html")], b"{}"), 500, "META0013", "text/html"),
        (Reply(200, [(b"content-type", V4)], b"{"), 500, None, "cannot decode"),
        (
            announced(services=[{"name": "restate", "ty": "SERVICE", "handlers": []}]),
            400,
            "META0005",
            "reserved",
        ),
    ],
)
async def test_bad_answers(reply: Reply, status: int, code: str | None, message: str) -> None:
    """What is no good manifest is refused with Restate's status and code."""
    async with discovery(FakeSdk(reply)) as (discoverer, uri):
        with pytest.raises(ManifestError) as caught:
            await discoverer.discover(Endpoint(uri), {})
    assert (caught.value.status, caught.value.restate_code) == (status, code)
    assert message in caught.value.message


async def test_passing_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that is not ready yet is asked again, but not for ever."""
    monkeypatch.setattr("rtour.server.discoverer.PAUSE_S", 0)
    busy = [text_reply(503, "not yet") for _ in range(5)]
    sdk = FakeSdk(busy[0], busy[1], announced())
    async with discovery(sdk) as (discoverer, uri):
        await discoverer.discover(Endpoint(uri), {})
    assert len(sdk.requests) == 3
    sdk = FakeSdk(*busy)
    async with discovery(sdk) as (discoverer, uri):
        with pytest.raises(ManifestError, match="503"):
            await discoverer.discover(Endpoint(uri), {})
    assert len(sdk.requests) == 3


async def test_an_answer_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the bound, or later than it: META0003 says so, and no more of it is read."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65536

    headers = [(b"content-type", V4)]
    async with discovery(FakeSdk(Reply(200, headers, endless()))) as (discoverer, uri):
        with pytest.raises(ManifestError, match=f"longer than {BYTES_MAX} bytes") as caught:
            await discoverer.discover(Endpoint(uri), {})
    assert caught.value.restate_code == "META0003"

    async def silent() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    monkeypatch.setattr("rtour.server.discoverer.TIMEOUT_S", 0.1)
    async with discovery(FakeSdk(Reply(200, headers, silent()))) as (discoverer, uri):
        with pytest.raises(ManifestError, match=r"no complete answer within 0\.1 s"):
            await discoverer.discover(Endpoint(uri), {})


async def test_nobody_there() -> None:
    """A closed port is META0003, with its address."""
    async with discovery(FakeSdk()) as (discoverer, uri):
        pass
    transport = HttpTransport()
    discoverer = HttpDiscoverer(transport, signed, "cluster")
    with pytest.raises(ManifestError) as caught:
        await discoverer.discover(Endpoint(uri), {})
    assert caught.value.restate_code == "META0003"
    assert uri in caught.value.message
    await transport.close()


async def test_http1_only() -> None:
    """An endpoint that only speaks HTTP/1.1 is META0014, with the remedy."""

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(old, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = HttpTransport()
    discoverer = HttpDiscoverer(transport, signed, "cluster")
    with pytest.raises(ManifestError) as caught:
        await discoverer.discover(Endpoint(f"http://127.0.0.1:{port}/"), {})
    assert caught.value.restate_code == "META0014"
    assert "use_http_11" in caught.value.message
    await transport.close()
    server.close()
    await server.wait_closed()

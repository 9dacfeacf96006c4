"""The transport to this machine answers as httpx's own does, byte for byte."""

from __future__ import annotations

import asyncio
import gzip
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest

from rtour.client.failures import Unreachable
from rtour.client.loopback import KEEP_IDLE_S, LoopbackTransport
from rtour.client.transport import Connection, Origin

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
ZIPPED = gzip.compress(b"hi" * 1000)
# Answers as a server may give them, each as the pieces in which it sends them before it hangs up.
ANSWERS: dict[str, Sequence[bytes]] = {
    "with a length": [OK],
    "byte by byte": [OK[i : i + 1] for i in range(len(OK))],
    "no body": [b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"],
    "no content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "chunked": [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n",
        b"3\r\n, A\r\n2\r\nda\r\n0\r\n\r\n",
    ],
    "until it hangs up": [b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n", b"h", b"i"],
    "HTTP/1.0": [b"HTTP/1.0 200 OK\r\n\r\nhi"],
    "an empty reason": [b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nhi"],
    "a header twice": [b"HTTP/1.1 200 OK\r\nx-a: 1\r\nX-A: 2\r\ncontent-length: 0\r\n\r\n"],
    "early hints first": [b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", OK],
    "compressed": [
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(ZIPPED),
        ZIPPED,
    ],
    "nothing": [],
    "half a head": [b"HTTP/1.1 200 OK\r\ncontent-le"],
    "half a body": [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi"],
    "half a chunk": [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhi"],
    "another protocol": [b"SSH-2.0-OpenSSH_9.6\r\n"],
}


@asynccontextmanager
async def serving(
    talk: Talk | None = None, *, answer: Sequence[bytes] = (OK,)
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server of canned bytes: its URL, and the requests it has read."""
    requests: list[bytes] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await _request(reader))
        for piece in answer:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(talk or once, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return head + await reader.readexactly(int(length[1]) if length else 0)


async def _told(transport: httpx.AsyncBaseTransport, url: str) -> object:
    """What a client makes of the answer: its parts, or which error it is."""
    async with httpx.AsyncClient(transport=transport, timeout=5) as client:
        try:
            answer = await client.post(f"{url}/a%20b?q=%22x%22", content=b'{"a": 1}')
        except httpx.TransportError as error:
            return type(error)
    return answer.status_code, answer.reason_phrase, answer.headers.raw, answer.content


@pytest.mark.parametrize("name", ANSWERS)
async def test_answers_as_httpx_does(name: str) -> None:
    """Every answer, whole or broken, reads as it does through httpx's own transport."""
    told, asked = [], []
    for transport in (LoopbackTransport(), httpx.AsyncHTTPTransport()):
        async with serving(answer=ANSWERS[name]) as (url, requests):
            told.append(await _told(transport, url))
            port = url.rpartition(":")[2].encode()
            asked.append([request.replace(port, b"PORT") for request in requests])
    ours, theirs = told
    assert ours == theirs
    assert asked[0] == asked[1]
    assert len(asked[0]) == 1


async def test_bodies_of_megabytes_go_both_ways() -> None:
    """A request and an answer bigger than any buffer arrive whole."""
    sent = bytes(range(256)) * 32_768
    answer = [b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(sent), sent]
    async with (
        serving(answer=answer) as (url, requests),
        httpx.AsyncClient(transport=LoopbackTransport()) as client,
    ):
        got = await client.post(url, content=sent)
    assert got.content == sent
    assert requests[0].endswith(sent)


def _keeping(connections: list[int]) -> Talk:
    """Keeps its connections, and counts the requests of each."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        mine = len(connections) - 1
        while not reader.at_eof():
            try:
                await _request(reader)
            except asyncio.IncompleteReadError:
                break
            connections[mine] += 1
            writer.write(OK)
        writer.close()

    return talk


async def test_connections_are_reused_and_multiplied_by_need() -> None:
    """One after the other over one connection; five at once over five, which are then reused."""
    connections: list[int] = []
    async with (
        serving(_keeping(connections)) as (url, _),
        httpx.AsyncClient(transport=LoopbackTransport()) as client,
    ):
        for _ in range(3):
            assert (await client.get(url)).text == "hi"
        assert connections == [3]
        await asyncio.gather(*(client.get(url) for _ in range(5)))
        assert len(connections) == 5
        await client.get(url)
    assert len(connections) == 5
    assert sum(connections) == 9


async def test_connection_idle_for_long_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server may be about to close is not used again."""
    connections: list[int] = []
    async with (
        serving(_keeping(connections)) as (url, _),
        httpx.AsyncClient(transport=LoopbackTransport()) as client,
    ):
        await client.get(url)
        loop = asyncio.get_running_loop()
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + KEEP_IDLE_S + 1)
        await client.get(url)
    assert connections == [1, 1]


async def test_connection_that_the_server_closed_is_not_reused() -> None:
    """`connection: close`, and a server that just hangs up after its answer."""
    closing = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"
    for answer in (OK, closing):
        async with (
            serving(answer=[answer]) as (url, requests),
            httpx.AsyncClient(transport=LoopbackTransport()) as client,
        ):
            assert (await client.get(url)).text == "hi"
            await asyncio.sleep(0)  # the loop hears of the end of the stream
            await asyncio.sleep(0)
            assert (await client.get(url)).text == "hi"
            assert len(requests) == 2


async def test_answer_left_unread_costs_the_connection() -> None:
    """Who stops in the middle of a body does not leave its rest to the next request."""
    connections: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi")
        await reader.read()  # until the client hangs up
        writer.close()

    async with (
        serving(talk) as (url, _),
        httpx.AsyncClient(transport=LoopbackTransport()) as client,
    ):
        for _ in range(2):
            async with client.stream("GET", url) as response:
                assert await anext(response.aiter_raw()) == b"hi"
    assert connections == [1, 1]


async def test_silence_is_a_timeout_and_a_refusal_is_told() -> None:
    """A server that says nothing runs into the read timeout; a closed port is a connect error."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with (
        serving(silent) as (url, _),
        httpx.AsyncClient(
            transport=LoopbackTransport(), timeout=httpx.Timeout(5, read=0.01)
        ) as client,
    ):
        with pytest.raises(httpx.ReadTimeout):
            await client.get(url)
    async with httpx.AsyncClient(transport=LoopbackTransport()) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)  # nobody listens there any more


async def test_who_goes_through_it() -> None:
    """Plain HTTP to this machine; neither TLS nor another host nor a transport handed in."""

    def chosen(url: str, transport: httpx.AsyncBaseTransport | None = None) -> object:
        origin = Origin(url, Connection(), role="admin", transport=transport)
        return origin._http._transport

    handed = httpx.MockTransport(lambda _: httpx.Response(200))
    for url in ("http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"):
        assert isinstance(chosen(url), LoopbackTransport)
        assert chosen(url, handed) is handed
    for url in ("https://localhost:1", "http://10.1.2.3", "unix:/tmp/a.sock"):
        assert isinstance(chosen(url), httpx.AsyncHTTPTransport)


async def test_nobody_there_is_told_with_what_to_do() -> None:
    """The client's own error names the address and the next command."""
    origin = Origin("http://127.0.0.1:1", Connection(), role="admin")
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1") as caught:
        await origin.send("GET", "/version")
    assert "rtour up" in caught.value.hint


def test_httpx_is_whole_for_everybody_else() -> None:
    """What is left out is left out of one import only: httpx's command line can still be loaded."""
    code = (
        "import sys\n"
        "import rtour.client.transport\n"
        "assert 'rich' not in sys.modules\n"
        "import httpx._main\n"
        "assert callable(httpx._main.main)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)

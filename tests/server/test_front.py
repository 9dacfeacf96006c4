"""A front serves both versions of HTTP alike, within its limits, until it is stopped."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import uvloop

from rtour.server.front import Front, FrontError, FrontLimits
from rtour.server.web import Reply, Request
from tests.server.fronts import BIG, PATIENT, EchoApp, client, exchange, post, served


@pytest.mark.parametrize("http2", [False, True])
async def test_requests(http2: bool) -> None:
    """Both versions carry method, path, query, headers and body, and any status back."""
    async with served() as (app, front), client(front, http2=http2) as http:
        response = await http.post("/a%2Fb/ü?q=%20", content=b"body", headers={"X-A": "b"})
        assert response.text == "POST /a%2Fb/%C3%BC?q=%20 body"
        assert "date" in response.headers
        headers = dict(app.requests[0].headers)
        assert headers[b"x-a"] == b"b"
        assert headers[b"host"].startswith(b"127.0.0.1:")
        response = await http.get("/470")
        assert (response.status_code, response.headers["x-a"], response.text) == (
            470, "b", "not yet"
        )  # fmt: skip
        response = await http.head("/")
        assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("http2", [False, True])
async def test_streams(http2: bool) -> None:
    """A streamed reply arrives whole, whatever its size."""
    async with served() as (_, front), client(front, http2=http2) as http:
        response = await http.get("/stream")
        assert response.content == b"0" * 100_000 + b"1" * 100_000 + b"2" * 100_000


@pytest.mark.parametrize("http2", [False, True])
async def test_a_bug_costs_one_request(http2: bool) -> None:
    """An app that fails is a 500, and the connection goes on."""
    async with served() as (_, front), client(front, http2=http2) as http:
        assert (await http.get("/boom")).status_code == 500
        assert (await http.get("/")).status_code == 200
        assert front.connections == 1


@pytest.mark.parametrize("http2", [False, True])
async def test_body_too_large(http2: bool) -> None:
    """A body over the limit is 413 in plain text, announced or not."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    async with served() as (app, front), client(front, http2=http2) as http:
        for content in (b"x" * 1001, chunks()):
            response = await http.post("/", content=content)
            assert (response.status_code, response.text) == (413, "length limit exceeded")
            assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert (await http.post("/", content=b"x" * 1000)).status_code == 200
        assert len(app.requests) == 1


async def test_all_requests_together_have_a_limit() -> None:
    """A large request too many is told to come back, a small one is not; room comes back."""
    async with served() as (app, front), client(front, http2=True) as http:
        loop = asyncio.get_running_loop()
        body = b"x" * 1000
        held = [loop.create_task(exchange(front, post(body, path=b"/wait"))) for _ in range(4)]
        await app.until_waiting(4)
        refused = await http.post("/", content=body)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await http.post("/", content=b"small")).status_code == 200
        app.gate.set()
        assert all([(await one).startswith(b"HTTP/1.1 200") for one in held])
        assert (await http.post("/", content=body)).status_code == 200


@pytest.mark.parametrize("http2", [False, True])
async def test_bodies_that_are_taken_do_not_count(http2: bool) -> None:
    """A call that waits for hours holds nothing of the limit: its body is the server's by then."""
    taken: list[bytes] = []
    async with served() as (app, front), client(front, http2=http2) as http:

        async def take(request: Request) -> Reply:
            taken.append(request.take_body())
            return await app(request)

        front.shared.app = take
        loop = asyncio.get_running_loop()
        waiting = []
        for count in range(1, 10):
            waiting.append(loop.create_task(http.post("/wait", content=b"x" * 1000)))
            await app.until_waiting(count)
        assert front.shared.budget.left == PATIENT.requests_bytes_max
        app.gate.set()
        assert {(await one).status_code for one in waiting} == {200}
    assert taken == [b"x" * 1000] * 9


async def test_who_does_not_read_gets_no_more_answers() -> None:
    """A pipeline's next request begins when the reply before it has left."""
    async with served() as (app, front):
        reader, writer = await asyncio.open_connection(*front.address)
        writer.write(post(b"", path=b"/big", close=False) * 5)
        async with client(front, http2=False) as other:  # turns of the loop pass, for others
            for _ in range(10):
                assert (await other.get("/")).status_code == 200
        big = [request for request in app.requests if request.path == "/big"]
        assert len(big) == 1
        for _ in range(5):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(BIG)) == BIG
        writer.close()


async def test_connections_have_a_limit() -> None:
    """One connection too many is closed, the others go on."""
    limits = FrontLimits(connections_max=1)
    async with served(limits) as (app, front):
        _, writer = await asyncio.open_connection(*front.address)
        writer.write(post(b"", path=b"/wait"))
        await app.until_waiting(1)
        assert await exchange(front, post(b"")) in {b"", b"<reset>"}
        assert app.waiting == 1
        writer.close()


@pytest.mark.parametrize("http2", [False, True])
async def test_graceful_close(http2: bool) -> None:
    """Requests under way are answered, new connections refused, idle ones closed."""
    async with served() as (app, front), client(front, http2=http2) as http:
        loop = asyncio.get_running_loop()
        waiting = loop.create_task(http.get("/wait"))
        await app.until_waiting(1)
        closing = loop.create_task(front.close(grace_s=5))
        await asyncio.sleep(0)
        app.gate.set()
        assert (await waiting).status_code == 200
        await closing
        with pytest.raises(httpx.TransportError):
            await http.get("/")


@pytest.mark.parametrize("http2", [False, True])
async def test_close_cuts_what_takes_too_long(http2: bool) -> None:
    """After the grace time the rest is cut."""
    async with served() as (app, front), client(front, http2=http2) as http:
        waiting = asyncio.get_running_loop().create_task(http.get("/wait"))
        await app.until_waiting(1)
        await front.close(grace_s=0)
        with pytest.raises(httpx.RequestError):
            await waiting
        assert app.waiting == 0


async def test_taken_port() -> None:
    """A port that is taken is a clear error."""
    async with served() as (_, front):
        host, port = front.address
        other = Front(EchoApp())
        with pytest.raises(FrontError, match=f"cannot listen on {host}:{port}: Address already"):
            await other.listen(host, port)
        await other.close()


async def test_reader_that_stops_reading() -> None:
    """A reply nobody reads does not fill the memory: the app is held up."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 65536

    async def app(_request: Request) -> Reply:
        return Reply(200, [], endless())

    handler: Callable[[Request], Awaitable[Reply]] = app
    front = Front(handler)
    await front.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*front.address, limit=1024)
    writer.write(post(b""))
    await reader.readexactly(1000)
    before = -1
    while before != sent:
        before = sent
        for _ in range(50):
            await asyncio.sleep(0)
    assert sent < 500
    writer.close()
    await front.close(grace_s=0)


def test_connections_that_come_at_once_are_taken_at_once() -> None:
    """By itself uvloop takes one in each turn, and turns are long under load."""

    async def main() -> None:
        async with served() as (_, front):
            loop = asyncio.get_running_loop()
            clients = [socket.create_connection(front.address) for _ in range(300)]
            turns = 0
            while front.connections < len(clients):
                await asyncio.sleep(0)
                turns += 1
                assert turns < 100
            for each in clients:
                each.setblocking(False)
                await loop.sock_sendall(each, post(b"x"))
                assert (await loop.sock_recv(each, 4096)).startswith(b"HTTP/1.1 200")
                each.close()

    uvloop.run(main())

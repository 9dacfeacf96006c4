"""HTTP/1.1 clients of every kind, and those that leave."""

from __future__ import annotations

import asyncio

import pytest

from rtour.server.front import FrontLimits
from tests.server.fronts import BIG, LIMITS, client, exchange, post, served


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"NOT HTTP\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        ((b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"0\r\n\r\nG"), 400),
        ((b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n"
         b"0\r\n\r\nG"), 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nX-A: b\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX-A: b\x01\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: h\n\n", 400),
        (b"GET / HTTP/1.1\r\nX-A: " + b"x" * 3000, 431),
        (b"GET / HTTP/1.1\r\nX-A: " + b"x" * 3000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 3000, 431),
        (b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 405),
    ],
)  # fmt: skip
async def test_broken_http(raw: bytes, status: int) -> None:
    """What is no HTTP, or might be two requests in one, is refused and the connection closed."""
    async with served(LIMITS) as (app, front):
        answer = await exchange(front, raw)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"connection: close\r\n" in answer
        assert answer.count(b"HTTP/1.1 4") == 1
        assert app.requests == []


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((b"GET / HT",), 408),
        ((b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab",), 408),
        ((b"",), None),
        ((b"PRI * HTTP/2",), None),
    ],
)
async def test_slow_clients(parts: tuple[bytes, ...], status: int | None) -> None:
    """Who starts and does not go on is told so; who never starts is cut off."""
    async with served(LIMITS) as (_, front):
        answer = await exchange(front, *parts)
        assert answer == b"" if status is None else answer.startswith(b"HTTP/1.1 408 ")


async def test_dripping_head() -> None:
    """A byte now and then does not keep a head open."""
    async with served(LIMITS) as (_, front):
        reader, writer = await asyncio.open_connection(*front.address)
        answer = asyncio.get_running_loop().create_task(reader.read())
        async with asyncio.timeout(5):
            for byte in b"GET /" + b"x" * 1000:
                if answer.done():
                    break
                writer.write(bytes([byte]))
                await asyncio.wait([answer], timeout=0.01)
            assert (await answer).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_keep_alive_and_pipelining() -> None:
    """Requests sent at once are answered in order on the same connection."""
    async with served() as (app, front):
        requests = [post(b"%d" % number, close=False) for number in range(40)]
        answer = await exchange(front, b"".join([*requests, post(b"last")]))
        assert answer.count(b"HTTP/1.1 200 OK") == 41
        bodies = [request.body for request in app.requests]
        assert bodies == [b"%d" % number for number in range(40)] + [b"last"]


async def test_every_split() -> None:
    """It does not matter how a request is cut into pieces."""
    whole = post(b"hello", path=b"/a?b=c")
    async with served() as (_, front):
        for cut in range(1, len(whole)):
            answer = await exchange(front, whole[:cut], whole[cut:])
            assert answer.endswith(b"POST /a?b=c hello")


@pytest.mark.parametrize(
    ("raw", "ends"),
    [
        (b"GET http://other/abs?y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
         b"GET /abs?y "),
        ((b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"3;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"), b"POST /? abc"),
        ((b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\n"
         b"Content-Length: 1\r\n\r\nx"), b"POST /? x"),
        (b"GET / HTTP/1.0\r\n\r\n", b"GET /? "),
    ],
)  # fmt: skip
async def test_older_habits(raw: bytes, ends: bytes) -> None:
    """Absolute targets, trailers, 100-continue and HTTP/1.0 are understood."""
    async with served() as (_, front):
        answer = await exchange(front, raw)
        assert answer.endswith(ends)
        assert answer.startswith(b"HTTP/1.1 100 ") is (b"Expect" in raw)


async def test_stream_to_http10() -> None:
    """A client that knows no chunks gets a stream that ends with the connection."""
    async with served() as (_, front):
        answer = await exchange(front, b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert len(body) == 300_000


async def test_offer_to_upgrade_is_ignored() -> None:
    """`curl --http2` offers h2c; the request is served as the HTTP/1.1 that it is."""
    head = (
        b"POST /up HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 2\r\n\r\nhi"
    )
    async with served() as (app, front):
        answer = await exchange(front, head + post(b"next"))
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert b"POST /up? hi" in answer
        assert not {b"upgrade", b"connection"} & {name for name, _ in app.requests[0].headers}


async def test_http1_client_that_leaves() -> None:
    """A client that goes away while it waits cancels its request at once."""
    async with served() as (app, front):
        for leave in (asyncio.StreamWriter.close, asyncio.StreamWriter.write_eof):
            _, writer = await asyncio.open_connection(*front.address)
            writer.write(post(b"", path=b"/wait"))
            await app.until_waiting(1)
            leave(writer)
            await app.until_waiting(0)
            writer.close()


@pytest.mark.parametrize("requests", range(1, 7))
async def test_requests_of_a_client_that_is_gone_hold_nothing(requests: int) -> None:
    """Whenever it leaves, also between two of its requests: `served` sees all bytes given back."""
    async with served() as (_, front):
        _, writer = await asyncio.open_connection(*front.address)
        writer.write(post(b"x" * 100, close=False) * requests)
        writer.close()
        async with asyncio.timeout(5):
            while not front.opened or front.connections:
                await asyncio.sleep(0)


async def test_replies_that_clients_do_not_read_are_bounded() -> None:
    """The next large one is refused, on any connection, until one of them reads or leaves."""
    limits = FrontLimits(unread_bytes_max=len(BIG) + (1 << 20))
    async with served(limits) as (_, front), client(front, http2=False) as other:
        idle = [await asyncio.open_connection(*front.address) for _ in range(2)]
        idle[0][1].write(post(b"", path=b"/big", close=False))
        await idle[0][0].readuntil(b"\r\n\r\n")
        assert front.unread_bytes > 1 << 20
        refused = await other.get("/big")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.text.endswith("repeats it with the same idempotency key.")
        assert (await other.get("/stream")).status_code == 200
        assert await idle[0][0].readexactly(len(BIG)) == BIG
        assert (await other.get("/big")).content == BIG
        assert front.unread_bytes == 0
        idle[1][1].write(post(b"", path=b"/big", close=False))
        await idle[1][0].readuntil(b"\r\n\r\n")
        assert (await other.get("/big")).status_code == 503
        idle[1][1].transport.abort()
        while front.connections > 2:
            await asyncio.sleep(0)
        assert (await other.get("/big")).status_code == 200
        idle[0][1].close()

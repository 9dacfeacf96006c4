"""A front stands up to clients of every kind, and lets go of those that leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from rtour.server.front import Front, FrontError, FrontLimits
from rtour.server.web import Reply, Request

LIMITS = FrontLimits(
    body_bytes_max=1000,
    bodies_bytes_max=4000,
    head_bytes_max=2000,
    head_timeout_s=0.05,
    body_idle_timeout_s=0.05,
    linger_timeout_s=0.05,
)
PATIENT = FrontLimits(body_bytes_max=1000, bodies_bytes_max=4000, head_bytes_max=2000)


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
    assert front.shared.bodies.take(limits.bodies_bytes_max), "bytes of bodies were lost"


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


async def test_all_bodies_together_have_a_limit() -> None:
    """More bodies at once than the server may hold are 503, and room comes back."""
    async with served() as (app, front), client(front, http2=True) as http:
        loop = asyncio.get_running_loop()
        body = b"x" * 1000
        held = [loop.create_task(exchange(front, post(body, path=b"/wait"))) for _ in range(4)]
        await app.until_waiting(4)
        assert (await http.post("/", content=body)).status_code == 503
        app.gate.set()
        assert all([(await one).startswith(b"HTTP/1.1 200") for one in held])
        assert (await http.post("/", content=body)).status_code == 200


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


Step = Callable[[h2.connection.H2Connection, asyncio.StreamWriter], None]


async def h2_client(front: Front) -> tuple[h2.connection.H2Connection, asyncio.StreamWriter]:
    _, writer = await asyncio.open_connection(*front.address)
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    return connection, writer


def h2_request(connection: h2.connection.H2Connection, path: str, *, end: bool = True) -> int:
    stream_id = connection.get_next_available_stream_id()
    fields = [(":method", "POST"), (":path", path), (":scheme", "http"), (":authority", "h")]
    connection.send_headers(stream_id, fields, end_stream=end)
    return stream_id


async def test_http2_client_that_leaves() -> None:
    """A reset stream and a lost connection cancel what they were waiting for."""
    async with served() as (app, front):
        connection, writer = await h2_client(front)
        first = h2_request(connection, "/wait")
        h2_request(connection, "/wait")
        writer.write(connection.data_to_send())
        await app.until_waiting(2)
        connection.reset_stream(first)
        writer.write(connection.data_to_send())
        await app.until_waiting(1)
        writer.close()
        await app.until_waiting(0)


async def test_many_streams_at_once() -> None:
    """Two hundred requests wait on one connection, and all are answered."""
    async with served() as (app, front):
        reader, writer = await asyncio.open_connection(*front.address)
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        for _ in range(100):  # what a client may open before it has seen our settings
            h2_request(connection, "/wait")
        writer.write(connection.data_to_send())
        await app.until_waiting(100)
        connection.receive_data(await reader.read(65536))
        for _ in range(100):
            h2_request(connection, "/wait")
        writer.write(connection.data_to_send())
        await app.until_waiting(200)
        app.gate.set()
        ended = 0
        async with asyncio.timeout(5):
            while ended < 200:
                events = connection.receive_data(await reader.read(65536))
                ended += sum(isinstance(event, h2.events.StreamEnded) for event in events)
        writer.close()


async def test_slow_http2_body() -> None:
    """A stream whose body stops is reset; the others of its connection go on."""
    async with served(LIMITS) as (app, front):
        reader, writer = await asyncio.open_connection(*front.address)
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        slow = h2_request(connection, "/", end=False)
        connection.send_data(slow, b"part")
        h2_request(connection, "/wait")
        writer.write(connection.data_to_send())
        seen: list[h2.events.Event] = []
        async with asyncio.timeout(5):
            while not any(isinstance(event, h2.events.StreamReset) for event in seen):
                seen += connection.receive_data(await reader.read(65536))
        assert app.waiting == 1
        writer.close()


@pytest.mark.parametrize(
    "frames",
    [
        b"\x00\x00\x04\x03\x00\x00\x00\x00\x00\x00\x00\x00\x08",  # RST_STREAM of stream 0
        b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",  # a frame of 16 MiB
        b"\x00\x00\x05\x00\x00\x00\x00\x00\x01hello",  # DATA before HEADERS
        b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\xff",  # HEADERS that HPACK cannot read
    ],
)
async def test_broken_http2(frames: bytes) -> None:
    """A connection that breaks HTTP/2 is closed."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    async with served() as (app, front):
        await exchange(front, preface + frames)
        assert app.requests == []


async def test_rapid_resets() -> None:
    """A flood of requests that are reset at once ends the connection, not the server."""
    async with served() as (app, front):
        reader, writer = await asyncio.open_connection(*front.address)
        config = h2.config.H2Configuration(client_side=True)
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        for _ in range(3000):
            connection.reset_stream(h2_request(connection, "/wait"))
        writer.write(connection.data_to_send())
        async with asyncio.timeout(10):
            try:
                while await reader.read(65536):
                    pass
            except ConnectionResetError:
                pass
        writer.close()
        await app.until_waiting(0)


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

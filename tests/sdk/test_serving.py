"""The built-in server, over real sockets: h2c and HTTP/1.1 on one port, and a graceful end."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import ngh2
import pytest

import rtour
from rtour.protocol import messages as m
from rtour.protocol.framing import Decoder, decode, encode
from rtour.sdk.endpoint import Endpoint
from rtour.sdk.serving import Listener
from tests.sdk.playbook import ID

service = rtour.Service("S")
INVOCATION = b"application/vnd.restate.invocation.v6"
OPENING = encode(m.Start(ID, "inv_1", 1), 6) + encode(m.Input(value=b'"Ada"'), 6)
WOKEN = encode(m.Notification(m.MessageType.SIGNAL, 17, m.Value(b'"woken"')), 6)


@service.handler()
async def greet(ctx: rtour.Context, name: str) -> str:
    return f"Hello {name}"


@service.handler()
async def waits(ctx: rtour.Context) -> str:
    return await ctx.awakeable(type_hint=str)[1]


gates: list[asyncio.Event] = []


@service.handler()
async def works(ctx: rtour.Context) -> str:
    """Works outside, as a request to somebody else would."""
    await gates[-1].wait()
    return "worked"


def listening() -> socket.socket:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.setblocking(False)
    return bound


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A running server of the service."""
    bound = listening()
    number = int(bound.getsockname()[1])
    listener = Listener(Endpoint().bind(service))
    await listener.start(bound)
    yield number
    await listener.stop(grace_s=0)


@pytest.mark.parametrize("versions", [{"http1": True}, {"http1": False, "http2": True}])
async def test_both_protocols_on_one_port(port: int, versions: dict[str, bool]) -> None:
    """Requests are answered over either; keep-alive serves several."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", **versions) as client:
        for _ in range(3):
            assert (await client.get("/health")).json() == {"status": "ok"}
        discovered = await client.get("/discover")
        expected = "BIDI_STREAM" if versions.get("http2") else "REQUEST_RESPONSE"
        assert discovered.json()["protocolMode"] == expected
        # Over HTTP/2 it names itself, so that servers stay with it.
        assert discovered.headers.get("server") == ("rtour" if versions.get("http2") else None)
        assert (await client.get("/nothing")).status_code == 404


async def test_http1_invocation(port: int) -> None:
    """A whole request, a chunked answer."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.post(
            "/invoke/S/greet", content=OPENING, headers={"content-type": INVOCATION.decode()}
        )
    assert answer.headers["transfer-encoding"] == "chunked"
    assert frames(answer.content) == [m.Output(m.Value(b'"Hello Ada"')), m.End()]


async def test_http1_streams_both_ways(port: int) -> None:
    """The answer begins while the request is open, and uses what comes later."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /invoke/S/waits HTTP/1.1\r\nhost: x\r\ncontent-type: %b\r\n"
        b"transfer-encoding: chunked\r\n\r\n" % INVOCATION
    )
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    opening = encode(m.Start(ID, "inv_1", 1), 6) + encode(m.Input(), 6)
    for chunk in (opening, WOKEN, b""):
        writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
    assert b"woken" in await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
    writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert b'{"status":"ok"}' in await reader.read()
    writer.close()


async def test_http1_garbage_is_refused(port: int) -> None:
    """What is no HTTP gets 400 and a closed connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello there\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_http1_headers_have_a_limit(port: int) -> None:
    """A client cannot fill the memory with headers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\n" + b"x: %b\r\n" % (b"y" * 1000) * 100 + b"\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    """A request that comes early waits for its turn."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    opening = b"%x\r\n%b\r\n0\r\n\r\n" % (len(OPENING), OPENING)
    writer.write(
        b"POST /invoke/S/greet HTTP/1.1\r\nhost: x\r\ncontent-type: %b\r\n"
        b"transfer-encoding: chunked\r\n\r\n%b" % (INVOCATION, opening)
    )
    await asyncio.sleep(0)
    writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answers = await asyncio.wait_for(reader.read(), 5)
    assert answers.index(b"Hello Ada") < answers.index(b'"ok"')
    writer.close()


# --- HTTP/2 streams ------------------------------------------------------------------------------


class Streams:
    """A hand-driven HTTP/2 client, as Restate's server is one."""

    def __init__(self) -> None:
        self.http = ngh2.Connection(ngh2.Role.CLIENT)
        self.bodies: dict[int, bytes] = {}
        self.closed: dict[int, int] = {}
        self.begun: set[int] = set()
        self.going_away = False

    async def connect(self, port: int) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self.http.initiate_connection()

    def invoke(self, handler: str, body: bytes) -> int:
        stream = self.http.send_request(
            [
                (b":method", b"POST"),
                (b":scheme", b"http"),
                (b":authority", b"x"),
                (b":path", f"/invoke/S/{handler}".encode()),
                (b"content-type", INVOCATION),
            ]
        )
        self.bodies[stream] = b""
        self.http.send_data(stream, body)
        return stream

    async def until(self, condition: Any) -> None:
        """Exchange bytes until the condition holds."""
        async with asyncio.timeout(5):
            while True:
                self._writer.write(self.http.data_to_send())
                if condition():
                    return
                self._read(await self._reader.read(65536))

    def _read(self, data: bytes) -> None:
        assert data, "the connection was closed"
        self.http.receive_data(data)
        for event in self.http.events():
            if isinstance(event, ngh2.DataReceived):
                self.bodies[event.stream_id] += event.data
            elif isinstance(event, ngh2.ResponseReceived):
                self.begun.add(event.stream_id)
            elif isinstance(event, ngh2.StreamClosed):
                self.closed[event.stream_id] = event.error_code
            elif isinstance(event, ngh2.GoAwayReceived):
                self.going_away = True

    def close(self) -> None:
        self._writer.close()


def frames(body: bytes) -> list[m.Message]:
    decoder = Decoder()
    decoder.feed(body)
    found = []
    while (frame := decoder.next_frame()) is not None:
        found.append(decode(frame.type, frame.payload, 6))
    return found


async def test_many_streams_on_one_connection(port: int) -> None:
    """Hundreds of attempts at a time, each ended by both sides without error."""
    client = Streams()
    await client.connect(port)
    streams = [client.invoke("greet", OPENING) for _ in range(100)]
    await client.until(lambda: all(m.End() in frames(client.bodies[s]) for s in streams))
    assert not client.closed
    for stream in streams:
        client.http.end_stream(stream)
    await client.until(lambda: len(client.closed) == len(streams))
    assert set(client.closed.values()) == {0}
    client.close()


async def test_large_outputs_pass_through_small_windows(port: int) -> None:
    """Flow control delays, and loses nothing."""
    client = Streams()
    await client.connect(port)
    name = "x" * 1_000_000
    opening = encode(m.Start(ID, "inv_1", 1), 6) + encode(
        m.Input(value=json.dumps(name).encode()), 6
    )
    stream = client.invoke("greet", opening)
    client.http.end_stream(stream)
    await client.until(lambda: stream in client.closed)
    output = frames(client.bodies[stream])[0]
    assert output == m.Output(m.Value(json.dumps(f"Hello {name}").encode()))
    client.close()


async def test_a_reset_stream_leaves_the_others_alone(port: int) -> None:
    """Restate kills an attempt by resetting its stream."""
    client = Streams()
    await client.connect(port)
    killed = client.invoke("waits", OPENING)
    await client.until(lambda: killed in client.begun)
    client.http.reset_stream(killed)
    other = client.invoke("greet", OPENING)
    await client.until(lambda: m.End() in frames(client.bodies[other]))
    assert frames(client.bodies[other])[0] == m.Output(m.Value(b'"Hello Ada"'))
    assert client.bodies[killed] == b""
    client.close()


async def test_stopping_suspends_what_waits() -> None:
    """A handler that waits gives its place back at once; the server resumes it elsewhere."""
    bound = listening()
    listener = Listener(Endpoint().bind(service))
    await listener.start(bound)
    client = Streams()
    await client.connect(bound.getsockname()[1])
    opening = encode(m.Start(ID, "inv_1", 1), 6) + encode(m.Input(), 6)
    stream = client.invoke("waits", opening)
    await client.until(lambda: stream in client.begun)
    stopping = asyncio.get_running_loop().create_task(listener.stop())
    await client.until(lambda: bool(frames(client.bodies[stream])))
    waiting = m.Future(signals=(17, 1), combinator=m.Combinator.FIRST_COMPLETED)
    assert frames(client.bodies[stream]) == [m.Suspension(waiting)]
    client.http.end_stream(stream)
    await client.until(lambda: stream in client.closed)
    await asyncio.wait_for(stopping, 5)
    client.close()


async def test_stopping_lets_attempts_finish() -> None:
    """No new requests are taken, those at work end, then the connection closes."""
    bound = listening()
    listener = Listener(Endpoint().bind(service))
    await listener.start(bound)
    client = Streams()
    await client.connect(bound.getsockname()[1])
    opening = encode(m.Start(ID, "inv_1", 1), 6) + encode(m.Input(), 6)
    gates.append(asyncio.Event())
    stream = client.invoke("works", opening)
    await client.until(lambda: stream in client.begun)
    stopping = asyncio.get_running_loop().create_task(listener.stop())
    await client.until(lambda: client.going_away)
    assert not stopping.done()
    gates[-1].set()
    await client.until(lambda: bool(frames(client.bodies[stream])))
    client.http.end_stream(stream)
    await client.until(lambda: stream in client.closed)
    assert frames(client.bodies[stream])[0] == m.Output(m.Value(b'"worked"'))
    await asyncio.wait_for(stopping, 5)
    client.close()


async def test_stopping_does_not_wait_for_ever() -> None:
    """After its grace the server resets what is left; Restate retries it."""
    bound = listening()
    listener = Listener(Endpoint().bind(service))
    await listener.start(bound)
    client = Streams()
    await client.connect(bound.getsockname()[1])
    opening = encode(m.Start(ID, "inv_1", 1), 6) + encode(m.Input(), 6)
    gates.append(asyncio.Event())
    stream = client.invoke("works", opening)
    await client.until(lambda: stream in client.begun)
    await asyncio.wait_for(listener.stop(grace_s=0.01), 5)
    await client.until(lambda: stream in client.closed)
    assert client.closed[stream] != 0, "a reset, not an end"
    client.close()

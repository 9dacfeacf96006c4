"""The official Python SDK on hypercorn, driven by hand over each mode, with hypercorn's limits."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import pytest
import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

from rtour.protocol.framing import Decoder
from rtour.server.transport import Endpoint, HttpTransport, fetch

from .conftest import MakeTransport

# service-protocol.md §8.1: Start (one known entry) and Input "bob"
START_AND_INPUT = bytes.fromhex(
    "0000000000000028 0a180102030405060708090a0b0c0d0e0f101112131415161718"
    "1208696e765f316462671801482a 0400000000000009 72070a0522626f6222"
)
OUTPUT_HELLO_BOB = bytes.fromhex("720d0a0b2248656c6c6f20626f6222")
ACK_OF_RUN_1 = bytes.fromhex("0007000000000002 0801")
OUTPUT, END, SUSPENSION, RUN, PROPOSE_RUN = 0x0401, 0x0003, 0x0001, 0x0411, 0x0005

greeter = restate.Service("Greeter")


@greeter.handler()
async def greet(ctx: restate.Context, name: str) -> str:
    return f"Hello {name}"


@greeter.handler()
async def side(ctx: restate.Context, name: str) -> str:
    async def effect() -> str:
        return "r1"

    return await ctx.run_typed("side", effect)


@pytest.fixture
async def sdk() -> AsyncIterator[str]:
    """Serve the SDK in this process and return its address."""
    logging.getLogger("hypercorn.error").setLevel(logging.CRITICAL)
    listener = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.errorlog = None
    stop = asyncio.Event()
    app = restate.app([greeter])
    server = asyncio.get_running_loop().create_task(serve(app, config, shutdown_trigger=stop.wait))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop.set()
    async with asyncio.timeout(10):
        await server
    listener.detach()


def headers(version: int) -> list[tuple[str, str]]:
    content_type = f"application/vnd.restate.invocation.v{version}"
    return [
        ("content-type", content_type),
        ("accept", content_type),
        ("x-restate-invocation-id", "inv_1dbg"),
    ]


async def invoke(
    transport: HttpTransport, endpoint: Endpoint, handler: str, *, end: bool = False
) -> list[tuple[int, bytes]]:
    """Drive one invocation as a server does: ack runs, close after the terminal frame."""
    version = 7 if handler == "side" else 6
    exchange = await transport.open(
        endpoint, f"/invoke/Greeter/{handler}", headers(version), body=START_AND_INPUT, end=end
    )
    head = await exchange.head()
    assert (head.status, head.headers["content-type"]) == (200, headers(version)[0][1])
    decoder = Decoder()
    frames: list[tuple[int, bytes]] = []
    while data := await exchange.receive():
        decoder.feed(data)
        while (frame := decoder.next_frame()) is not None:
            frames.append((frame.type, frame.payload))
            if frame.type == PROPOSE_RUN and not end:
                exchange.send(ACK_OF_RUN_1)
            if frame.type in {END, SUSPENSION}:
                exchange.end_request()
    return frames


@pytest.mark.parametrize(
    ("version", "mode"), [("HTTP/2.0", "BIDI_STREAM"), ("HTTP/1.1", "REQUEST_RESPONSE")]
)
async def test_discovery(make_h2_transport: MakeTransport, sdk: str, version, mode: str) -> None:
    """The manifest comes over either HTTP version."""
    manifest = "application/vnd.restate.endpointmanifest.v3+json"
    head, body = await fetch(
        make_h2_transport(),
        Endpoint(sdk, version),
        "/discover",
        [("accept", manifest)],
        timeout_s=5,
        max_bytes=1 << 20,
    )
    assert (head.status, head.headers["content-type"]) == (200, manifest)
    assert mode.encode() in body


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/1.1"])
@pytest.mark.parametrize("end", [False, True], ids=["duplex", "complete"])
async def test_one_invocation(
    make_h2_transport: MakeTransport, sdk: str, version, end: bool
) -> None:
    """Output and End arrive whether or not the request stays open."""
    frames = await invoke(make_h2_transport(), Endpoint(sdk, version), "greet", end=end)
    assert frames == [(OUTPUT, OUTPUT_HELLO_BOB), (END, b"")]


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/1.1"])
async def test_a_run_is_acknowledged_in_the_middle(
    make_h2_transport: MakeTransport, sdk: str, version
) -> None:
    """A frame sent after the response began reaches the SDK: full duplex on both versions."""
    endpoint = Endpoint(sdk, version)
    frames = await invoke(make_h2_transport(), endpoint, "side")
    kinds = [kind for kind, _ in frames]
    assert kinds[:2] == [RUN, PROPOSE_RUN]
    assert kinds[-2:] == [OUTPUT, END]
    frames = await invoke(make_h2_transport(), endpoint, "side", end=True)
    assert frames[-1][0] == SUSPENSION


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/1.1"])
async def test_more_at_once_than_hypercorn_bears(
    make_transport: MakeTransport, sdk: str, version
) -> None:
    """Above 100 streams hypercorn kills a connection; spread over several all succeed."""
    transport = make_transport()
    endpoint = Endpoint(sdk, version)
    outcomes = await asyncio.gather(*(invoke(transport, endpoint, "greet") for _ in range(220)))
    assert [frames[0][1] for frames in outcomes] == [OUTPUT_HELLO_BOB] * 220


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/1.1"])
async def test_more_in_a_row_than_hypercorn_bears(
    make_transport: MakeTransport, sdk: str, version
) -> None:
    """After 1 000 requests hypercorn drops a connection and what runs on it; nothing is lost."""
    transport = make_transport()
    endpoint = Endpoint(sdk, version)

    async def run(count: int) -> None:
        for _ in range(count):
            assert (await invoke(transport, endpoint, "greet"))[0][1] == OUTPUT_HELLO_BOB

    await asyncio.gather(*(run(275) for _ in range(4)))


async def test_a_connection_hypercorn_closed_while_idle(
    make_transport: MakeTransport, sdk: str
) -> None:
    """A connection the server closed between two requests is replaced without a sign."""
    transport = make_transport()
    for version in ("HTTP/2.0", "HTTP/1.1"):
        endpoint = Endpoint(sdk, version)
        assert await invoke(transport, endpoint, "greet")
    for pool in transport._pools.values():
        for connection in pool._open:
            connection._transport.abort()
    for version in ("HTTP/2.0", "HTTP/1.1"):
        assert await invoke(transport, Endpoint(sdk, version), "greet")

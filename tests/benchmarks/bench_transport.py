"""Client CPU per small exchange with a deployment, by codec, against httpx.

    python tests/benchmarks/bench_transport.py [--exchanges 20000] [--concurrency 32]

The server is a child process that answers the way SDKs do: head first, 30 bytes per message, the
end of the response after the end of the request. Only this process' CPU time is counted; rates
share the machine with the server and mean little.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable

import httptools
import httpx
import ngh2
import uvloop

from rtour.server.transport import Endpoint, HttpTransport
from rtour.server.transport.codec_h2 import HyperH2Codec
from rtour.server.transport.codec_ngh2 import Ngh2Codec

CONTENT_TYPE = "application/vnd.restate.invocation.v6"
MESSAGE = b"x" * 65
ANSWER = b"y" * 30
HEADERS = [("content-type", CONTENT_TYPE), ("accept", CONTENT_TYPE)]
RESPONSE_HEADERS = [
    (b":status", b"200"),
    (b"content-type", CONTENT_TYPE.encode()),
    (b"x-restate-server", b"bench/1"),
]


class H2Server(asyncio.Protocol):
    """An HTTP/2 server with prior knowledge."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.connection = ngh2.Connection(ngh2.Role.SERVER)
        self.connection.initiate_connection({ngh2.Setting.MAX_CONCURRENT_STREAMS: 100})

    def data_received(self, data: bytes) -> None:
        connection = self.connection
        connection.receive_data(data)
        for event in connection.events():
            if isinstance(event, ngh2.RequestReceived):
                connection.send_response(event.stream_id, RESPONSE_HEADERS)
            elif isinstance(event, ngh2.DataReceived):
                if event.data:
                    connection.send_data(event.stream_id, ANSWER)
                if event.end_stream:
                    connection.end_stream(event.stream_id)
        self.transport.write(connection.data_to_send())


class H1Server(asyncio.Protocol):
    """A keep-alive HTTP/1.1 server, full duplex."""

    HEAD = (
        b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nx-restate-server: bench/1\r\n"
        b"transfer-encoding: chunked\r\n\r\n" % CONTENT_TYPE.encode()
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.out: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)
        self.transport.write(b"".join(self.out))
        self.out.clear()

    def on_headers_complete(self) -> None:
        self.out.append(self.HEAD)

    def on_body(self, body: bytes) -> None:
        self.out.append(b"%x\r\n%b\r\n" % (len(ANSWER), ANSWER))

    def on_message_complete(self) -> None:
        self.out.append(b"0\r\n\r\n")


async def serve() -> None:
    """Print both ports, then serve until the benchmark closes our input."""
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(protocol, "127.0.0.1", 0) for protocol in (H2Server, H1Server)
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.to_thread(sys.stdin.read)


Exchange = Callable[[str], Awaitable[None]]


def ours(transport: HttpTransport, endpoint: Endpoint, *, end: bool) -> Exchange:
    """One exchange over rtour's transport."""

    async def exchange(invocation_id: str) -> None:
        it = await transport.open(
            endpoint,
            "/invoke/Greeter/greet",
            [*HEADERS, ("x-restate-invocation-id", invocation_id)],
            body=MESSAGE,
            end=end,
        )
        assert (await it.head()).status == 200
        received = len(await it.receive())
        it.end_request()
        while data := await it.receive():
            received += len(data)
        assert received == len(ANSWER)

    return exchange


def theirs(client: httpx.AsyncClient, endpoint: Endpoint) -> Exchange:
    """One exchange over httpx, which sends the whole body before it reads."""

    async def exchange(invocation_id: str) -> None:
        response = await client.post(
            f"{endpoint.uri}/invoke/Greeter/greet",
            headers=[*HEADERS, ("x-restate-invocation-id", invocation_id)],
            content=MESSAGE,
        )
        assert response.content == ANSWER

    return exchange


async def measure(exchange: Exchange, exchanges: int, concurrency: int) -> tuple[float, float]:
    """Return CPU µs per exchange and exchanges per second."""

    async def run(first: int, count: int) -> None:
        for n in range(first, first + count):
            await exchange(f"inv_1jQ2jrgLYm057cPGjNoLgUUtxmIyM{n:06d}")

    async def all_of(total: int) -> None:
        each = total // concurrency
        await asyncio.gather(*(run(n * each, each) for n in range(concurrency)))

    await all_of(max(concurrency, exchanges // 10))
    gc.collect()
    gc.freeze()  # as the server does when it has started
    cpu, wall = time.process_time(), time.perf_counter()
    await all_of(exchanges)
    done = exchanges // concurrency * concurrency
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu / done * 1e6, done / wall


async def compare(exchanges: int, concurrency: int) -> None:
    """Measure every client against the child's servers and print a table."""
    child = await asyncio.create_subprocess_exec(
        *("timeout", "300", sys.executable, __file__, "--serve"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    h2_port, h1_port = (await child.stdout.readline()).split()
    h2c = Endpoint(f"http://127.0.0.1:{int(h2_port)}")
    h1 = Endpoint(f"http://127.0.0.1:{int(h1_port)}", "HTTP/1.1")
    fast, slow = HttpTransport(codec_factory=Ngh2Codec), HttpTransport(codec_factory=HyperH2Codec)
    async with (
        httpx.AsyncClient(http1=False, http2=True) as httpx_h2,
        httpx.AsyncClient() as httpx_h1,
    ):
        rows = [
            ("ngh2 h2c duplex", ours(fast, h2c, end=False), exchanges),
            ("ngh2 h2c complete", ours(fast, h2c, end=True), exchanges),
            ("h1 chunked duplex", ours(fast, h1, end=False), exchanges),
            ("h1 content-length", ours(fast, h1, end=True), exchanges),
            ("h2 h2c duplex", ours(slow, h2c, end=False), exchanges // 5),
            ("httpx h2c", theirs(httpx_h2, h2c), exchanges // 40),
            ("httpx h1", theirs(httpx_h1, h1), exchanges // 40),
        ]
        first = 0.0
        for name, exchange, count in rows:
            cpu_us, rate = await measure(exchange, count, concurrency)
            first = first or cpu_us
            print(f"{name:20} {cpu_us:8.1f} µs CPU {rate:8.0f}/s   x{cpu_us / first:5.1f}")
    await fast.close()
    await slow.close()
    child.stdin.close()
    await child.wait()


def main() -> None:
    """Run the comparison, or the server it starts."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--exchanges", type=int, default=20_000)
    options.add_argument("--concurrency", type=int, default=32)
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    work = serve() if chosen.serve else compare(chosen.exchanges, chosen.concurrency)
    gc.set_threshold(50_000, 50, 50)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


if __name__ == "__main__":
    main()

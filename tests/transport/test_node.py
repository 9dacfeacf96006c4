"""Node's HTTP stack, which most TypeScript services run on; skipped where node is missing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest

from rtour.server.transport import Endpoint, Http1Only

from .conftest import MakeTransport
from .peers import read_all

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")

ECHO = """
const http = require('http'), http2 = require('http2');
const echo = (request, response) => {
  response.writeHead(200, {'x-version': request.httpVersion});
  request.on('data', (data) => response.write(data));
  request.on('end', () => response.end());
};
const servers = [http2.createServer(echo), http.createServer(echo)];
Promise.all(servers.map((s) => new Promise((done) => s.listen(0, '127.0.0.1', done)))).then(
  () => console.log(servers.map((s) => s.address().port).join(' ')));
setTimeout(() => process.exit(1), 60000);
"""


@pytest.fixture
async def node() -> AsyncIterator[dict[str, Endpoint]]:
    """Run an h2c and an HTTP/1.1 echo server in one node process."""
    process = await asyncio.create_subprocess_exec(
        str(NODE), "-e", ECHO, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        ports = (await process.stdout.readline()).split()
    yield {
        version: Endpoint(f"http://127.0.0.1:{int(port)}", version)
        for version, port in zip(("HTTP/2.0", "HTTP/1.1"), ports, strict=True)
    }
    process.kill()
    await process.wait()


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/1.1"])
async def test_duplex_with_node(
    make_h2_transport: MakeTransport, node: dict[str, Endpoint], version: str
) -> None:
    """Messages go back and forth, many exchanges at once, and large bodies pass."""
    transport = make_h2_transport()

    async def converse(name: bytes) -> bytes:
        exchange = await transport.open(node[version], "/invoke/S/h", [], body=name)
        assert (await exchange.head()).headers["x-version"] == version.removeprefix("HTTP/")
        assert await exchange.receive() == name
        exchange.send(b"more")
        assert await exchange.receive() == b"more"
        exchange.send(bytes(400_000))
        exchange.end_request()
        return b"%d" % len(await read_all(exchange))

    outcomes = await asyncio.gather(*(converse(b"%d" % n) for n in range(20)))
    assert outcomes == [b"400000"] * 20


async def test_wrong_version_with_node(
    make_h2_transport: MakeTransport, node: dict[str, Endpoint]
) -> None:
    """HTTP/2 towards node's HTTP/1.1 server is recognised for what it is."""
    endpoint = Endpoint(node["HTTP/1.1"].uri, "HTTP/2.0")
    with pytest.raises(Http1Only):  # by `open` or by `head`, whichever comes to know
        await (await make_h2_transport().open(endpoint, "/", [])).head()

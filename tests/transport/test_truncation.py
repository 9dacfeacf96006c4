"""A response cut after any number of bytes is an error, never a shorter response."""

from __future__ import annotations

import hpack
import pytest

from rtour.server.transport import Endpoint, TransportError

from .conftest import MakeTransport
from .peers import OK, SETTINGS, Wire, frame, peer, read_all

HTTP1_CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
)
HTTP1_LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nonetwo"
HTTP2 = (
    SETTINGS
    + frame(0x4, 0x1, 0)
    + frame(0x1, 0x4, 1, hpack.Encoder().encode(OK))
    + frame(0x0, 0, 1, b"one")
    + frame(0x0, 0x1, 1, b"two")
)


@pytest.mark.parametrize(
    ("version", "response"),
    [("HTTP/1.1", HTTP1_CHUNKED), ("HTTP/1.1", HTTP1_LENGTH), ("HTTP/2.0", HTTP2)],
    ids=["chunked", "content-length", "http2"],
)
async def test_cut_anywhere(
    make_h2_transport: MakeTransport, version: str, response: bytes
) -> None:
    """Only the whole response is taken for one; connections and exchanges are all freed."""
    request_end = frame(0x0, 0x1, 1, b"x") if version == "HTTP/2.0" else b"\r\n\r\nx"

    async def script(wire: Wire) -> None:
        await wire.reader.readuntil(request_end)
        wire.write(response[: wire.index])

    async with peer(script) as it:
        transport = make_h2_transport()
        endpoint = Endpoint(it.http1.uri, version)
        for cut in range(len(response)):
            with pytest.raises(TransportError):
                await read_all(await transport.open(endpoint, "/", [], body=b"x", end=True))
            assert len(it.wires) == cut + 1, "each cut meets one connection"
        whole = await transport.open(endpoint, "/", [], body=b"x", end=True)
        assert await read_all(whole) == b"onetwo"
        await it.all_closed()

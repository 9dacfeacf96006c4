"""Fixtures: transports that must leave nothing behind."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from rtour.server.transport import HttpTransport, TransportLimits
from rtour.server.transport.codec import CodecFactory
from rtour.server.transport.codec_h2 import HyperH2Codec
from rtour.server.transport.codec_ngh2 import Ngh2Codec

MakeTransport = Callable[..., HttpTransport]


@pytest.fixture(
    scope="module",
    params=[asyncio.DefaultEventLoopPolicy(), uvloop.EventLoopPolicy()],
    ids=["asyncio", "uvloop"],
)
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Run every test on both event loops: their timing differs, and with it what races show."""
    return request.param


@pytest.fixture(params=[Ngh2Codec, HyperH2Codec], ids=["ngh2", "h2"])
def codec(request: pytest.FixtureRequest) -> CodecFactory:
    """Each HTTP/2 codec in turn."""
    return request.param


async def _transports(codec: CodecFactory) -> AsyncIterator[MakeTransport]:
    made: list[HttpTransport] = []
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def make(*, tls: ssl.SSLContext | None = None, **limits: float) -> HttpTransport:
        transport = HttpTransport(limits=TransportLimits(**limits), tls=tls, codec_factory=codec)
        made.append(transport)
        return transport

    yield make
    for transport in made:
        await transport.close()
        assert transport.connection_count == 0, "connections outlive the transport"
    assert not complaints, complaints


@pytest.fixture
async def make_h2_transport(codec: CodecFactory) -> AsyncIterator[MakeTransport]:
    """Make transports for HTTP/2 tests, once per codec."""
    async for make in _transports(codec):
        yield make


@pytest.fixture
async def make_transport() -> AsyncIterator[MakeTransport]:
    """Make transports where the HTTP/2 codec does not matter."""
    async for make in _transports(Ngh2Codec):
        yield make

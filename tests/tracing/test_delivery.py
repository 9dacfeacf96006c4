"""Batches reach real collectors over gRPC and HTTP, and every refusal is told for what it is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager

import grpc
import pytest

from rtour.server.trace_context import SpanContext
from rtour.server.tracing.delivery import (
    BadTracingEndpoint,
    Delivery,
    _grpc_answer,
    destination,
    pairs,
)
from rtour.server.tracing.exporter import Undelivered
from rtour.server.tracing.spans import Span
from rtour.server.transport import HttpTransport, ResponseHead
from rtour.server.transport.codec import CodecFactory, default_codec
from rtour.server.transport.codec_h2 import HyperH2Codec
from tests.tracing.collector import Collected, grpc_collector, http_collector

SPAN = Span(SpanContext(b"t" * 16, b"s" * 8), "work", 1, 2)
Start = Callable[[], AbstractContextManager[Collected]]


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    transport = HttpTransport()
    yield transport
    await transport.close()


def delivery(uri: str, transport: HttpTransport, headers: str = "") -> Delivery:
    return Delivery(destination(uri), pairs(headers), (("service.name", "x"),), "1.0", transport)


@pytest.mark.parametrize(
    ("start", "scheme"),
    [
        (grpc_collector, "http"),
        (grpc_collector, "grpc"),
        (http_collector, "otlp+http"),
        (http_collector, "otlp+json+http"),
    ],
)
async def test_spans_arrive(start: Start, scheme: str, transport: HttpTransport) -> None:
    """Over every transport, with the headers that were configured."""
    with start() as collected:
        uri = f"{scheme}://{collected.uri.rpartition('//')[2]}"
        deliver = delivery(uri, transport, "authorization=Bearer%20x, tenant=t")
        for _ in range(2):
            assert await deliver([deliver.encode(SPAN)] * 2) == (0, "")
    assert [span.name for span in collected.spans] == ["work"] * 4
    assert collected.spans[0].resource == {"service.name": "x"}
    headers = collected.headers[0]
    assert (headers["authorization"], headers["tenant"]) == ("Bearer x", "t")
    assert headers.get(":path", "/v1/traces") == "/v1/traces"


@pytest.mark.parametrize("start", [grpc_collector, http_collector])
async def test_refused_spans_are_reported(start: Start, transport: HttpTransport) -> None:
    """A collector may take a batch in part."""
    with start() as collected:
        collected.refused = 1
        deliver = delivery(collected.uri, transport)
        assert await deliver([deliver.encode(SPAN)] * 2) == (1, "too old")


@pytest.mark.parametrize(
    ("start", "rejecting", "again", "says"),
    [
        (grpc_collector, grpc.StatusCode.UNAVAILABLE, True, "gRPC status 14: not today"),
        (grpc_collector, grpc.StatusCode.UNAUTHENTICATED, False, "gRPC status 16: not today"),
        (http_collector, 503, True, "HTTP status 503: not today"),
        (http_collector, 401, False, "HTTP status 401: not today"),
    ],
)
async def test_a_refusal_says_whether_to_try_again(
    start: Start, rejecting: object, again: bool, says: str, transport: HttpTransport
) -> None:
    """An overloaded collector may take the batch later, one that knows us not will not."""
    with start() as collected:
        collected.rejecting = rejecting
        deliver = delivery(collected.uri, transport)
        with pytest.raises(Undelivered) as refused:
            await deliver([deliver.encode(SPAN)])
    assert (str(refused.value), refused.value.again) == (says, again)


@pytest.mark.parametrize("codec", [default_codec, HyperH2Codec])
async def test_a_refusal_behind_the_head_is_seen(codec: CodecFactory) -> None:
    """A gRPC server may say how a call went in trailers alone, as proxies do."""
    with grpc_collector() as collected:
        transport = HttpTransport(codec_factory=codec)
        collected.late, collected.rejecting = True, grpc.StatusCode.RESOURCE_EXHAUSTED
        deliver = delivery(collected.uri, transport)
        with pytest.raises(Undelivered) as refused:
            await deliver([deliver.encode(SPAN)])
        await transport.close()
    assert (str(refused.value), refused.value.again) == ("gRPC status 8: not today", True)


def test_an_answer_without_a_status_is_none() -> None:
    """A call that broke off may have taken the spans or not: it is tried again."""
    head = ResponseHead(200, {"content-type": "application/grpc"})
    with pytest.raises(Undelivered, match="before its status") as refused:
        _grpc_answer(head, b"\0\0\0\0\0")
    assert refused.value.again


async def test_nobody_there_is_said_so(transport: HttpTransport) -> None:
    """A closed port is a reason to try later."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        deliver = delivery(f"http://127.0.0.1:{taken.getsockname()[1]}", transport)
        with pytest.raises(Undelivered) as refused:
            await deliver([])
    assert refused.value.again


async def test_a_silent_collector_is_given_up(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes the request and never answers costs no more than the limit."""
    monkeypatch.setattr("rtour.server.tracing.delivery.TIMEOUT_S", 0.1)
    server = await asyncio.start_server(lambda *_: asyncio.Event().wait(), "127.0.0.1", 0)
    async with server:
        for scheme in ("http", "otlp+http"):
            port = server.sockets[0].getsockname()[1]
            deliver = delivery(f"{scheme}://127.0.0.1:{port}", transport)
            with pytest.raises(Undelivered, match=r"within 0\.1 s") as refused:
                await deliver([])
            assert refused.value.again


async def test_an_http_port_is_no_grpc_port(transport: HttpTransport) -> None:
    """Whoever names the port of the other protocol is told which one was expected."""
    with http_collector() as collected:
        deliver = delivery(f"http://{collected.uri.rpartition('//')[2]}", transport)
        with pytest.raises(Undelivered):
            await deliver([])


@pytest.mark.parametrize(
    ("text", "uri", "path", "version"),
    [
        ("http://c:4317", "http://c:4317", "TraceService/Export", "HTTP/2.0"),
        ("https://c", "https://c", "TraceService/Export", "HTTP/2.0"),
        ("grpc://c:4317/", "http://c:4317", "TraceService/Export", "HTTP/2.0"),
        ("otlp+http://c:4318", "http://c:4318", "/v1/traces", "HTTP/1.1"),
        ("otlp+https://c/", "https://c", "/v1/traces", "HTTP/1.1"),
        ("otlp+json+http://c/otlp/traces", "http://c/otlp/traces", "/", "HTTP/1.1"),
    ],
)
def test_the_scheme_says_how(text: str, uri: str, path: str, version: str) -> None:
    """As with the official server: gRPC unless the scheme says HTTP."""
    to = destination(text)
    assert to.endpoint.uri == uri
    assert to.endpoint.http_version == version
    assert to.path.endswith(path)


@pytest.mark.parametrize(
    "text", ["", "collector:4317", "ftp://c", "otlp+grpc://c", "http://", "http://c:x"]
)
def test_other_addresses_are_refused(text: str) -> None:
    """With what was expected instead."""
    with pytest.raises(BadTracingEndpoint, match="expected http://host:4317"):
        destination(text)


def test_secrets_do_not_belong_into_an_address() -> None:
    """It is told in the log; headers are not."""
    with pytest.raises(BadTracingEndpoint, match="tracing_headers") as refused:
        destination("http://me:secret@c:4317")
    assert "secret" not in str(refused.value)


def test_headers_are_pairs() -> None:
    """Written like OTEL_* variables; a name alone is a mistake, and its value is not told."""
    assert pairs("a=1, b=x%3D%2C") == (("a", "1"), ("b", "x=,"))
    assert pairs(None) == pairs("") == ()
    with pytest.raises(BadTracingEndpoint, match="got 'a' alone"):
        pairs("a")

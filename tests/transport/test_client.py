"""`fetch`, TLS, and the transport as a whole."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import ipaddress
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rtour.server.counts import ConnectionCounts
from rtour.server.transport import (
    BadPeer,
    ConnectFailed,
    Endpoint,
    HttpTransport,
    StreamLost,
    fetch,
)
from rtour.server.transport.exchange import HttpExchange

from .conftest import MakeTransport
from .peers import Wire, h1_echo, h2_echo, peer, read_all


async def test_fetch(make_transport: MakeTransport) -> None:
    """One call sends a request and returns the whole response, over either version."""
    for script, version in ((h1_echo, "HTTP/1.1"), (h2_echo, "HTTP/2.0")):
        async with peer(script) as it:
            head, body = await fetch(
                make_transport(),
                Endpoint(it.http1.uri, version),
                "/discover",
                [],
                method="POST",
                body=b"ping",
                timeout_s=3,
                max_bytes=4,
            )
            assert (head.status, body) == (200, b"ping")


async def test_connections_are_counted() -> None:
    """Those that came up, that are gone, and that never came up, over either version."""
    counts = ConnectionCounts()
    transport = HttpTransport(counts=counts)
    limits: dict[str, Any] = {"timeout_s": 3, "max_bytes": 4}
    async with peer(h1_echo) as one, peer(h2_echo) as other:
        for endpoint in (one.http1, other.http2):
            await fetch(transport, endpoint, "/", [], method="POST", body=b"ping", **limits)
        assert (counts.opened, counts.failed) == (2, 0)
        await transport.close()
        assert counts.closed == 2
    nobody = HttpTransport(counts=counts)
    with pytest.raises(ConnectFailed):
        await fetch(nobody, one.http1, "/", [], **limits)
    assert (counts.opened, counts.closed, counts.failed) == (2, 2, 1)


async def test_fetch_has_limits(make_transport: MakeTransport) -> None:
    """A response that is too long, too late or half is an error, and nothing stays open."""

    async def long(wire: Wire) -> None:
        await wire.read_head()
        wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n" + bytes(5000))
        await wire.until_closed()

    async def silent(wire: Wire) -> None:
        await wire.read_head()
        await wire.until_closed()

    async def half(wire: Wire) -> None:
        await wire.read_head()
        wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        await wire.until_closed()

    expectations = [
        (long, 3.0, BadPeer, None),
        (silent, 0.05, StreamLost, True),
        (half, 0.5, StreamLost, False),
    ]
    for script, timeout_s, error, before_response in expectations:
        async with peer(script) as it:
            transport = make_transport()
            with pytest.raises(error) as caught:
                await fetch(transport, it.http1, "/", [], timeout_s=timeout_s, max_bytes=4000)
            assert getattr(caught.value, "before_response", None) is before_response
            await it.all_closed()
            assert transport.connection_count == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate for 127.0.0.1, key included."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now.replace(year=2120))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def server_context(certificate: Path, protocols: list[str]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(protocols)
    return context


@pytest.mark.parametrize(
    ("protocols", "script"),
    [(["h2", "http/1.1"], h2_echo), (["http/1.1"], h1_echo), (["h2"], h2_echo)],
    ids=["both", "http1.1", "h2"],
)
async def test_tls_speaks_what_alpn_says(
    make_transport: MakeTransport, certificate: Path, protocols: list[str], script
) -> None:
    """Over TLS the peer chooses; several exchanges at once share or split connections."""
    async with peer(script, tls=server_context(certificate, protocols)) as it:
        trusting = ssl.create_default_context(cafile=str(certificate))
        transport = make_transport(tls=trusting)
        bodies = [b"%d" % n for n in range(3)]

        async def exchange(body: bytes) -> bytes:
            return await read_all(await transport.open(it.http2, "/", [], body=body, end=True))

        assert await asyncio.gather(*map(exchange, bodies)) == bodies
        assert await exchange(b"again") == b"again"
        assert len(it.wires) == (1 if script is h2_echo else 3)


async def test_certificates_are_checked(make_transport: MakeTransport, certificate: Path) -> None:
    """A certificate nobody vouches for is no connection, also where HTTP/1.1 is asked for."""
    async with peer(h2_echo, tls=server_context(certificate, ["h2"])) as it:
        for endpoint in (it.http1, it.http2):
            with pytest.raises(ConnectFailed, match="certificate"):
                await make_transport().open(endpoint, "/", [])


async def test_plain_http_at_a_tls_port(make_transport: MakeTransport) -> None:
    """TLS towards a peer without it fails to connect."""
    async with peer(h1_echo) as it:
        with pytest.raises(ConnectFailed):
            await make_transport(connect_timeout_s=0.1).open(
                Endpoint(f"https://127.0.0.1:{it.port}"), "/", []
            )


async def test_giving_up_while_connecting_leaves_nothing(make_transport: MakeTransport) -> None:
    """A cancelled opener neither takes the connection from others nor leaks it."""
    async with peer(h2_echo) as it:
        transport = make_transport()
        openers = [asyncio.create_task(transport.open(it.http2, "/", [])) for _ in range(3)]  # noqa: TID251
        await asyncio.sleep(0)
        openers[0].cancel()
        opened = await asyncio.gather(*openers, return_exceptions=True)
        assert isinstance(opened[0], asyncio.CancelledError)
        for exchange in opened[1:]:
            exchange.end_request()
            assert await read_all(exchange) == b""
        assert len(it.wires) == 1
        opener = asyncio.create_task(transport.open(it.http1, "/", []))  # noqa: TID251
        await asyncio.sleep(0)
        opener.cancel()
        await asyncio.wait([opener])
        while transport.connection_count > 1:
            await asyncio.sleep(0)


async def test_finished_exchanges_are_forgotten(make_transport: MakeTransport) -> None:
    """Nothing keeps an exchange after its end or abort, not even a reference cycle."""
    gc.collect()
    gc.disable()
    try:
        for script, version in ((h1_echo, "HTTP/1.1"), (h2_echo, "HTTP/2.0")):
            async with peer(script) as it:
                transport = make_transport()
                endpoint = Endpoint(it.http1.uri, version)
                for end in (True, False) * 3:
                    exchange = await transport.open(endpoint, "/", [], body=b"x", end=end)
                    if end:
                        assert await read_all(exchange) == b"x"
                    exchange.abort()
                del exchange
                alive = [each for each in gc.get_objects() if isinstance(each, HttpExchange)]
                assert alive == []
    finally:
        gc.enable()

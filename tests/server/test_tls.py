"""TLS on the ports of the server, and towards deployments."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from rtour.errors import RtourError
from rtour.server.main import Server
from rtour.server.settings import Settings
from rtour.server.transport import ConnectFailed, Endpoint, HttpTransport, fetch
from tests.certificates import Certified, certified

SETTINGS = Settings(ephemeral=True, ingress_port=0, admin_port=0, pg_port=None)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """A certificate for 127.0.0.1."""
    return certified(tmp_path_factory.mktemp("certified"))


def behind_tls(files: Certified) -> Settings:
    return replace(SETTINGS, tls_cert=str(files.cert), tls_key=str(files.key))


@pytest.mark.parametrize(("http2", "version"), [(False, "HTTP/1.1"), (True, "HTTP/2")])
async def test_both_ports_speak_tls(files: Certified, http2: bool, version: str) -> None:
    """With HTTP/1.1 and HTTP/2, as the client likes; and say so in their addresses."""
    trusted = ssl.create_default_context(cafile=str(files.authority))
    async with (
        Server(behind_tls(files)) as server,
        httpx.AsyncClient(http2=http2, verify=trusted) as client,
    ):
        for url in (f"{server.ingress_url}/restate/health", f"{server.admin_url}/version"):
            assert url.startswith("https://")
            answer = await client.get(url)
            assert (answer.status_code, answer.http_version) == (200, version)
        assert answer.json()["ingress_endpoint"] == f"{server.ingress_url}/"


async def test_large_bodies_both_ways(files: Certified) -> None:
    """Flow control goes through TLS as well."""
    trusted = ssl.create_default_context(cafile=str(files.authority))
    async with (
        Server(behind_tls(files)) as server,
        httpx.AsyncClient(http2=True, verify=trusted) as client,
    ):
        answer = await client.post(f"{server.ingress_url}/No/such", content=bytes(8 << 20))
        assert answer.status_code == 404
        answer = await client.post(f"{server.admin_url}/query", json={"query": "SELECT 1 AS a"})
        assert answer.status_code == 200


async def test_nothing_is_said_in_the_clear(files: Certified) -> None:
    """Plain HTTP at such a port gets no answer."""
    async with Server(behind_tls(files)) as server:
        reader, writer = await asyncio.open_connection(*server.admin.address)
        writer.write(b"GET /version HTTP/1.1\r\nHost: h\r\n\r\n")
        async with asyncio.timeout(5):
            try:
                answer = await reader.read()
            except ConnectionError:
                answer = b""
        assert b"HTTP" not in answer
        writer.close()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tls_cert": "/nowhere.pem", "tls_key": "/nowhere.pem"}, "cannot use tls_cert"),
        ({"tls_cert": __file__, "tls_key": __file__}, "cannot use tls_cert"),
        ({"tls_cert": __file__}, "tls_key is not set"),
        ({"tls_key": __file__}, "tls_cert is not set"),
        ({"deployment_ca_file": "/nowhere.pem"}, "deployment_ca_file"),
        ({"deployment_ca_file": __file__}, "deployment_ca_file"),
    ],
)
async def test_files_that_cannot_be_used(changes: dict[str, str], said: str) -> None:
    """A server does not start with less than it was told to have."""
    with pytest.raises(RtourError, match=said):
        async with Server(replace(SETTINGS, **changes)):
            pass


async def discover(port: int, ca_file: Path | None, host: str = "127.0.0.1") -> int:
    transport = HttpTransport(ca_file=None if ca_file is None else str(ca_file))
    try:
        head, _ = await fetch(
            transport,
            Endpoint(f"https://{host}:{port}", "HTTP/1.1"),
            "/version",
            [],
            timeout_s=5,
            max_bytes=10_000,
        )
    finally:
        await transport.close()
    return head.status


async def test_deployments_prove_who_they_are(files: Certified, tmp_path: Path) -> None:
    """By an authority that is trusted, for the name that was asked for, or they are not called."""
    stranger = certified(tmp_path)
    async with Server(behind_tls(files)) as server:
        port = server.admin.address[1]
        assert await discover(port, files.authority) == 200
        for ca_file, host in (
            (None, "127.0.0.1"),
            (stranger.authority, "127.0.0.1"),
            (files.authority, "localhost"),
        ):
            with pytest.raises(ConnectFailed, match="certificate verify failed"):
                await discover(port, ca_file, host)

"""Which ports may stand open, what tokens and certificates are read from, and the ports so made."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from rtour.errors import RtourError
from rtour.server.access import Access
from rtour.server.main import Server
from rtour.server.settings import Settings
from rtour.server.tokens import Secret

SETTINGS = Settings(ephemeral=True, ingress_port=0, admin_port=0, pg_port=None)
ADMIN = Secret("admin-secret-1")
INGRESS = Secret("ingress-secret-1")


def bearer(secret: Secret) -> dict[str, str]:
    return {"authorization": f"Bearer {secret.reveal()}"}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.7.7.7"])
def test_loopback_needs_no_token(host: str) -> None:
    """The defaults work as they are."""
    access = Access.of(replace(SETTINGS, host=host))
    assert not access.admin_tokens
    assert not access.ingress_tokens


@pytest.mark.parametrize(
    ("changes", "ports"),
    [
        ({"host": "0.0.0.0"}, "the admin port on 0.0.0.0 and the ingress port"),
        ({"host": ""}, "the admin port"),
        ({"host": "::"}, "the admin port"),
        ({"host": "box.example"}, "the admin port"),
        ({"host": "0.0.0.0", "admin_token": ADMIN}, "the ingress port on 0.0.0.0 would"),
        ({"admin_host": "10.0.0.1", "ingress_token": INGRESS}, "the admin port on 10.0.0.1 would"),
        (
            {
                "host": "0.0.0.0",
                "admin_host": "127.0.0.1",
                "ingress_host": "127.0.0.1",
                "pg_port": 0,
            },
            "the psql port on 0.0.0.0 would",
        ),
    ],
)
async def test_no_port_stands_open_by_accident(changes: dict[str, str], ports: str) -> None:
    """A server refuses to start so, and names both ways out; the flag for it lets it."""
    settings = replace(SETTINGS, **changes)
    with pytest.raises(RtourError, match=ports) as refusal:
        async with Server(settings):
            pass
    assert "-token-file FILE" in str(refusal.value)
    assert "--allow-unauthenticated" in str(refusal.value)
    Access.of(replace(settings, allow_unauthenticated=True))


def test_what_stands_open_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """So are tokens that travel in the clear."""
    Access.of(replace(SETTINGS, host="0.0.0.0", allow_unauthenticated=True))
    assert "The ingress port listens on 0.0.0.0 and asks for no token" in caplog.text
    caplog.clear()
    Access.of(replace(SETTINGS, host="0.0.0.0", admin_token=ADMIN, ingress_token=INGRESS))
    assert "in the clear" in caplog.text
    assert "asks for no token" not in caplog.text


def test_token_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A token a line, beside the one of the variable; others should not be able to read them."""
    file = tmp_path / "tokens"
    file.write_text("\n first-token \n\nsecond-token\n")
    file.chmod(0o600)
    tokens = Access.of(
        replace(SETTINGS, admin_token=ADMIN, admin_token_file=str(file))
    ).admin_tokens
    assert [each.reveal() for each in tokens.secrets] == [
        "admin-secret-1",
        "first-token",
        "second-token",
    ]
    assert caplog.text == ""
    file.chmod(0o644)
    Access.of(replace(SETTINGS, admin_token_file=str(file)))
    assert "chmod 600" in caplog.text


@pytest.mark.parametrize("content", [b"", b"qz7!", b"with a space", "schlüssel".encode(), b"\xff"])
def test_bad_tokens(tmp_path: Path, content: bytes) -> None:
    """What no header could carry, or anybody could guess, is refused without being repeated."""
    file = tmp_path / "tokens"
    file.write_bytes(content)
    with pytest.raises(RtourError, match="token") as refusal:
        Access.of(replace(SETTINGS, ingress_token_file=str(file)))
    assert not content or content.decode("latin-1") not in str(refusal.value)
    with pytest.raises(RtourError, match="ingress_token_file: cannot read"):
        Access.of(replace(SETTINGS, ingress_token_file=str(tmp_path / "nowhere")))


def test_secrets_do_not_show() -> None:
    """Not in settings, not in what is printed of them, not in errors."""
    settings = replace(SETTINGS, admin_token=ADMIN)
    for shown in (repr(settings), str(ADMIN), f"{ADMIN}", repr(Access.of(settings))):
        assert "admin-secret" not in shown


async def test_each_port_has_its_own_token(caplog: pytest.LogCaptureFixture) -> None:
    """The one of the ingress operates nothing; every path of a port needs its token."""
    caplog.set_level(logging.DEBUG)
    settings = replace(SETTINGS, admin_token=ADMIN, ingress_token=INGRESS)
    async with Server(settings) as server, httpx.AsyncClient() as client:
        admin, ingress = server.admin_url, server.ingress_url
        for path in ("/version", "/health", "/deployments", "/query", "/nowhere", "/ui/"):
            for given in ({}, bearer(INGRESS)):
                answer = await client.get(admin + path, headers=given)
                assert answer.status_code == 401
                assert "token" in answer.json()["message"]
        for path in ("/restate/health", "/Greeter/greet", "/restate/workflow/F/k/attach", "/"):
            answer = await client.post(ingress + path, headers=bearer(ADMIN))
            assert (answer.status_code, answer.json()["source"]) == (401, "ingress")
        assert (await client.get(f"{admin}/version", headers=bearer(ADMIN))).status_code == 200
        answer = await client.get(f"{ingress}/restate/health", headers=bearer(INGRESS))
        assert answer.status_code == 200
    assert "secret-1" not in caplog.text


async def test_strangers_bodies_are_not_read() -> None:
    """The refusal comes after the head: nobody fills memory without a token."""
    async with Server(replace(SETTINGS, ingress_token=INGRESS)) as server:
        reader, writer = await asyncio.open_connection(*server.ingress.address)
        writer.write(b"POST /S/h HTTP/1.1\r\nHost: h\r\nContent-Length: 30000000\r\n\r\n")
        async with asyncio.timeout(5):
            assert (await reader.readline()) == b"HTTP/1.1 401 Unauthorized\r\n"
        writer.close()


@pytest.mark.parametrize("http2", [False, True])
async def test_rebound_names_reach_nothing(http2: bool) -> None:
    """A page whose name points at loopback is refused on both ports, with a reason."""
    async with (
        Server(SETTINGS) as server,
        httpx.AsyncClient(http1=not http2, http2=http2) as client,
    ):
        for url in (server.admin_url, server.ingress_url):
            answer = await client.get(f"{url}/health", headers={"host": "evil.example"})
            assert answer.status_code == 403
            assert "evil.example" in json.loads(answer.content)["message"]


async def test_cross_site_requests_operate_nothing() -> None:
    """What a form or a script of a foreign page can send without asking first is refused."""
    async with Server(SETTINGS) as server, httpx.AsyncClient() as client:
        for origin in ("https://evil.example", "null"):
            answer = await client.post(
                f"{server.admin_url}/query",
                content='{"query": "SELECT 1"}',
                headers={"origin": origin, "content-type": "text/plain"},
            )
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
            answer = await client.options(
                f"{server.ingress_url}/S/h",
                headers={"origin": origin, "access-control-request-method": "POST"},
            )
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers

"""Every client brings its tokens: both command lines, our client, over TLS too, our SDK's."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

import rtour
from rtour.client import Client, ClientError, Connection
from rtour.server.main import Server
from rtour.server.settings import Settings
from rtour.server.tokens import Secret
from tests.certificates import Certified, certified
from tests.conformance import oracles

ADMIN, INGRESS = "admin-secret-1", "ingress-secret-1"
SETTINGS = Settings(
    ephemeral=True,
    ingress_port=0,
    admin_port=0,
    pg_port=None,
    admin_token=Secret(ADMIN),
    ingress_token=Secret(INGRESS),
)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server that wants tokens."""
    async with Server(SETTINGS) as server:
        yield server


@pytest.fixture
def files(tmp_path: Path) -> Certified:
    return certified(tmp_path)


async def test_the_client(server: Server, files: Certified) -> None:
    """Each of its faces brings its own token; without, the error names the variable."""
    tls = replace(SETTINGS, tls_cert=str(files.cert), tls_key=str(files.key))
    async with Server(tls) as secure:
        for it, ca_file in ((server, None), (secure, str(files.authority))):
            connection = Connection(
                admin_url=it.admin_url,
                ingress_url=it.ingress_url,
                token=ADMIN,
                ingress_token=INGRESS,
                ca_file=ca_file,
            )
            async with Client(connection) as client:
                assert await client.admin.healthy()
                assert await client.query.count("sys_invocation") == 0
                answer = await client.ingress.origin.send("GET", "/restate/health")
                assert answer.status == 200
        with pytest.raises(ClientError, match="CERTIFICATE_VERIFY_FAILED"):
            async with Client(Connection(admin_url=secure.admin_url)) as client:
                await client.admin.version()
    wrong = replace(connection, token="wrong-wrong", admin_url=server.admin_url)
    async with Client(wrong) as client:
        with pytest.raises(ClientError) as refusal:
            await client.admin.version()
        assert "RESTATE_AUTH_TOKEN" in refusal.value.hint


async def test_the_sdk(server: Server) -> None:
    """Both kinds of its clients; an authorization of the caller's own stays."""
    async with rtour.create_client(server.ingress_url, token=INGRESS) as client:
        with pytest.raises(rtour.HttpError) as missing:
            await client.generic_call("No", "such", b"")
        assert missing.value.status_code == 404
    own = {"Authorization": f"Bearer {INGRESS}"}
    async with rtour.create_client(server.ingress_url, own, token="ignored-here") as client:
        with pytest.raises(rtour.HttpError) as missing:
            await client.generic_call("No", "such", b"")
        assert missing.value.status_code == 404
    for token, status in ((INGRESS, 404), ("wrong-wrong", 401), (None, 401)):

        def ask(token: str | None = token) -> int:
            with rtour.create_sync_client(server.ingress_url, token=token) as client:
                with pytest.raises(rtour.HttpError) as refusal:
                    client.generic_call("No", "such", b"")
                return refusal.value.status_code

        assert await asyncio.to_thread(ask) == status


async def run(server: Server, *words: str, **env: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *words,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": "/nowhere",
            "DO_NOT_TRACK": "1",
            "RESTATE_ADMIN_URL": server.admin_url,
            **env,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_our_command_line(server: Server) -> None:
    """By the official variable, and by the server's own; the ingress has its own, too."""
    rtour_ = (sys.executable, "-m", "rtour")
    for variable in ("RESTATE_AUTH_TOKEN", "RTOUR_AUTH_TOKEN", "RTOUR_ADMIN_TOKEN"):
        code, said = await run(server, *rtour_, "deployments", "list", **{variable: ADMIN})
        assert code == 0, said
    code, said = await run(server, *rtour_, "deployments", "list")
    assert code == 1
    assert "RESTATE_AUTH_TOKEN" in said
    both = {"RTOUR_AUTH_TOKEN": ADMIN, "RTOUR_INGRESS_TOKEN": INGRESS}
    _, said = await run(server, *rtour_, "doctor", **both)
    assert "answers with 401" not in said
    _, said = await run(server, *rtour_, "-vv", "doctor", RTOUR_AUTH_TOKEN=ADMIN)
    assert "answers with 401" in said
    assert ADMIN not in said


@pytest.mark.oracle
async def test_the_official_command_line(server: Server) -> None:
    """It knows one token, the admin's, and a variable for it."""
    oracles.install()
    restate = (str(oracles.restate_cli()), "deployments", "list")
    code, said = await run(server, *restate, RESTATE_AUTH_TOKEN=ADMIN)
    assert code == 0, said
    code, said = await run(server, *restate)
    assert code != 0

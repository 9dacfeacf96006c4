"""Request identity, live: each server signs, each SDK's endpoint checks."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.conformance import oracles
from tests.conformance.processes import Child, free_port
from tests.conformance.servers import KINDS, QUICK, Kind, Server
from tests.conformance.waiting import eventually
from tests.sdk.test_identity import base58

pytestmark = pytest.mark.oracle

REPOSITORY = Path(__file__).resolve().parents[2]


def identity(folder: Path) -> tuple[Path, str]:
    """A new key: the server's file, and the public part for the endpoint."""
    secret = Ed25519PrivateKey.generate()
    file = folder / "identity.pem"
    file.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file, "publickeyv1_" + base58(secret.public_key().public_bytes_raw())


@pytest.mark.parametrize("served", [("rtour", "rtour"), ("restate", "hypercorn")])
@pytest.mark.parametrize("kind", KINDS)
async def test_only_our_server_is_answered(
    kind: Kind, served: tuple[str, str], tmp_path: Path
) -> None:
    """Discovery and invocations of the server that holds the key pass; others get 401."""
    oracles.install()
    file, public_key = identity(tmp_path)
    env = QUICK | {
        "RESTATE_REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE": str(file),
        "RESTATE_WORKER__INVOKER__REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE": str(file),
    }
    server, port = Server(kind, tmp_path / "server", env), free_port()
    command = [sys.executable, "-m", "tests.sdk.serve", *served, str(port), public_key]
    endpoint = Child(command, tmp_path / "endpoint.log", {}, REPOSITORY)
    url = f"http://127.0.0.1:{port}"

    async def healthy() -> bool:
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"{url}/health")).is_success
            except httpx.TransportError:
                return False

    try:
        await server.start()
        await eventually("endpoint ready", healthy)
        await server.register(url)
        async with httpx.AsyncClient(timeout=30) as client:
            assert (await client.get(f"{url}/discover")).status_code == 401
            answer = await client.post(f"{server.ingress_url}/Answerer/double", json=21)
        assert answer.json() == 42
    finally:
        server.stop()
        endpoint.kill()

"""How a server starts: what it says, and what keeps it from starting."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec.structs import replace

from rtour.errors import RtourError
from rtour.server.main import Server
from rtour.server.settings import Settings

SETTINGS = Settings(ephemeral=True, ingress_port=0, admin_port=0, pg_port=None)


def key_file(folder: Path, key: Ed25519PrivateKey | X25519PrivateKey) -> str:
    file = folder / "key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(file)


@pytest.mark.parametrize("enabled", [False, True])
async def test_protocol_7_is_announced_where_it_is_enabled(enabled: bool) -> None:
    """Clients see it among the features."""
    async with (
        Server(replace(SETTINGS, protocol_v7=enabled)) as server,
        httpx.AsyncClient() as client,
    ):
        version = (await client.get(f"{server.admin_url}/version")).json()
        assert version["features"]["protocol_v7"] is enabled
        assert version["ingress_endpoint"] == f"{server.ingress_url}/"


async def test_a_signing_server_tells_its_public_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Services are configured with it."""
    caplog.set_level("INFO", "rtour")
    file = key_file(tmp_path, Ed25519PrivateKey.generate())
    async with Server(replace(SETTINGS, request_identity_key_file=file)):
        assert "publickeyv1_" in caplog.text


async def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """So is a file that is no key, or not there."""
    for file in (key_file(tmp_path, X25519PrivateKey.generate()), __file__, "/nowhere.pem"):
        with pytest.raises(RtourError, match="key"):
            async with Server(replace(SETTINGS, request_identity_key_file=file)):
                pass


async def test_two_servers_cannot_have_one_folder(tmp_path: Path) -> None:
    """The second refuses; when the first has stopped, the folder is free."""
    settings = replace(SETTINGS, ephemeral=False, data=str(tmp_path))
    async with Server(settings):
        with pytest.raises(RtourError, match="is in use"):
            async with Server(settings):
                pass
    async with Server(settings):
        pass


@pytest.mark.parametrize("front", ["ingress_port", "admin_port"])
async def test_a_taken_port_leaves_the_folder_free(tmp_path: Path, front: str) -> None:
    """What had been opened before is closed again."""
    settings = replace(SETTINGS, ephemeral=False, data=str(tmp_path))
    async with Server(SETTINGS) as other:
        taken = replace(settings, **{front: other.ingress.address[1]})
        with pytest.raises(RtourError, match="Address already in use"):
            async with Server(taken):
                pass
    async with Server(settings):
        pass

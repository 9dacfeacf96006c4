"""Request identity: calls to deployments signed with ed25519 (service-protocol.md §2.5)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from rtour.clock import Clock
from rtour.errors import RtourError

WINDOW_S = 60
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

Headers = tuple[tuple[str, str], ...]
Sign = Callable[[str, str | None], Headers]
"""Headers that prove a request is ours: for its path, and the key of the object if it has one."""


class BadIdentityKey(RtourError):  # noqa: N818
    """The configured key file holds no ed25519 private key."""


class Signer:
    """Signs requests with one private key, given as a PKCS#8 PEM file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        # Imported here: only servers that sign need it, and it is slow to load.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PrivateKey,
        )
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_private_key,
        )

        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise BadIdentityKey(f"cannot use the request identity key {path}: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise BadIdentityKey(f"{path} holds no ed25519 key, which request identity needs")
        self._key = key
        self._clock = clock
        self.key_id = "publickeyv1_" + _base58(key.public_key().public_bytes_raw())

    def headers(self, path: str, key: str | None) -> Headers:
        """Signature headers for a request to `path`, which leaves out the deployment's base."""
        now = self._clock.now_ms() // 1000
        claims: dict[str, object] = {
            "aud": path,
            "iat": now,
            "exp": now + WINDOW_S,
            "nbf": now - WINDOW_S,
        }
        if key is not None:
            claims["sub"] = key
        header = {"typ": "JWT", "alg": "EdDSA", "kid": self.key_id}
        signed = f"{_part(header)}.{_part(claims)}"
        signature = _base64url(self._key.sign(signed.encode()))
        return (
            ("x-restate-signature-scheme", "v1"),
            ("x-restate-jwt-v1", f"{signed}.{signature}"),
        )


def unsigned(_path: str, _key: str | None) -> Headers:
    """No key is configured: no signature headers at all."""
    return ()


def _part(claims: Mapping[str, object]) -> str:
    return _base64url(json.dumps(claims, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _base58(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    zeros = len(data) - len(data.lstrip(b"\0"))
    return _BASE58[0] * zeros + text

"""Is this request from our Restate server? Signatures as Restate makes them (§2.5).

With a key configured the server signs each request: a compact JWS with Ed25519, short-lived, for
the path of the request. Keys are `publickeyv1_` and base58 of 32 bytes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rtour.clock import Clock, SystemClock

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_PREFIX: Final = "publickeyv1_"
_SCHEME: Final = "v1"
_KEY_BYTES: Final = 32
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class IdentityKeyException(Exception):  # noqa: N818 - the official SDK's name
    """A key that is none."""


class IdentityVerificationException(Exception):  # noqa: N818 - the official SDK's name
    """A request without a signature that we trust."""


class Verifier:
    """Checks requests against the keys of an endpoint; any one of them will do."""

    def __init__(self, keys: Iterable[str], clock: Clock | None = None) -> None:
        self.keys = tuple(keys)
        self._public_keys = [_public_key(key) for key in self.keys]
        self._clock = clock or SystemClock()

    def accepts(self, segments: Sequence[str], headers: Mapping[str, str]) -> bool:
        """Whether the request to the path of these segments is signed with one of the keys."""
        try:
            self.verify(segments, headers)
        except IdentityVerificationException:
            return False
        return True

    def verify(self, segments: Sequence[str], headers: Mapping[str, str]) -> None:
        """Raise IdentityVerificationException unless `accepts`."""
        scheme = headers.get("x-restate-signature-scheme")
        if scheme != _SCHEME:
            raise IdentityVerificationException(f"signature scheme {scheme!r} instead of 'v1'")
        claims = self._claims(headers.get("x-restate-jwt-v1", ""))
        self._check_times(claims)
        audience = claims.get("aud")
        path = _audience(segments)
        if path not in (audience if isinstance(audience, list) else [audience]):
            raise IdentityVerificationException(f"signed for {audience!r}, not for {path!r}")

    def _claims(self, token: str) -> dict[str, Any]:
        parts = token.split(".")
        if len(parts) != 3:
            raise IdentityVerificationException("no signature, or a malformed one")
        try:
            header, claims = (json.loads(_decode(part)) for part in parts[:2])
            signature = _decode(parts[2])
        except ValueError as error:
            raise IdentityVerificationException("a malformed signature") from error
        if not isinstance(header, dict) or header.get("alg") != "EdDSA":
            raise IdentityVerificationException("a signature that is not EdDSA")
        if not isinstance(claims, dict):
            raise IdentityVerificationException("a signature without claims")
        self._check_signature(f"{parts[0]}.{parts[1]}".encode(), signature)
        return claims

    def _check_signature(self, signed: bytes, signature: bytes) -> None:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - optional

        for key in self._public_keys:
            try:
                key.verify(signature, signed)
            except InvalidSignature:
                continue
            return
        raise IdentityVerificationException("signed with a key that is not ours")

    def _check_times(self, claims: dict[str, Any]) -> None:
        now_s = self._clock.now_ms() / 1000
        expires, begins = claims.get("exp"), claims.get("nbf")
        if not isinstance(expires, int | float) or expires <= now_s:
            raise IdentityVerificationException("the signature has expired")
        if not isinstance(begins, int | float) or begins > now_s:
            raise IdentityVerificationException("the signature is not valid yet")


def _audience(segments: Sequence[str]) -> str:
    """The path without what the endpoint is mounted under."""
    count = 3 if len(segments) >= 3 and segments[-3] == "invoke" else 1
    return "/" + "/".join(segments[-count:])


def _decode(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _public_key(key: str) -> Ed25519PublicKey:
    if not key.startswith(KEY_PREFIX):
        raise IdentityKeyException(f"{key!r} is no identity key: it must begin with {KEY_PREFIX}")
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - optional
            Ed25519PublicKey,
        )
    except ImportError as error:
        raise IdentityKeyException(
            "Checking identities needs the package `cryptography`: pip install 'rtour[server]'"
        ) from error
    return Ed25519PublicKey.from_public_bytes(_base58(key.removeprefix(KEY_PREFIX)))


def _base58(text: str) -> bytes:
    number = 0
    for char in text:
        digit = _BASE58.find(char)
        if digit < 0:
            raise IdentityKeyException(f"{char!r} in an identity key is not base58")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip(_BASE58[0]))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(raw) != _KEY_BYTES:
        raise IdentityKeyException(f"an identity key has {_KEY_BYTES} bytes, this one {len(raw)}")
    return raw

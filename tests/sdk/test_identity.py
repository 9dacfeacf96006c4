"""Only requests that our Restate server has signed are answered."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import rtour
from rtour.sdk.endpoint import Endpoint
from rtour.sdk.identity import IdentityKeyException, Verifier

NOW_S = 1_800_000_000
SECRET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class FixedClock:
    def now_ms(self) -> int:
        return NOW_S * 1000


def base58(raw: bytes) -> str:
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


KEY = "publickeyv1_" + base58(SECRET.public_key().public_bytes_raw())
VERIFIER = Verifier([KEY], FixedClock())
INVOKE = ["", "invoke", "S", "h"]


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed(secret: Ed25519PrivateKey = SECRET, alg: str = "EdDSA", **claims: Any) -> dict[str, str]:
    """Headers as Restate makes them; claims may be changed, or left out with None."""
    usual = {"aud": "/invoke/S/h", "iat": NOW_S, "nbf": NOW_S - 60, "exp": NOW_S + 60}
    given = {name: value for name, value in (usual | claims).items() if value is not None}
    token = f"{part({'typ': 'JWT', 'alg': alg, 'kid': KEY})}.{part(given)}"
    signature = base64.urlsafe_b64encode(secret.sign(token.encode())).decode().rstrip("=")
    return {"x-restate-signature-scheme": "v1", "x-restate-jwt-v1": f"{token}.{signature}"}


@pytest.mark.parametrize(
    ("segments", "headers"),
    [
        (INVOKE, signed()),
        (["", "mounted", *INVOKE[1:]], signed()),
        (["", "discover"], signed(aud="/discover")),
        (INVOKE, signed(iat=None)),
        (INVOKE, signed(aud=["/other", "/invoke/S/h"])),
    ],
)
def test_accepted(segments: list[str], headers: dict[str, str]) -> None:
    """The path counts without what it is mounted under."""
    assert VERIFIER.accepts(segments, headers)


REFUSED = {
    "no signature": {},
    "unsigned": {"x-restate-signature-scheme": "unsigned"},
    "another path": signed(aud="/invoke/S/other"),
    "expired": signed(exp=NOW_S),
    "not yet": signed(nbf=NOW_S + 1),
    "no expiry": signed(exp=None),
    "no beginning": signed(nbf=None),
    "another key": signed(Ed25519PrivateKey.from_private_bytes(bytes(32))),
    "another algorithm": signed(alg="none"),
    "no token": {"x-restate-signature-scheme": "v1"},
    "garbage": {"x-restate-signature-scheme": "v1", "x-restate-jwt-v1": "a.b.c"},
    "half": {"x-restate-signature-scheme": "v1", "x-restate-jwt-v1": "a.b"},
}


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_refused(headers: dict[str, str]) -> None:
    """Each weakness alone is enough."""
    assert not VERIFIER.accepts(INVOKE, headers)


@pytest.mark.parametrize("key", ["nope", "publickeyv1_0OIl", "publickeyv1_2"])
def test_bad_keys_are_found_at_the_start(key: str) -> None:
    """A key that is none fails when the app is made, not at the first request."""
    with pytest.raises(IdentityKeyException):
        rtour.app([], identity_keys=[key])


def test_an_endpoint_with_keys_answers_401() -> None:
    """Discovery and invocations are checked, health is not."""
    endpoint = Endpoint().identity_key(KEY)
    assert endpoint.answer("/discover", {}, can_stream=True).status == 401
    assert endpoint.answer("/invoke/S/h", {}, can_stream=True).status == 401
    assert endpoint.answer("/health", {}, can_stream=True).status == 200

"""Signed calls: what our server signs, the official SDK's own verifier judges."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from restate._internal import IdentityVerificationException, PyIdentityVerifier

from rtour.clock import SystemClock
from rtour.server.identity import WINDOW_S, Signer, unsigned

PATH = "/invoke/Greeter/greet"


class Clock:
    """The verifier reads the real one."""

    def __init__(self, late_s: int = 0) -> None:
        self.late_s = late_s

    def now_ms(self) -> int:
        return SystemClock().now_ms() - self.late_s * 1000


def signer(folder: Path, clock: Clock | None = None) -> Signer:
    file = folder / "key.pem"
    if not file.exists():
        key = Ed25519PrivateKey.generate()
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Signer(file, clock or Clock())


@pytest.mark.parametrize("key", [None, "Ada", "a/b ü\r\nx: y"])
def test_the_official_sdk_believes_us(tmp_path: Path, key: str | None) -> None:
    """For invocations of any key, and for discovery."""
    signs = signer(tmp_path)
    verifier = PyIdentityVerifier([signs.key_id])
    for path in (PATH, "/discover"):
        verifier.verify(list(signs.headers(path, key)), path)


def test_and_nobody_else(tmp_path: Path) -> None:
    """Not another key, path or minute, and not whoever leaves the signature out."""
    signs = signer(tmp_path)
    ours = list(signs.headers(PATH, None))
    (tmp_path / "other").mkdir()
    stranger = list(signer(tmp_path / "other").headers(PATH, None))
    stale = list(signer(tmp_path, Clock(late_s=WINDOW_S + 2)).headers(PATH, None))
    verifier = PyIdentityVerifier([signs.key_id])
    token = dict(ours)["x-restate-jwt-v1"]
    forged = [("x-restate-signature-scheme", "v1"), ("x-restate-jwt-v1", token[:-4] + "AAAA")]
    for headers, path in (
        (stranger, PATH),
        (stale, PATH),
        (forged, PATH),
        (ours, "/invoke/Greeter/other"),
        (list(unsigned(PATH, None)), PATH),
        (ours[:1], PATH),
        (ours[1:], PATH),
    ):
        with pytest.raises(IdentityVerificationException):
            verifier.verify(headers, path)

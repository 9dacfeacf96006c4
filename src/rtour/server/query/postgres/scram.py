"""SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side, as PostgreSQL's clients speak it.

The token of the admin port is the password. It is never sent, and both sides prove that they know
it. With several tokens, the client's proof tells which one it has.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from typing import Final

MECHANISM: Final = "SCRAM-SHA-256"
ITERATIONS: Final = 4096
_FIRST: Final = re.compile(r"(?P<gs2>[ny],(?:a=[^,]*)?,)(?P<bare>n=[^,]*,r=(?P<nonce>[!-+\--~]+))")
_FINAL: Final = re.compile(r"(?P<bare>c=(?P<binding>[^,]+),r=(?P<nonce>[^,]+)),p=(?P<proof>[^,]+)")


class ScramError(Exception):
    """What the client sent is not SCRAM."""


class Verifier:
    """What is stored of one password."""

    def __init__(self, password: str, salt: bytes) -> None:
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
        self.stored_key = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
        self.server_key = _hmac(salted, b"Server Key")


def verifiers(passwords: Iterable[str], salt: bytes) -> list[Verifier]:
    """One per password, all over one salt, so that the challenge does not say which it means."""
    return [Verifier(password, salt) for password in passwords]


class Exchange:
    """One authentication: `challenge`, then `verify`, each with what the client just sent."""

    def __init__(self, known: Sequence[Verifier], salt: bytes, nonce: bytes) -> None:
        self._known = known
        self._salt = salt
        self._nonce = b64encode(nonce).decode()
        self._messages: list[str] = []
        self._binding = ""

    def challenge(self, first: bytes) -> bytes:
        """The answer to client-first: its nonce and ours, the salt, the rounds."""
        match = _FIRST.match(_text(first))
        if match is None:
            raise ScramError("expected a first message of SCRAM without channel binding")
        self._binding = b64encode(match["gs2"].encode()).decode()
        self._nonce = match["nonce"] + self._nonce
        answer = f"r={self._nonce},s={b64encode(self._salt).decode()},i={ITERATIONS}"
        self._messages = [match["bare"], answer]
        return answer.encode()

    def verify(self, final: bytes) -> bytes | None:
        """The answer to client-final, our own proof; None if the client's is wrong."""
        match = _FINAL.fullmatch(_text(final))
        if match is None or match["binding"] != self._binding or match["nonce"] != self._nonce:
            raise ScramError("expected the final message of this very exchange")
        try:
            proof = b64decode(match["proof"], validate=True)
        except ValueError as error:
            raise ScramError("the proof is not base64") from error
        signed = ",".join([*self._messages, match["bare"]]).encode()
        fitting = [each for each in self._known if _proves(proof, each, signed)]
        if not fitting:
            return None
        signature = _hmac(fitting[0].server_key, signed)
        return b"v=" + b64encode(signature)


def _proves(proof: bytes, known: Verifier, signed: bytes) -> bool:
    signature = _hmac(known.stored_key, signed)
    if len(proof) != len(signature):
        return False
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), known.stored_key)


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _text(message: bytes) -> str:
    try:
        return message.decode()
    except UnicodeDecodeError as error:
        raise ScramError("expected UTF-8") from error

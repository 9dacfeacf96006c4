"""The password of the PostgreSQL port: a token of the admin port, proved by SCRAM."""

from __future__ import annotations

import secrets
from typing import Final, Protocol

from rtour.server.query.postgres import wire
from rtour.server.query.postgres.scram import MECHANISM, Exchange, ScramError, Verifier, verifiers
from rtour.server.query.postgres.wire import Fields, MalformedError
from rtour.server.tokens import Tokens

_SASL: Final = 10
_SASL_CONTINUE: Final = 11
_SASL_FINAL: Final = 12
_NONCE_BYTES: Final = 18
_PASSWORD: Final = b"p"


class Line(Protocol):
    """A client's connection."""

    async def send(self, data: bytes) -> None: ...

    async def message(self) -> tuple[bytes, bytes]: ...


class Login:
    """Asks clients for a password where there are tokens."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._salt = secrets.token_bytes(16)
        self._known: list[Verifier] | None = None

    async def passed(self, line: Line) -> bool:
        """Whether the client may come in; it is told if not."""
        if not self._tokens:
            return True
        exchange = Exchange(self._verifiers(), self._salt, secrets.token_bytes(_NONCE_BYTES))
        await line.send(wire.authentication(_SASL, wire.text(MECHANISM) + b"\x00"))
        try:
            await line.send(wire.authentication(_SASL_CONTINUE, await self._first(line, exchange)))
            proof = exchange.verify(await _answer(line))
        except ScramError as error:
            raise MalformedError(str(error)) from error
        if proof is None:
            words = "password authentication failed: it is a token of the admin port"
            await line.send(wire.error("28P01", words, "FATAL"))
            return False
        await line.send(wire.authentication(_SASL_FINAL, proof))
        return True

    async def _first(self, line: Line, exchange: Exchange) -> bytes:
        fields = Fields(await _answer(line))
        if fields.string() != MECHANISM:
            raise MalformedError(f"only {MECHANISM} is known here")
        return exchange.challenge(fields.raw(fields.int32()))

    def _verifiers(self) -> list[Verifier]:
        """Made for the first client: thousands of rounds, which no start should wait for."""
        if self._known is None:
            self._known = verifiers(
                (secret.reveal() for secret in self._tokens.secrets), self._salt
            )
        return self._known


async def _answer(line: Line) -> bytes:
    kind, payload = await line.message()
    if kind != _PASSWORD:
        raise MalformedError(f"expected an answer of SCRAM, got a message {kind!r}")
    return payload

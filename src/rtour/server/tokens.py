"""Bearer tokens: where they come from, and how one that was given is compared.

A token never travels as a string that somebody could print: it is a `Secret`, whose text has to be
asked for. A token file holds one token a line, so that a new one can be added before the old one
goes.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rtour.errors import RtourError

_log = logging.getLogger("rtour.access")

SHORTEST: Final = 8
_OTHERS_MAY_READ: Final = 0o044


class BadToken(RtourError):  # noqa: N818 - reads as the fact it reports
    """A token that cannot be used; the message never holds the token."""


class Secret:
    """A text that shows itself to nobody who does not ask."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)


class Tokens:
    """The tokens that open one port; any of them does."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self.secrets: tuple[Secret, ...] = tuple(secrets)
        self._accepted = [secret.reveal().encode() for secret in self.secrets]

    def __bool__(self) -> bool:
        return bool(self._accepted)

    def open_with(self, authorization: bytes | None) -> bool:
        """Whether an `authorization` header carries one of the tokens.

        How long it takes tells nothing of them but their lengths.
        """
        scheme, _, given = (authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer":
            return False
        given = given.strip()
        matches = [hmac.compare_digest(given, accepted) for accepted in self._accepted]
        return True in matches


def load_tokens(where: str, token: Secret | None, file: str | None) -> Tokens:
    """The tokens of a setting and of its file; `where` names the port in what is said.

    Raises BadToken for a file that cannot be read or holds none, and for what is no token.
    """
    found = [] if token is None else [(token.reveal().strip(), f"{where}_token")]
    if file is not None:
        lines = [(line, file) for line in read_private(Path(file), f"{where}_token_file")]
        if not lines:
            raise BadToken(f"{where}_token_file: {file} holds no token, expected one a line")
        found += lines
    for text, source in found:
        _check(text, source)
    return Tokens(Secret(text) for text, _ in found)


def read_private(path: Path, setting: str) -> list[str]:
    """The lines of a file that only its owner should be able to read; empty ones are left out."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise BadToken(f"{setting}: cannot read {path}: {reason}") from error
    warn_if_shared(path, setting)
    return [line.strip() for line in text.splitlines() if line.strip()]


def warn_if_shared(path: Path, setting: str) -> None:
    """Say so if other users of the machine can read a secret file."""
    if os.name == "posix" and path.stat().st_mode & _OTHERS_MAY_READ:
        _log.warning("%s: other users can read %s; chmod 600 it", setting, path)


def _check(text: str, source: str) -> None:
    if len(text) < SHORTEST:
        raise BadToken(
            f"{source}: a token has {SHORTEST} characters or more; make one with "
            "`openssl rand -hex 32`"
        )
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise BadToken(f"{source}: a token is visible ASCII without spaces, as headers carry it")

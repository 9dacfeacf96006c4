"""Tones of text: meaning first, colour second, and a sign where colour is missing.

Everything shown passes through `line` or `block`, which escape what strangers wrote.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from rich.text import Text

from rtour.client.wording import shown

Tone = Literal["plain", "good", "bad", "waiting", "busy", "quiet", "strong", "name"]

# Rich styles with ANSI colours: textual maps them to the theme, and NO_COLOR drops them.
STYLES: dict[Tone, str] = {
    "plain": "",
    "good": "green",
    "bad": "red",
    "waiting": "yellow",
    "busy": "cyan",
    "quiet": "dim",
    "strong": "bold",
    "name": "cyan",
}

SIGNS = {
    "running": "●",
    "ready": "○",
    "backing-off": "↻",
    "suspended": "◌",
    "paused": "‖",
    "pending": "…",
    "scheduled": "◷",
    "succeeded": "✓",
    "failed": "✗",
    "completed": "✓",
}
TONES: dict[str, Tone] = {
    "running": "good",
    "ready": "busy",
    "backing-off": "bad",
    "suspended": "plain",
    "paused": "waiting",
    "pending": "waiting",
    "scheduled": "busy",
    "succeeded": "quiet",
    "failed": "bad",
    "completed": "quiet",
}


class Piece(msgspec.Struct, frozen=True):
    """Text with a tone."""

    text: str
    tone: Tone = "plain"


def status_piece(status: str) -> Piece:
    """A status with its sign."""
    return Piece(f"{SIGNS.get(status, '?')} {status}", TONES.get(status, "plain"))


def line(*pieces: Piece | str) -> Text:
    """Pieces on one line, escaped."""
    text = Text(no_wrap=False, end="")
    for piece in pieces:
        if isinstance(piece, str):
            text.append(shown(piece))
        else:
            text.append(shown(piece.text), STYLES[piece.tone])
    return text


def block(text: str, tone: Tone = "plain") -> Text:
    """Text of many lines, escaped."""
    return Text(shown(text, newlines=True), STYLES[tone])


def stack(*lines: Text) -> Text:
    """Lines below each other."""
    return Text("\n").join(lines)

"""Tones of text: meaning first, colour second, and a sign where colour is missing.

Everything shown passes through `line` or `block`, which escape what strangers wrote, and cut what
would take a terminal seconds to lay out.
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
# Nobody reads more of a line, or of a text, on a screen.
LONGEST_LINE, LONGEST_TEXT, MOST_LINES = 4_000, 64_000, 4_000


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
            text.append(shown(_cut(piece, LONGEST_LINE)))
        else:
            text.append(shown(_cut(piece.text, LONGEST_LINE)), STYLES[piece.tone])
    return text


def block(text: str, tone: Tone = "plain") -> Text:
    """Text of many lines, escaped."""
    lines = _cut(text, LONGEST_TEXT).split("\n")
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"… ({len(lines) - MOST_LINES} more lines)"]
    return Text(shown("\n".join(lines), newlines=True), STYLES[tone])


def _cut(text: str, longest: int) -> str:
    more = len(text) - longest
    return f"{text[:longest]}… ({more} more characters)" if more > 0 else text


def stack(*lines: Text) -> Text:
    """Lines below each other."""
    return Text("\n").join(lines)

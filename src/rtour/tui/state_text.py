"""Values of a key, in full."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from rtour.client.heads import size_of
from rtour.client.wording import pretty, size
from rtour.tui.paint import Piece, block, line, stack


def state_text(state: Mapping[str, bytes | None], title: str) -> Text:
    """Name by name; None is told as unset."""
    lines = [line(Piece(title, "quiet"))]
    for name, value in sorted(state.items()):
        if value is None:
            lines.append(line(Piece(name, "name"), Piece("  not set", "quiet")))
            continue
        lines.append(line(Piece(name, "name"), Piece(f"  {size(size_of(value))}", "quiet")))
        lines.append(block(pretty(value)))
    if not state:
        lines.append(line(Piece("nothing", "quiet")))
    return stack(*lines)

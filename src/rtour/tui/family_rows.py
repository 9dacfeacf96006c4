"""Callers and callees as rows, indented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from rtour.client.model import Invocation
from rtour.client.telling import status
from rtour.tui.grid import Row
from rtour.tui.paint import Piece, Tone, status_piece


def family_rows(
    root: Invocation, called: Mapping[str, Sequence[Invocation]], marked: str
) -> list[Row]:
    """The tree below `root`; the invocation one looks at is marked."""
    rows: list[Row] = []

    def add(invocation: Invocation, lead: str, branch: str) -> None:
        tone: Tone = "strong" if invocation.id == marked else "plain"
        name = f"{lead}{branch}{invocation.target}"
        piece = status_piece(status(msgspec.structs.asdict(invocation)))
        rows.append(Row(invocation.id, (Piece(name, tone), piece)))
        children = called.get(invocation.id, ())
        below = lead + {"": "", "├ ": "│ ", "└ ": "  "}[branch]
        for child in children:
            add(child, below, "└ " if child is children[-1] else "├ ")

    add(root, "", "")
    return rows

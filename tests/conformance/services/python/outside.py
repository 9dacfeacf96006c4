"""The world outside the journal: effects that are counted, and gates that hold a handler up.

Both are files, so a killed endpoint forgets nothing and the tests can read and open them.
"""

from __future__ import annotations

import asyncio
import os
import urllib.parse
from pathlib import Path

FOLDER = Path(os.environ["CONFORMANCE_OUTSIDE"])


def _file(kind: str, tag: str) -> Path:
    return FOLDER / kind / urllib.parse.quote(tag, safe="")


def effect(tag: str, text: str = "") -> int:
    """Append one line under `tag`; the answer counts the lines, this one included."""
    path = _file("effects", tag)
    with path.open("a") as lines:
        lines.write(text.replace("\n", " ") + "\n")
    return len(path.read_text().splitlines())


async def gate(name: str) -> None:
    """Hold this handler up, with nothing journaled, until the test opens the gate."""
    while not _file("gates", name).exists():
        await asyncio.sleep(0.02)  # a file has no event to await


def switched_on(name: str) -> bool:
    """Whether the test holds this switch down."""
    return _file("switches", name).exists()

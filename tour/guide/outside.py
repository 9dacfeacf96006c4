"""The pretended world of `auxiliary/outside.py`, seen from the other side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Outside:
    """The folder in which the payment provider and the mail service keep what has happened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lines(self, kind: str) -> list[dict[str, Any]]:
        """What has happened, oldest first."""
        file = self.folder / f"{kind}.jsonl"
        if not file.is_file():
            return []
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()]

    def since(self, kind: str, count: int) -> list[dict[str, Any]]:
        """What has happened since there were `count` lines."""
        return self.lines(kind)[count:]

    @contextmanager
    def order(self, name: str, text: str = "") -> Iterator[None]:
        """An order to the pretended world, for a while."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / name
        file.write_text(text, "utf-8")
        try:
            yield
        finally:
            file.unlink(missing_ok=True)

"""What was asked before, kept in a file: one JSON value per line, newest last.

A file that cannot be read or written costs the memory, not the work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from rtour.private_files import write_private

T = TypeVar("T")
KEPT = 500


class History(Generic[T]):
    """Values of one type in one file."""

    def __init__(self, path: Path, shape: type[T]) -> None:
        self._path = path
        self._shape = shape

    def all(self) -> list[T]:
        """What is remembered, oldest first; lines that make no sense are passed over."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return []
        found = []
        for text in lines[-KEPT:]:
            try:
                found.append(msgspec.json.decode(text, type=self._shape))
            except msgspec.DecodeError:
                continue
        return found

    def add(self, value: T) -> None:
        """Remembers a value, once if it is the last one again."""
        known = self.all()
        if known and known[-1] == value:
            return
        text = b"\n".join(msgspec.json.encode(each) for each in [*known, value][-KEPT:]) + b"\n"
        try:
            # Requests may hold what only their author should read.
            write_private(self._path, text)
        except OSError:
            return

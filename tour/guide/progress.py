"""What was learned so far, in one small file of the learner's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """Lessons by slug: those that are done, tries since the last success, and where we are."""

    current: str | None = None
    done: list[str] = []
    tries: dict[str, int] = {}

    @classmethod
    def read(cls, file: Path) -> Self:
        """What the file says; nothing learned when there is none, or when it is damaged."""
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError):
            return cls()

    def write(self, file: Path) -> None:
        """Replaces the file in one step."""
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(self)))
        fresh.replace(file)

    def at(self, slug: str) -> Self:
        """The same, standing at another lesson."""
        return msgspec.structs.replace(self, current=slug)

    def succeeded(self, slug: str) -> Self:
        """The same with a lesson done, standing at the first that is not."""
        done = self.done if slug in self.done else [*self.done, slug]
        tries = {each: n for each, n in self.tries.items() if each != slug}
        return msgspec.structs.replace(self, current=None, done=done, tries=tries)

    def failed(self, slug: str) -> Self:
        """The same with one more try."""
        tries = {**self.tries, slug: self.tries.get(slug, 0) + 1}
        return msgspec.structs.replace(self, tries=tries)

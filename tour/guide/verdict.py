"""What a check says: what was seen to work, and the first thing that is missing, with hints."""

from __future__ import annotations

import msgspec


class NotYet(Exception):  # noqa: N818 - no error: the learner is not there yet
    """Ends a check: this was expected, that was seen. Hints go from a nudge to the answer."""

    def __init__(self, expected: str, seen: str, *hints: str) -> None:
        super().__init__(f"{expected}; {seen}")
        self.expected = expected
        self.seen = seen
        self.hints = hints


class Verdict(msgspec.Struct, frozen=True):
    """The result of a check."""

    done: list[str] = []
    expected: str | None = None
    seen: str | None = None
    hints: list[str] = []

    @property
    def passed(self) -> bool:
        """Whether nothing is missing."""
        return self.expected is None

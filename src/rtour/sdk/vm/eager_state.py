"""The state that came with Start, kept in step with the handler's own writes (§5.6).

A partial map knows some keys only; a missing key then says nothing, until it is written, or until
`clear_all` makes the map complete.
"""

from __future__ import annotations

from collections.abc import Iterable

from rtour.protocol import messages as m


class EagerState:
    """What is known of the object's state without asking the server."""

    __slots__ = ("_complete", "_entries")

    def __init__(self, entries: Iterable[m.StateEntry], partial: bool) -> None:
        self._entries: dict[bytes, bytes | None] = {entry.key: entry.value for entry in entries}
        self._complete = not partial

    def get(self, key: bytes) -> m.Value | m.Void | None:
        """Its value, Void when there is none, None when only the server knows."""
        if key in self._entries:
            value = self._entries[key]
            return m.VOID if value is None else m.Value(value)
        return m.VOID if self._complete else None

    def keys(self) -> tuple[bytes, ...] | None:
        """All keys, sorted; None when only the server knows."""
        if not self._complete:
            return None
        return tuple(sorted(key for key, value in self._entries.items() if value is not None))

    def set(self, key: bytes, value: bytes) -> None:
        self._entries[key] = value

    def clear(self, key: bytes) -> None:
        self._entries[key] = None

    def clear_all(self) -> None:
        self._entries.clear()
        self._complete = True

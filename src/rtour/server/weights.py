"""What commands weigh until they are durable: the measure of how much is too much."""

from __future__ import annotations

from typing import Final

from rtour.engine.commands import AttemptEnded, Command, Invoke, ProposeRun, Signal, StoreEntry

_OBJECTS_BYTES: Final = 500  # an estimate of the Python objects beside the contents


def weight(command: Command) -> int:
    """Bytes of memory, roughly; the content counts once, though it is held more than once."""
    kind = type(command)
    if kind is StoreEntry:
        return _OBJECTS_BYTES + len(command.raw)  # type: ignore[union-attr]
    if isinstance(command, AttemptEnded):
        return _OBJECTS_BYTES + sum([weight(each) for each in command.entries])
    if kind is Invoke:
        return _OBJECTS_BYTES + len(command.body)  # type: ignore[union-attr]
    if kind is ProposeRun or kind is Signal:
        return _OBJECTS_BYTES + len(getattr(command.result, "content", b""))  # type: ignore[union-attr]
    return _OBJECTS_BYTES

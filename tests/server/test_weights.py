"""What commands weigh until they are durable."""

from __future__ import annotations

from rtour.engine.commands import AttemptEnded, StoreEntry
from rtour.protocol.messages import MessageType, Output, Value
from rtour.server.weights import weight


def test_an_end_weighs_what_its_entries_do() -> None:
    """An Output is counted, whether it is stored by itself or with its End."""
    output = StoreEntry("a", 1, 1, Output(Value(b"")), MessageType.OUTPUT, bytes(100_000), "d", 6)
    assert weight(output) > 100_000
    assert weight(AttemptEnded("a", 1, entries=(output,))) > 100_000
    assert weight(AttemptEnded("a", 1)) < 1000

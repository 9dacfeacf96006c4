"""Inputs to begin with: what real peers said, from the recordings of the other tests."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]


def streams() -> list[tuple[int, bytes]]:
    """Bytes of the official SDK's attempts, with the protocol version."""
    found = []
    for path in sorted((TESTS / "protocol" / "vectors").glob("*.bin")):
        version = int(path.name.split(".")[-2].removeprefix("v"))
        found.append((version, path.read_bytes()))
    return found

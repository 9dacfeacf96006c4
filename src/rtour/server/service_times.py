"""Times that services made by their own clocks, turned into the server's where that was driven.

A sleep and a delayed send carry an instant. The shifted one is appended to the bytes that the
service sent: of a field that comes twice the last value counts, with every protobuf there is. So
whoever reads the entry sees the server's time, and the rest is byte for byte the SDK's. Replay
takes no notice, as SDKs cannot compare instants: they compute other ones in each attempt.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from rtour.protocol.messages import OneWayCall, Sleep
from rtour.protocol.protobuf import varint

_WAKE_UP_TIME = b"\x08"
_INVOKE_TIME = b"\x20"
_LATEST = (1 << 63) - 1


def shifted(entry: Any, raw: bytes, by_ms: int) -> tuple[Any, bytes]:
    """A command entry and its bytes, with its instant moved by `by_ms`; most have none."""
    if isinstance(entry, Sleep):
        at = _moved(entry.wake_up_time, by_ms)
        return replace(entry, wake_up_time=at), raw + _WAKE_UP_TIME + varint(at)
    if isinstance(entry, OneWayCall) and entry.invoke_time:  # 0 is now, by any clock
        at = _moved(entry.invoke_time, by_ms)
        return replace(entry, invoke_time=at), raw + _INVOKE_TIME + varint(at)
    return entry, raw


def _moved(at: int, by_ms: int) -> int:
    return at if at > _LATEST else min(max(at + by_ms, 1), _LATEST)

"""Instants that services made: moved, for every reader of the bytes, and nothing else with them."""

from __future__ import annotations

from typing import Any

import pytest

from rtour.protocol import messages as m
from rtour.protocol.framing import decode, encode
from rtour.server.service_times import shifted
from tests.protocol import oracle

HEADER = 8
UNKNOWN = b"\xf2\x07\x02hi"  # field 126, of some later version


def stored(message: Any) -> bytes:
    """The bytes of a command as a service sends it, with a field that we do not know."""
    return encode(message, 7)[HEADER:] + UNKNOWN


@pytest.mark.parametrize(
    ("message", "moved"),
    [
        (m.Sleep(5000, 1, "nap"), m.Sleep(5700, 1, "nap")),
        (m.Sleep(0, 1), m.Sleep(700, 1)),
        (m.Sleep(1 << 63, 1), m.Sleep(1 << 63, 1)),
        (m.Sleep((1 << 63) - 1, 1), m.Sleep((1 << 63) - 1, 1)),
        (m.OneWayCall("G", "g", b"x", 3, 9000), m.OneWayCall("G", "g", b"x", 3, 9700)),
    ],
)
def test_instants_are_moved(message: Any, moved: Any) -> None:
    """Our reader and Google's see the new one; what the service sent is still there, unread."""
    raw = stored(message)
    entry, after = shifted(message, raw, 700)
    assert entry == moved
    assert after.startswith(raw)
    type_ = m.MessageType.SLEEP if isinstance(message, m.Sleep) else m.MessageType.ONE_WAY_CALL
    assert decode(int(type_), after) == moved
    known = after.removeprefix(raw)
    second = oracle.classes()[type(message).__name__].FromString(
        encode(message, 7)[HEADER:] + known
    )
    assert second == oracle.of(moved, 7)


@pytest.mark.parametrize(
    "message", [m.OneWayCall("G", "g", b"", 3), m.SetState(b"k", b"v"), m.Run(1, "r")]
)
def test_what_has_no_instant_is_left_alone(message: Any) -> None:
    """Now is now by every clock."""
    raw = stored(message)
    assert shifted(message, raw, 700) == (message, raw)


def test_a_clock_behind_moves_instants_back_but_never_to_now() -> None:
    """After a freeze ours is behind; an `invoke_time` of 0 would mean something else."""
    call = m.OneWayCall("G", "g", b"", 3, 9000)
    entry, _ = shifted(call, stored(call), -8000)
    assert entry.invoke_time == 1000
    entry, _ = shifted(call, stored(call), -10_000)
    assert entry.invoke_time == 1

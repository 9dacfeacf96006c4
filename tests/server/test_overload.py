"""When callers are told to come again: each thing that makes a call late, and none of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rtour.server.overload import LATE_CALLERS, LATE_S, Overload


def overload(
    late_s: float = 0.0,
    pending: int = 0,
    behind_s: float = 0.0,
    *,
    crowded: bool = False,
) -> Overload:
    ready = SimpleNamespace(crowded=crowded, overloaded={"place of busy"}.__contains__)
    rooms: list[Any] = [
        SimpleNamespace(seconds=late_s),
        SimpleNamespace(pending=pending),
        SimpleNamespace(behind_s=behind_s),
        SimpleNamespace(ready=ready),
        SimpleNamespace(place_of="place of {}".format),
    ]
    return Overload(*rooms)


@pytest.mark.parametrize(
    ("rooms", "service", "refused"),
    [
        (overload(), "busy", False),
        (overload(late_s=LATE_S * 2, pending=LATE_CALLERS), "idle", False),
        (overload(late_s=LATE_S, pending=LATE_CALLERS + 1), "idle", False),
        (overload(late_s=LATE_S * 2, pending=LATE_CALLERS + 1), "idle", True),
        (overload(behind_s=LATE_S), "idle", False),
        (overload(behind_s=LATE_S * 2), "idle", True),
        (overload(crowded=True), "idle", False),
        (overload(crowded=True), "busy", True),
    ],
)
def test_callers_are_refused_when_something_is_late(
    rooms: Overload, service: str, *, refused: bool
) -> None:
    """A late loop with many callers, a processor behind, or a full place of the service."""
    assert rooms.refuses(service) is refused

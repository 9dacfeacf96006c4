"""Where rtour answers otherwise than the official server, and why that is meant.

A difference that is not listed fails its scenario; an entry that no longer matches anything fails
`test_known_differences_are_current`. Patterns are shell patterns over scenario names and over the
paths of `observation.leaves` (`step/status`, `step/body/message`, `step journal/3`, …).
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import msgspec

from tests.conformance.endpoints import Sdk
from tests.conformance.observation import Observation, leaves


class Difference(msgspec.Struct, frozen=True):
    """One leaf that differs; `absent` stands for a leaf one side does not have."""

    scenario: str
    path: str
    official: Any
    rtour: Any

    def __str__(self) -> str:
        return f"{self.path}\n    official: {self.official!r}\n    rtour:    {self.rtour!r}"


class Accepted(msgspec.Struct, frozen=True):
    """A difference we mean. `sdk` limits it to one SDK's site."""

    scenario: str
    path: str
    reason: str
    sdk: Sdk | None = None

    def matches(self, difference: Difference, sdk: Sdk) -> bool:
        return (
            fnmatchcase(difference.scenario, self.scenario)
            and fnmatchcase(difference.path, self.path)
            and self.sdk in {None, sdk}
        )


ABSENT = "<absent>"

ACCEPTED: tuple[Accepted, ...] = ()


def differences(scenario: str, official: Observation, rtour: Observation) -> list[Difference]:
    """Every leaf in which the two observations differ."""
    theirs, ours = leaves(official), leaves(rtour)
    return [
        Difference(scenario, path, theirs.get(path, ABSENT), ours.get(path, ABSENT))
        for path in sorted({*theirs, *ours})
        if theirs.get(path, ABSENT) != ours.get(path, ABSENT)
    ]

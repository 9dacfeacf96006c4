"""Where rtour answers otherwise than the official server, and why that is meant.

A difference that is not listed fails its scenario; an entry that no longer matches anything fails
`test_known_differences_are_current`. Patterns are shell patterns over scenario names and over the
paths of `observation.leaves` (`step/status`, `step/body/message`, `step journal/3`, …).
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import msgspec

from tests.conformance.endpoints import Setup
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
    """A difference we mean. `setup` limits it to one."""

    scenario: str
    path: str
    reason: str
    setup: Setup | None = None

    def matches(self, difference: Difference, setup: Setup) -> bool:
        return (
            fnmatchcase(difference.scenario, self.scenario)
            and fnmatchcase(difference.path, self.path)
            and self.setup in {None, setup}
        )


ABSENT = "<absent>"

SAYS_WHERE_IT_ENDS = "past the end of the journal: the refusal says so, and where the end is"
SUPERSET = "official clients send this and the official server refuses it: we accept it"
FROM_THE_START = "the Input is stored and counted when it is accepted, not when it first runs"
PER_ATTEMPT = "every failed attempt keeps its event; the official server drops repeated ones"
JSON_EVERYWHERE = "every refusal of the admin port has a JSON body"

ACCEPTED: tuple[Accepted, ...] = (
    Accepted("restart_from_a_prefix", "from 99/body/message", SAYS_WHERE_IT_ENDS),
    Accepted("ingress_bad_delays", "bare number/*", SUPERSET),
    Accepted("ingress_body_rules", "none with type/*", SUPERSET),
    Accepted("control * pending", "row/journal_*size", FROM_THE_START),
    Accepted("control * scheduled", "row/journal_*size", FROM_THE_START),
    Accepted("inbox_is_first_come_first_served", "waiting/journal_*size", FROM_THE_START),
    Accepted("send_later", "late/journal_*size", FROM_THE_START),
    Accepted("pause_keeps_the_key", "events/*", PER_ATTEMPT),
    Accepted("retry_pauses_on_max", "events/*", PER_ATTEMPT),
    Accepted("retry_until_success", "events/*", PER_ATTEMPT),
    Accepted("retry_after_header", "* code/*", PER_ATTEMPT, "python"),
    Accepted("retry_http_errors", "* code/*", PER_ATTEMPT, "python"),
    Accepted("deployment_is_removed", "no force/*", JSON_EVERYWHERE, "python"),
)


def differences(scenario: str, official: Observation, rtour: Observation) -> list[Difference]:
    """Every leaf in which the two observations differ."""
    theirs, ours = leaves(official), leaves(rtour)
    return [
        Difference(scenario, path, theirs.get(path, ABSENT), ours.get(path, ABSENT))
        for path in sorted({*theirs, *ours})
        if theirs.get(path, ABSENT) != ours.get(path, ABSENT)
    ]

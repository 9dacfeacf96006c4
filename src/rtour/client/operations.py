"""What can be done to an invocation: the words it is told in, and the statuses it applies to."""

from __future__ import annotations

import msgspec


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What is done, in the words it is told in, and to which statuses it can be done."""

    name: str
    done: str
    applies_to: str
    allowed: str


OPERATIONS = {
    each.name: each
    for each in (
        Operation(
            name="cancel",
            done="cancelled",
            applies_to="inv.status != 'completed'",
            allowed="unfinished",
        ),
        Operation(
            name="kill",
            done="killed",
            applies_to="inv.status != 'completed'",
            allowed="unfinished",
        ),
        Operation(
            name="purge",
            done="purged",
            applies_to="inv.status = 'completed'",
            allowed="completed",
        ),
        Operation(
            name="pause",
            done="paused",
            applies_to="inv.status IN ('running', 'backing-off', 'ready', 'suspended')",
            allowed="running",
        ),
        Operation(
            name="resume",
            done="resumed",
            applies_to="inv.status IN ('paused', 'running', 'backing-off', 'ready', 'suspended')",
            allowed="paused, backing-off or suspended",
        ),
        Operation(
            name="restart-as-new",
            done="restarted",
            applies_to="inv.status = 'completed'",
            allowed="completed",
        ),
    )
}

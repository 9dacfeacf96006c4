"""Which status may follow which, for each command: the one place that says so.

`apply` asserts every put and delete of the commanded invocation against this table, and the
diagram in docs/reference/lifecycle.md is drawn from it. None stands for an absent invocation.
A status always may stay as it is: a command that does not fit is dropped, not an error.
"""

from __future__ import annotations

from rtour.engine import commands as c
from rtour.engine.model import Status

S = Status.SCHEDULED
Q = Status.INBOXED
R = Status.INVOKED
Z = Status.SUSPENDED
P = Status.PAUSED
E = Status.COMPLETED

Statuses = frozenset[Status | None]
ENDED: Statuses = frozenset({E, None})
_WAKE: dict[Status | None, Statuses] = {Z: frozenset({R})}

ALLOWED: dict[type, dict[Status | None, Statuses]] = {
    c.Invoke: {None: frozenset({S, Q, R})},
    c.Begin: {Q: frozenset({R})},
    c.FireTimer: {S: frozenset({Q, R}), **_WAKE},
    c.StoreEntry: {},
    c.ProposeRun: {},
    c.AttemptSuspended: {R: frozenset({Z, P})},
    c.AttemptFailed: {R: frozenset({P})},
    c.AttemptExhausted: {R: ENDED | {P}},
    c.AttemptPaused: {R: frozenset({P})},
    c.AttemptEnded: {R: ENDED},
    c.Complete: _WAKE,
    c.Signal: _WAKE,
    c.Attach: {},
    c.Detach: {},
    c.Tell: {},
    c.GetOutput: {},
    c.Cancel: {S: frozenset({None}), Q: frozenset({None}), P: frozenset({R}), **_WAKE},
    c.Kill: {
        S: frozenset({None}),
        Q: frozenset({None}),
        R: ENDED,
        Z: ENDED,
        P: ENDED,
    },
    c.Pause: {},
    c.Resume: {Z: frozenset({R}), P: frozenset({R})},
    c.Purge: {E: frozenset({None})},
    c.PurgeJournal: {},
    c.Expire: {E: frozenset({None})},
    c.RestartAsNew: {None: frozenset({Q, R})},
    c.PatchState: {},
    c.StoreDocuments: {},
}


def may_follow(command: type, before: Status | None, after: Status | None) -> bool:
    """Whether `command` may take an invocation from `before` to `after`."""
    return after is before or after in ALLOWED[command].get(before, frozenset())

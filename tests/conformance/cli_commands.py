"""The command lines of the official CLI that both servers are asked, in this order.

Looking comes first, then what changes something, each followed by a look at what it did. `dev`,
`example` and `cloud` talk to no server that is ours.
"""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable

import msgspec

from tests.conformance.cli_stage import Stage

After = Callable[[Stage], Awaitable[None]]


class Command(msgspec.Struct, frozen=True):
    """One command line, and what to wait for before the next."""

    line: str
    after: After | None = None
    edit: str = ""
    """What the editor does to the file, in sh; the file is `$1`."""

    @property
    def arguments(self) -> list[str]:
        return shlex.split(self.line)


def until(label: str, status: str, condition: str = "true") -> After:
    return lambda stage: stage.until(label, status, condition)


def gone(label: str) -> After:
    return lambda stage: stage.gone(label)


_STATUSES = (
    *("scheduled", "pending", "ready", "running"),
    *("suspended", "backing-off", "paused", "completed"),
)
_LABELS = (
    *("succeeded", "failed", "backing off", "suspended", "scheduled", "running", "pending"),
    *("paused", "caller", "stateful", "waiting flow", "orphan"),
)
_ROWS = "SELECT id, status, target, completion_result, completion_retention, journal_size"
_BY_AGE = "FROM sys_invocation ORDER BY created_at"

LOOKS = (
    "whoami",
    "services list",
    "services list --extra",
    "services list --public-only",
    "services describe Svc",
    "services describe Obj",
    "services describe Flow",
    "services describe Nope",
    "services status",
    "services status Obj",
    "services status Svc",
    "services status Nope",
    "services config view Svc",
    "services config view Obj",
    "services config view Flow",
    "deployments list",
    "deployments list --extra",
    "deployments describe {dp}",
    "deployments describe {dp} --extra",
    "deployments describe {dp old}",
    "deployments describe nonsense",
    "invocations list",
    "invocations list --all",
    "invocations list --all --oldest-first --limit 3",
    *(f"invocations list --status {status}" for status in _STATUSES),
    "invocations list --status paused,suspended",
    "invocations list --service Svc,Obj --all",
    "invocations list --handler run --key lock",
    "invocations list --deployment {dp}",
    "invocations list --completion-result success",
    "invocations list --completion-result failure",
    "invocations list --virtual-objects-only --all",
    "invocations list --zombie",
    *(f"invocations describe {{{label}}}" for label in _LABELS),
    "invocations describe inv_1fUaGEvYLgZL4OtMmlDYAmgV5PxRBvDDVr",
    "invocations describe nonsense",
    "state get Obj s",
    "state get Obj s --plain",
    "state get Obj s --binary",
    "state get Obj nobody",
    "state get Svc s",
    "state get Nope s",
    f'sql "{_ROWS} {_BY_AGE}"',
    f'sql --json "{_ROWS} {_BY_AGE}"',
    f'sql --jsonl "{_ROWS} {_BY_AGE}"',
    'sql "SELECT count(*), max(journal_size), min(created_at) FROM sys_invocation"',
    (
        'sql "SELECT index, entry_type, name, raw_length > 0 FROM sys_journal'
        " WHERE id = '{succeeded}' ORDER BY index\""
    ),
    "sql \"SELECT key, value, value_utf8 FROM state WHERE service_key = 's' ORDER BY key\"",
    'sql "SELECT nope FROM state"',
    'sql "SELECT * FROM nope"',
    'sql "selec 1"',
    'sql "DELETE FROM state"',
    "subscriptions list",
    "kafka-clusters list",
    "kafka-clusters describe x",
    "subscriptions describe x",
    "rules list",
    "rules list -x",
    "vqueues list",
)

_PATCH = '[{"op": "replace", "path": "/seat", "value": 8}]'
CHANGES = (
    Command("services config patch Svc --yes --public false --idempotency-retention 2h"),
    Command("services config view Svc"),
    Command("services config edit Svc --yes", edit='sed -i "s/false/true/" "$1"'),
    Command("services config view Svc"),
    Command("rules disable --yes tenant/*"),
    Command("services config patch Nope --yes --public false"),
    Command(f"state patch Obj s --yes --patch {shlex.quote(_PATCH)}"),
    Command("state edit Obj s --yes", edit='sed -i "s/reserved/sold/" "$1"'),
    Command("state edit Svc s --yes"),
    Command("state clear Obj/s --yes"),
    Command("state clear Obj/nobody --yes"),
    Command("state get Obj nobody"),
    Command("invocations cancel --yes {suspended}", until("suspended", "completed")),
    Command("invocations describe {suspended}"),
    Command("invocations cancel --yes Svc/run --limit 2", gone("scheduled")),
    Command("invocations cancel --yes {scheduled}"),
    Command("invocations cancel --yes Nobody"),
    Command("invocations cancel {running}"),
    Command("invocations kill --yes {pending}", gone("pending")),
    Command("invocations kill --yes Obj/lock", until("running", "completed")),
    Command("invocations kill --yes QuickObj", until("caller", "completed")),
    Command("invocations pause --yes {waiting flow}"),
    Command("invocations pause --yes {succeeded}"),
    Command("invocations resume --yes {paused}", until("paused", "paused", "journal_size > 0")),
    Command("invocations resume --yes {paused} --deployment latest"),
    Command("invocations resume --yes {succeeded}"),
    Command("invocations restart-as-new --yes {succeeded}"),
    Command("invocations restart-as-new --yes {waiting flow}"),
    Command("invocations purge --yes {failed}", gone("failed")),
    Command("invocations purge --yes {failed}"),
    Command("invocations purge --yes Quick/run"),
    Command("deployments register --yes {spare address} --use-http1.1"),
    Command("services describe Spare"),
    Command("deployments register --yes {spare address} --use-http1.1"),
    Command("deployments register --yes {spare address} --use-http1.1 --force"),
    Command("services list"),
    Command("deployments register --yes http://127.0.0.1:9 --use-http1.1"),
    Command("deployments register --yes nonsense:/x"),
    Command("deployments remove --yes {dp}"),
    Command("deployments remove --yes {dp old}"),
)
COMMANDS: tuple[Command, ...] = (*(Command(line) for line in LOOKS), *CHANGES)

"""What commands print in the states that matter, kept as text: `pytest --rewrite tests/cli`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from rtour.cli.frontpage import version
from tests.cli.commands import argv, furnish
from tests.cli.fake_server import FakeServer
from tests.cli.terminal import Terminal

SNAPSHOTS = Path(__file__).parent / "snapshots"

# A file per subject; a line per command. `{status}` is an invocation in that status.
SUBJECTS: dict[str, list[str]] = {
    "deployments": [
        "deployments list",
        "deployments list --extra",
        "deployments describe {deployment}",
        "deployments register localhost:9999 --yes",
        "deployments register localhost:9999 --dry-run -o json",
        "deployments register {uri}",
        "deployments register {uri} --force --dry-run",
        "deployments remove {deployment}",
        "deployments remove {deployment} --force --yes",
        "deployments describe dp_1aaaaaaaaaaaaaaaaaaaaaa",
    ],
    "services": [
        "services list",
        "services list --extra -o jsonl --columns name,endpoint",
        "services describe CartObject",
        "services describe Nope",
        "services status",
        "services status CartObject",
        "services config view Signup",
        "services config patch CartObject --inactivity-timeout 5m --public false --yes",
        "services config patch CartObject --inactivity-timeout 5m --dry-run",
    ],
    "invocations": [
        "invocations list",
        "invocations list --all --oldest-first --limit 3",
        "invocations list --service CartObject --key Mary --all --columns id,status,retry-count",
        "invocations list --status backing-off,paused --no-headers",
        "invocations list --completion-result failure -o json",
        "invocations list --zombie",
        "invocations tree {called}",
        "invocations attach {completed}",
        "invocations wait {completed}",
        "invocations wait {suspended} --timeout 0",
    ],
    "describe": [
        f"invocations describe {{{status}}}"
        for status in (
            "called",
            "scheduled",
            "pending",
            "running",
            "suspended",
            "backing-off",
            "paused",
        )
    ]
    + [
        "invocations describe {called} --raw",
        "invocations describe {called} --no-children --time-format iso8601",
        "invocations describe inv_1aaaaaaaaaaa0000000000000000000000",
    ],
    "why": [
        f"why {{{status}}}"
        for status in (
            "completed",
            "failed",
            "scheduled",
            "pending",
            "running",
            "holding",
            "backing-off",
            "paused",
            "approving",
            "waiting",
        )
    ],
    "trace": [
        f"trace {{{status}}}"
        for status in (
            "called",
            "failed",
            "scheduled",
            "pending",
            "running",
            "suspended",
            "backing-off",
            "paused",
            "waiting",
        )
    ]
    + [
        "trace {called} -o jsonl --columns kind,name,parent,took_ms",
        "trace {called} -o text --columns kind,name,status",
        "trace inv_1aaaaaaaaaaa0000000000000000000000",
    ],
    "operations": [
        "invocations cancel CartObject/Mary --dry-run",
        "invocations cancel {suspended} --yes",
        "invocations cancel --kill {suspended} --yes",
        "invocations cancel {completed} --yes",
        "invocations cancel {completed} {suspended} --yes",
        "invocations cancel inv_1aaaaaaaaaaa0000000000000000000000 --yes",
        "invocations cancel Nobody --yes",
        "invocations purge Greeter/greet --yes",
        "invocations pause {backing-off} --yes",
        "invocations resume {paused} --deployment latest --yes",
        "invocations restart-as-new {completed} --yes",
        "invocations kill {suspended}",
    ],
    "state": [
        "kv get CartObject Mary",
        "kv get --plain CartObject Mary",
        "kv get CartObject Mary tickets -o json",
        "kv get CartObject Mary nope",
        "kv get CartObject Nobody",
        "kv get Greeter x",
        "kv list CartObject",
        "kv set CartObject Bob tickets=[] --yes",
        "kv set CartObject Mary tickets=[] --yes",
        "kv set CartObject Bob tickets=oops",
        "kv clear CartObject/Mary --dry-run",
        "kv clear CartObject/Nobody --yes",
    ],
    "call": [
        "call Greeter/greet 1",
        "call Greeter/greet 1 -o json",
        "call Greeter/refuse 1",
        "call Greeter/greet",
        "call Greeter/ping 1",
        "call CartObject/addTicket 1",
        "call Greeter/key/greet 1",
        "call Greeter/nope",
        "call Nope/nope",
        "call CartObject/a/b/addTicket 1 --dry-run --idempotency-key k1",
        "send Greeter/greet 1 --delay 1h",
        "awakeables resolve {awakeable} 1",
        "awakeables reject {awakeable} no",
        "awakeables resolve sign_1x 1",
    ],
    "sql": [
        "sql 'SELECT name, ty, public FROM sys_service ORDER BY name'",
        "sql 'SELECT name, ty FROM sys_service ORDER BY name' --jsonl",
        "sql 'SELECT nope'",
    ],
    "kafka": [
        "kafka-clusters list",
        "kafka-clusters describe main",
        "kafka-clusters describe nope",
        "kafka-clusters patch main --set client.id=x --dry-run",
        "subscriptions list",
        "subscriptions describe {subscription}",
        "subscriptions create kafka://main/t service://Greeter/greet a=b --dry-run",
    ],
    "flow-control": [
        "rules list",
        "rules set 'scope/*' --concurrency 5 --yes",
        "rules set 'scope/*'",
        "rules disable 'tickets/*' --dry-run",
        "rules delete 'nope/*' --yes",
        "vqueues list",
        "vqueues describe vq_1a",
        "vqueues describe vq_1b",
    ],
    "time": [
        "time",
        "time show -o json",
        "time skip 15m",
        "time skip --to-next -o text",
        "time skip",
        "time skip 1h --to-next",
        "time freeze",
        "time auto",
    ],
    "this-tool": ["info", "config view", "config list-environments", "doctor -o text"],
}
# The same on a terminal of 80 columns without colours: nothing cut, nothing wider.
NARROW = [
    "deployments list --extra",
    "services describe CartObject",
    "services status",
    "invocations list --all",
    "invocations describe {called}",
    "invocations list --table-style borders --columns id,status",
    "sql 'SELECT * FROM sys_service ORDER BY name'",
]


@pytest.fixture
def terminal(server: FakeServer, tmp_path: Path) -> Terminal:
    furnish(server)
    return Terminal(server, tmp_path, {"EDITOR": "true"})


def _words(server: FakeServer, line: str) -> list[str]:
    named = {
        "deployment": argv(server, "deployments describe")[-1],
        "called": server.id_of("CartObject/Mary/addTicket"),
        "failed": server.id_of("Greeter/refuse"),
        "holding": server.id_of("CartObject/Mary/hold"),
        "approving": server.id_of("Greeter/approve"),
        "waiting": server.id_of("Signup/u1/run"),
        "awakeable": argv(server, "awakeables resolve")[2],
        "subscription": argv(server, "subscriptions describe")[-1],
        "uri": server.admin["/deployments"]["deployments"][0]["uri"],
        **{
            status: server.ids(status)[0]
            for status in (
                "completed",
                "scheduled",
                "pending",
                "running",
                "suspended",
                "backing-off",
                "paused",
            )
        },
    }
    words = re.findall(r"'[^']*'|\S+", line)
    return [re.sub(r"\{([a-z-]+)\}", lambda m: named[m[1]], word.strip("'")) for word in words]


def _transcript(terminal: Terminal, lines: list[str], *, tty: bool) -> str:
    parts = []
    for line in lines:
        # Each command meets the recorded world, not what the one before left of it.
        fresh = Terminal(FakeServer(), terminal.home, terminal.env)
        furnish(fresh.server)
        result = fresh.run(*_words(fresh.server, line), tty=tty)
        streams = [result.out, *(f"! {each}\n" for each in result.err.splitlines())]
        parts.append(f"$ rtour {line}\n{''.join(streams)}[{result.code}]\n")
    text = "\n".join(parts)
    for machine, everywhere in (
        (str(terminal.home), "~"),
        (sys.version.split()[0], "PYTHON"),
        (version(), "VERSION"),
    ):
        text = text.replace(machine, everywhere)
    return text


@pytest.mark.parametrize("subject", [*SUBJECTS, "narrow"])
def test_commands_print_what_the_snapshot_says(
    terminal: Terminal, subject: str, rewrite: bool
) -> None:
    """Output, messages and exit codes stay as they were looked at and agreed to."""
    narrow = subject == "narrow"
    if narrow:
        terminal.env["NO_COLOR"] = "1"
    found = _transcript(terminal, NARROW if narrow else SUBJECTS[subject], tty=narrow)
    path = SNAPSHOTS / f"{subject}.txt"
    if rewrite:
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(found, "utf-8")
    assert found == path.read_text("utf-8")


def test_narrow_terminal_is_never_overrun(terminal: Terminal) -> None:
    """On 80 columns no line is longer than 80, and every id is whole."""
    terminal.env["NO_COLOR"] = "1"
    result = terminal.run("invocations", "list", "--all", tty=True)
    assert max(map(len, result.out.splitlines())) <= 80
    everything = json.loads(terminal.run("invocations", "list", "--all", "-o", "json").out)
    for row in everything:
        assert row["id"] in result.out

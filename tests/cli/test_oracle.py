"""Every command works against the official server and against ours, with the same JSON."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rtour.cli.dispatch import run
from rtour.cli.session import World
from tests.cli.record import Site
from tests.cli.shapes import documented, shape
from tests.cli.terminal import Result, Stream
from tests.conformance.servers import KINDS, Kind

pytestmark = pytest.mark.oracle


class RealTerminal:
    """A terminal in front of a real server."""

    def __init__(self, site: Site, home: Path) -> None:
        self.site = site
        self.home = home

    def run(self, *argv: str, stdin: str = "") -> Result:
        """Runs one command line."""
        out, err = Stream(), Stream()
        env = {
            "HOME": str(self.home),
            "RESTATE_ADMIN_URL": self.site.server.admin_url,
            "RESTATE_INGRESS_URL": self.site.server.ingress_url,
            "EDITOR": "true",
        }
        world = World(env=env, cwd=self.home, stdin=Stream(stdin.encode()), stdout=out, stderr=err)
        code = run(list(argv), world)
        return Result(code, out.text(), err.text())

    def json(self, *argv: str, code: int = 0, stdin: str = "") -> Any:
        """The JSON of a command that ends as expected."""
        result = self.run(*argv, "-o", "json", stdin=stdin)
        assert result.code == code, result.err
        return json.loads(result.out)

    def sent(self, target: str, body: str, *more: str) -> str:
        """The id of a new invocation."""
        return str(self.json("send", target, body, *more)["invocation_id"])


@pytest.fixture(scope="module", params=KINDS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    kind: Kind = request.param
    made = Site(kind, tmp_path_factory.mktemp(kind))
    try:
        asyncio.run(made.start())
        asyncio.run(made.play())
        yield made
    finally:
        made.stop()


@pytest.fixture
def terminal(site: Site, tmp_path: Path) -> RealTerminal:
    return RealTerminal(site, tmp_path)


def _check(name: str, value: Any) -> None:
    """The keys are those of the reference; a list must have something to compare."""
    assert value != [], name
    assert _keys(shape(value)) <= _keys(documented()[name]), name


def _keys(of: Any, path: str = "") -> set[str]:
    if isinstance(of, list):
        return _keys(of[0], path + "[]")
    if not isinstance(of, dict):
        return set()
    own = {f"{path}.{key}" for key in of}
    return own.union(*(_keys(each, f"{path}.{key}") for key, each in of.items()))


READS = {
    "deployments list": ["deployments", "list", "--extra"],
    "services list": ["services", "list"],
    "services describe": ["services", "describe", "CartObject"],
    "services status": ["services", "status"],
    "services config view": ["services", "config", "view", "Signup"],
    "invocations list": ["invocations", "list", "--all"],
    "kv get": ["kv", "get", "CartObject", "Mary"],
    "kv list": ["kv", "list", "CartObject"],
    "sql": ["sql", "SELECT name, ty FROM sys_service ORDER BY name"],
    "info": ["info"],
    "doctor": ["doctor"],
}


@pytest.mark.parametrize("name", READS)
def test_reading_commands(terminal: RealTerminal, name: str) -> None:
    """What is shown has the documented keys on both servers."""
    _check(name, terminal.json(*READS[name]))


def test_every_status_is_listed_described_and_explained(terminal: RealTerminal) -> None:
    """list, describe, tree, trace and why understand whatever status there is."""
    rows = terminal.json("invocations", "list", "--all", "--oldest-first")
    assert {"scheduled", "pending", "running", "suspended", "paused", "completed"} <= {
        row["status"] for row in rows
    }
    for row in rows:
        _check("invocations describe", terminal.json("invocations", "describe", row["id"]))
        _check("invocations tree", terminal.json("invocations", "tree", row["id"]))
        _check("trace", terminal.json("trace", row["id"]))
        assert terminal.run("trace", row["id"]).code == 0
        reason = terminal.json("why", row["id"])
        _check("why", reason)
        assert reason["why"].endswith(".")


def test_filters_of_list(terminal: RealTerminal) -> None:
    """Each filter of `invocations list` is understood and narrows the list."""
    for words in (
        ["--service", "Greeter"],
        ["--handler", "greet", "--all"],
        ["--key", "Mary"],
        ["--deployment", terminal.site.deployment_id],
        ["--status", "suspended,paused"],
        ["--completion-result", "failure"],
        ["--virtual-objects-only", "--all"],
    ):
        assert terminal.json("invocations", "list", *words) != [], words
    assert terminal.json("invocations", "list", "--zombie") == []
    assert terminal.json("invocations", "list", "--service", "O'Brien", "--all") == []


def test_call_send_attach_wait(terminal: RealTerminal) -> None:
    """A handler is invoked, its result awaited, its failure told."""
    assert terminal.run("call", "Greeter/greet", '"Ada"').out == '"Hello Ada"\n'
    _check("call", terminal.json("call", "Greeter/greet", '"Ada"'))
    assert terminal.run("call", "Greeter/refuse", '"no"').code == 6
    assert terminal.run("call", "Greeter/nope").code == 3
    identity = terminal.sent("Greeter/greet", '"Bob"', "--idempotency-key", "k1")
    assert terminal.run("invocations", "attach", identity).out == '"Hello Bob"\n'
    rows = terminal.json("invocations", "wait", identity)
    _check("invocations wait", rows)
    assert terminal.sent("Greeter/greet", '"Bob"', "--idempotency-key", "k1") == identity


def test_operations(terminal: RealTerminal) -> None:
    """cancel, kill, purge, pause, resume, restart-as-new: done or refused, never silently."""
    napping = terminal.sent("Greeter/nap", "3600")
    _check("invocations cancel", terminal.json("invocations", "cancel", napping, "--yes"))
    assert terminal.run("invocations", "wait", napping, "--timeout", "20").code == 6
    assert terminal.run("invocations", "cancel", napping, "--yes").code == 4
    restarted = terminal.json("invocations", "restart-as-new", napping, "--yes")
    _check("invocations restart-as-new", restarted)
    again = restarted[0]["new_id"]
    _check("invocations kill", terminal.json("invocations", "kill", again, "--yes"))
    assert terminal.run("invocations", "wait", again, "--timeout", "20").code == 6
    _check("invocations purge", terminal.json("invocations", "purge", napping, "--yes"))
    assert terminal.run("invocations", "describe", napping).code == 3
    listed = terminal.run("invocations", "list", "--status", "paused", "-o", "jsonl").out
    resumed = terminal.json("invocations", "resume", "-", "--yes", stdin=listed)
    _check("invocations resume", resumed)
    failing = [row["id"] for row in resumed]
    _check("invocations pause", terminal.json("invocations", "pause", *failing, "--yes"))


def _asked(terminal: RealTerminal) -> tuple[str, str]:
    """An invocation that waits for somebody outside, and the awakeable it waits for."""
    identity = terminal.sent("Greeter/approve", '"raise"')
    asking: list[str] = []
    while not asking:  # until the handler has asked
        journal = terminal.json("invocations", "describe", identity)["journal"]
        asking = [
            entry["outcome"]["value"]
            for entry in journal
            if entry["kind"] == "Run" and entry["outcome"] and not entry["notification"]
        ]
    return identity, asking[0]


def test_awakeables(terminal: RealTerminal) -> None:
    """Resolving one finishes its invocation, rejecting one fails it with the reason given."""
    identity, awakeable = _asked(terminal)
    _check("awakeables resolve", terminal.json("awakeables", "resolve", awakeable, '"yes"'))
    assert terminal.run("invocations", "attach", identity, "--timeout", "20").out == '"yes"\n'
    identity, awakeable = _asked(terminal)
    _check("awakeables reject", terminal.json("awakeables", "reject", awakeable, "not today"))
    failed = terminal.run("invocations", "attach", identity, "--timeout", "20")
    assert failed.code != 0
    assert "not today" in failed.err


def test_watching_goes_on_until_ctrl_c(terminal: RealTerminal) -> None:
    """What is watched is shown, and being told to end is no failure."""
    identity = terminal.sent("Greeter/nap", "600")
    command = [sys.executable, "-m", "rtour", "invocations", "watch", identity]
    env = {**os.environ, "RESTATE_ADMIN_URL": terminal.site.server.admin_url}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        shown = any(identity in line for line in watching.stdout)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) in {0, 130}
    assert shown
    _check("invocations kill", terminal.json("invocations", "kill", identity, "--yes"))


def test_state(terminal: RealTerminal) -> None:
    """State is set, patched and cleared, with the version check of the server."""
    _check("kv set", terminal.json("kv", "set", "CartObject", "Eve", 'tickets=["a"]', "--yes"))
    patch = '[{"op": "add", "path": "/tickets/-", "value": "b"}]'
    _check("kv patch", terminal.json("kv", "patch", "CartObject", "Eve", patch, "--yes"))
    assert terminal.run("kv", "get", "--plain", "CartObject", "Eve").out == (
        '{"tickets":["a","b"]}\n'
    )
    assert terminal.run("call", "CartObject/Eve/peek").out == '["a", "b"]\n'
    _check("kv clear", terminal.json("kv", "clear", "CartObject/Eve", "--yes"))


def test_configuration(terminal: RealTerminal) -> None:
    """A service's configuration is changed and shows the change."""
    words = ["services", "config", "patch", "Signup", "--abort-timeout", "7m", "--yes"]
    changed = terminal.json(*words)
    _check("services config patch", changed)
    assert changed["abort_timeout"] == "7m"


def test_editing_without_a_change(terminal: RealTerminal) -> None:
    """What an editor leaves as it is, is left as it is."""
    for words in (
        ["services", "config", "edit", "Greeter"],
        ["kv", "edit", "CartObject", "Mary"],
    ):
        result = terminal.run(*words)
        assert result.code == 0, result.err
        assert "nothing to change" in result.err


def test_registration(terminal: RealTerminal) -> None:
    """A known URL changes nothing, --force discovers it again, a dead one is a failure."""
    uri = terminal.site.uri
    known = terminal.json("deployments", "register", uri, "--yes")
    _check("deployments register", known)
    assert known["result"] == "unchanged"
    again = terminal.json("deployments", "register", uri, "--force", "--yes")
    assert again["result"] == "registered"
    detail = terminal.json("deployments", "describe", again["id"])
    _check("deployments describe", detail)
    assert terminal.run("deployments", "remove", again["id"], "--yes").code == 4
    assert terminal.run("deployments", "register", "localhost:1", "--yes").code == 1


def test_kafka(terminal: RealTerminal) -> None:
    """Clusters and subscriptions come and go; both servers know the same words."""
    words = ["kafka-clusters", "create", "c1", "bootstrap.servers=127.0.0.1:1", "--yes"]
    assert terminal.json("subscriptions", "list") == []
    _check("kafka-clusters create", terminal.json(*words))
    _check("kafka-clusters list", terminal.json("kafka-clusters", "list"))
    _check("kafka-clusters describe", terminal.json("kafka-clusters", "describe", "c1"))
    changed = terminal.json("kafka-clusters", "patch", "c1", "--set", "client.id=x", "--yes")
    _check("kafka-clusters patch", changed)
    assert changed["properties"]["client.id"] == "x"
    assert "nothing to change" in terminal.run("kafka-clusters", "edit", "c1").err
    secret = ["kafka-clusters", "create", "c2", "bootstrap.servers=127.0.0.1:1"]
    terminal.json(*secret, "sasl.password=hunter2", "--yes")
    kept = terminal.run("kafka-clusters", "patch", "c2", "--set", "client.id=x", "--yes")
    if terminal.site.server.kind == "official":  # it would store the ***
        assert kept.code == 1
        assert "--set sasl.password=VALUE" in kept.err
    else:
        assert kept.code == 0
    terminal.json("kafka-clusters", "delete", "c2", "--yes")
    fed = ["subscriptions", "create", "kafka://c1/orders", "service://Greeter/greet", "--yes"]
    made = terminal.json(*fed)
    _check("subscriptions create", made)
    _check("subscriptions list", terminal.json("subscriptions", "list"))
    described = terminal.json("subscriptions", "describe", made["id"])
    assert (described["reading"] is None) == (terminal.site.server.kind == "official")
    refused = terminal.run("kafka-clusters", "delete", "c1", "--yes")
    assert refused.code == 4
    assert "orphan" in refused.err
    _check("subscriptions delete", terminal.json("subscriptions", "delete", made["id"], "--yes"))
    _check("kafka-clusters delete", terminal.json("kafka-clusters", "delete", "c1", "--yes"))


def test_flow_control(terminal: RealTerminal) -> None:
    """Rules are written with the version check of the server; queues can be listed."""
    assert terminal.json("vqueues", "list") == []
    assert terminal.run("vqueues", "describe", "vq_1nothing").code != 0
    words = ["rules", "set", "tickets/*", "--concurrency", "3", "--yes"]
    made = terminal.run(*words, "-o", "json")
    if terminal.site.server.kind == "rtour" and made.code != 0:
        assert "Traceback" not in made.err  # flow control is a matter of the server
        return
    _check("rules set", json.loads(made.out))
    _check("rules disable", terminal.json("rules", "disable", "tickets/*", "--yes"))
    _check("rules list", terminal.json("rules", "list"))
    _check("rules enable", terminal.json("rules", "enable", "tickets/*", "--yes"))
    _check("rules delete", terminal.json("rules", "delete", "tickets/*", "--yes"))
    assert terminal.run("rules", "delete", "tickets/*", "--yes").code == 3


def test_seed_commands(terminal: RealTerminal) -> None:
    """The commands of the tour of Restate, with `restate` replaced by `rtour`."""
    uri = terminal.site.uri
    failing = terminal.sent("Greeter/stumble", '"again"')
    for line in (
        f"deployments register {uri} --yes",
        "services list",
        "invocations list",
        f"invocations describe {failing}",
        f"invocations cancel --kill {failing} --yes",
        "kv get CartObject Mary",
    ):
        result = terminal.run(*line.split())
        assert result.code == 0, f"{line}\n{result.err}"
        assert result.out

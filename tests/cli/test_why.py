"""`why` finds the reason, for every status and through locks, calls and lost deployments."""

from __future__ import annotations

import json

from rtour.ids import awakeable_id
from tests.cli.fake_server import FakeServer
from tests.cli.terminal import Terminal


def _why(terminal: Terminal, identity: str) -> dict[str, str]:
    result = terminal.run("why", identity, "-o", "json")
    assert result.code == 0, result.err
    return dict(json.loads(result.out))


def _set(server: FakeServer, identity: str, **columns: object) -> None:
    for name, value in columns.items():
        server.db.execute(f"UPDATE sys_invocation SET {name} = ? WHERE id = ?", [value, identity])


def test_ready_waits_for_the_server(server: FakeServer, terminal: Terminal) -> None:
    """A ready invocation waits for an attempt to be started, and says since when."""
    identity = server.ids("running")[0]
    _set(server, identity, status="ready")
    assert _why(terminal, identity)["why"].startswith("It is ready to run, since 4")


def test_unknown_status_is_named(server: FakeServer, terminal: Terminal) -> None:
    """A status of a newer server is said as it is, not guessed at."""
    identity = server.ids("running")[0]
    _set(server, identity, status="hibernating")
    assert "'hibernating'" in _why(terminal, identity)["why"]


def test_gone_deployment_is_the_reason(server: FakeServer, terminal: Terminal) -> None:
    """Without its deployment no attempt can succeed: that comes first, with the way out."""
    identity = server.ids("backing-off")[0]
    _set(server, identity, pinned_deployment_id="dp_1aaaaaaaaaaaaaaaaaaaaaa")
    reason = _why(terminal, identity)
    assert reason["why"].startswith("Its deployment dp_1aaaaaaaaaaaaaaaaaaaaaa is gone")
    assert reason["next"].endswith("--deployment latest")


def test_key_blames_its_holder_and_what_that_waits_for(
    server: FakeServer, terminal: Terminal
) -> None:
    """A pending invocation is explained by the one that holds its key."""
    reason = _why(terminal, server.ids("pending")[0])
    holder = server.id_of("CartObject/Mary/hold")
    assert reason["blamed"] == holder
    assert f"held by {holder} (hold, suspended)" in reason["why"]
    assert "its sleep to end" in reason["why"]


def test_queue_says_how_many_are_ahead(server: FakeServer, terminal: Terminal) -> None:
    """Behind others in line, their number is told."""
    identity = server.ids("pending")[0]
    row = {"service_name": "CartObject", "service_key": "Mary", "id": "inv_other"}
    server.insert("sys_inbox", {**row, "sequence_number": -1})
    assert "1 more in line before it" in _why(terminal, identity)["why"]


def test_call_points_to_the_callee(server: FakeServer, terminal: Terminal) -> None:
    """A suspended caller is explained by whom it called, and why is asked of that one next."""
    caller = server.id_of("CartObject/Mary/addTicket")
    callee = server.id_of("Greeter/grind")
    row = server.db.execute(
        'SELECT * FROM sys_journal WHERE id = ? AND "index" = 3', [caller]
    ).fetchone()
    entry = row["entry_json"].replace(server.id_of("Greeter/greet"), callee)
    called = json.loads(entry)["Command"]["Call"]["request"]["invocation_id"]
    entry = entry.replace(called, callee)
    server.db.execute('DELETE FROM sys_journal WHERE id = ? AND "index" >= 3', [caller])
    server.insert("sys_journal", {**dict(row), "entry_json": entry})
    _set(
        server,
        caller,
        status="suspended",
        suspended_waiting_for_completions="[3]",
        suspended_waiting_for_signals="[1]",
    )
    reason = _why(terminal, caller)
    assert f"Greeter/greet to answer ({callee}, running)" in reason["why"]
    assert reason["next"] == f"rtour why {callee}"


def test_what_is_combined_is_waited_for(server: FakeServer, terminal: Terminal) -> None:
    """Of what a combination waits for only the tree of futures knows; names in it are no ids."""
    identity = server.id_of("Greeter/approve")
    tree = (
        '{"FirstCompleted":[{"Single":{"SignalIndex":1}},{"AllCompleted":['
        '{"Single":{"SignalIndex":18}},{"Single":{"SignalName":"\\"SignalIndex\\":19"}}]}]}'
    )
    _set(
        server,
        identity,
        suspended_waiting_for_completions="[]",
        suspended_waiting_for_signals="[1]",
        suspended_waiting_future_json=tree,
    )
    reason = _why(terminal, identity)
    assert reason["why"].count("awakeable") == 1
    assert reason["next"] == f"rtour awakeables resolve {awakeable_id(identity, 18)} JSON"


def test_unknown_invocation_is_not_found(terminal: Terminal) -> None:
    """An id that nobody has ends with 3."""
    result = terminal.run("why", "inv_1aaaaaaaaaaa0000000000000000000000")
    assert (result.code, result.out) == (3, "")


def test_journal_that_cannot_be_read_costs_only_details(
    server: FakeServer, terminal: Terminal
) -> None:
    """Broken entry JSON, an unknown entry type, an old journal without JSON: still a tree."""
    identity = server.ids("running")[0]
    for index, (kind, body) in enumerate(
        [("Command: Teleport", "{"), ("Sleep", None), ("Notification: Teleport", "[1]")], start=2
    ):
        row = {"id": identity, "index": index, "entry_type": kind, "entry_json": body}
        server.insert("sys_journal", row)
    result = terminal.run("inv", "describe", identity, "--raw")
    assert result.code == 0
    assert "Teleport" in result.out

"""When things go wrong, a message says what, and the exit code says which kind."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from rtour.cli.watching import ENTER, LEAVE
from tests.cli.fake_server import FakeServer, failed
from tests.cli.terminal import Terminal


def test_ingress_in_place_of_admin_is_recognised(server: FakeServer, terminal: Terminal) -> None:
    """A wrong URL that answers is told apart from a server that is down."""
    answer = httpx.Response(400, json={"code": 400, "message": "bad path: /version"})
    server.overrides["GET", "/version"] = lambda _: answer
    result = terminal.run("services", "list")
    assert (result.code, result.out) == (5, "")
    assert "not as a Restate admin API" in result.err
    assert "9070" in result.err


def test_web_page_in_place_of_admin_is_recognised(server: FakeServer, terminal: Terminal) -> None:
    """HTML from some other server is not printed at the user."""
    page = httpx.Response(200, text="<html><body>nginx</body></html>")
    server.overrides["GET", "/version"] = lambda _: page
    result = terminal.run("services", "list")
    assert result.code == 5
    assert "<html" not in result.err


@pytest.mark.parametrize(("lowest", "highest"), [(5, 7), (0, 1)])
def test_server_of_another_version_is_refused(
    server: FakeServer, terminal: Terminal, lowest: int, highest: int
) -> None:
    """A server that shares no admin API version with us is named, with what to do."""
    version = {**server.admin["/version"], "version": "9.0.0"}
    version |= {"min_admin_api_version": lowest, "max_admin_api_version": highest}
    server.admin["/version"] = version
    result = terminal.run("services", "list")
    assert result.code == 5
    assert f"server 9.0.0 speaks admin API {lowest} to {highest}" in result.err
    assert "update rtour or the server" in result.err


def test_huge_response_is_refused_not_swallowed(server: FakeServer, terminal: Terminal) -> None:
    """An answer beyond the limit ends in advice instead of eating the memory."""

    async def endless():
        while True:
            yield b" " * 2**24

    server.overrides["POST", "/query"] = lambda _: httpx.Response(200, content=endless())
    result = terminal.run("sql", "SELECT * FROM state")
    assert (result.code, result.out) == (1, "")
    assert "exceeds 256 MiB" in result.err
    assert "LIMIT" in result.err


def test_answer_of_another_shape_is_a_failure_not_a_traceback(
    server: FakeServer, terminal: Terminal
) -> None:
    """JSON that is not what the API promises is reported with the versions as a hint."""
    server.admin["/services"] = {"services": [{"name": 1}]}
    result = terminal.run("services", "list")
    assert result.code == 1
    assert "not what was expected" in result.err
    assert "Traceback" not in result.err


def test_slow_answer_is_a_timeout(server: FakeServer, terminal: Terminal) -> None:
    """A server that does not answer in time ends with 124."""

    def too_late(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too late", request=request)

    server.overrides["GET", "/services"] = too_late
    result = terminal.run("services", "list")
    assert result.code == 124
    assert "--request-timeout" in result.err


def test_failed_handler_ends_with_6(server: FakeServer, terminal: Terminal) -> None:
    """The handler's own failure is told apart from the server's, and names the invocation."""
    result = terminal.run("call", "Greeter/refuse", '"x"')
    assert (result.code, result.out) == (6, "")
    assert "[403] card was refused" in result.err
    assert "rtour invocations describe inv_1" in result.err


def test_terminal_error_with_status_200_is_a_failure(
    server: FakeServer, terminal: Terminal
) -> None:
    """A handler may fail with code 200: the header tells, not the status."""
    server.overrides["POST", "/Greeter/greet"] = lambda _: failed(200, "fine, yet failed")
    result = terminal.run("call", "Greeter/greet", '"x"')
    assert result.code == 6
    assert "fine, yet failed" in result.err


def test_call_timeout_says_that_the_invocation_goes_on(
    server: FakeServer, terminal: Terminal
) -> None:
    """Giving up on the answer does not cancel the work, and the message says how to find it."""

    def too_late(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too late", request=request)

    server.overrides["POST", "/Greeter/greet"] = too_late
    result = terminal.run("call", "Greeter/greet", '"x"', "--timeout", "1")
    assert result.code == 124
    assert "the invocation goes on" in result.err
    assert "rtour invocations list --service Greeter --handler greet" in result.err


def test_a_call_of_a_private_handler_says_who_may(server: FakeServer, terminal: Terminal) -> None:
    """The refusal is the server's; what one can do about it is ours."""
    body = {"code": 400, "message": "the invoked service is not public", "source": "ingress"}
    server.overrides["POST", "/Greeter/greet"] = lambda _: httpx.Response(400, json=body)
    result = terminal.run("call", "Greeter/greet", '"Ada"')
    assert (result.code, result.out) == (1, "")
    assert "error: the invoked service is not public" in result.err
    assert "rtour services config patch" in result.err


def test_call_works_without_the_admin_api(server: FakeServer, terminal: Terminal) -> None:
    """Where only the ingress can be reached a call goes through unchecked."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    server.overrides["GET", "/services/Greeter"] = refuse
    result = terminal.run("call", "Greeter/greet", '"Ada"')
    assert (result.code, result.out) == (0, '"Hello Ada"\n')
    assert "calling all the same" in result.err


def test_breaking_registration_is_a_conflict(server: FakeServer, terminal: Terminal) -> None:
    """A type change ends with 4 and names the flag that allows it."""
    body = {"message": "changing the service type", "restate_code": "META0006"}
    server.overrides["POST", "/deployments"] = lambda _: httpx.Response(409, json=body)
    result = terminal.run("dp", "register", "localhost:1", "--yes")
    assert result.code == 4
    assert "--breaking" in result.err


def test_each_failure_of_a_batch_is_reported(server: FakeServer, terminal: Terminal) -> None:
    """Some fail, some work: every one has its row, and the exit code is 1."""
    completed, suspended = server.ids("completed")[0], server.ids("suspended")[0]
    result = terminal.run("inv", "cancel", completed, suspended, "--yes", "-o", "json")
    rows = {row["id"]: row for row in json.loads(result.out)}
    assert result.code == 1
    assert rows[suspended]["error"] is None
    assert "is completed" in rows[completed]["error"]


def test_changed_state_is_a_conflict(server: FakeServer, terminal: Terminal) -> None:
    """The server drops a stale mutation without a word; we look, and say so with 4."""

    def somebody_else(_: httpx.Request) -> httpx.Response:
        server.db.execute("UPDATE state SET value = ? WHERE service_key = 'Mary'", ["226f22"])
        return httpx.Response(202)

    server.overrides["POST", "/services/CartObject/state"] = somebody_else
    result = terminal.run("kv", "set", "CartObject", "Mary", "tickets=[]", "--yes")
    assert result.code == 4
    assert "changed meanwhile" in result.err


def test_state_behind_a_lock_is_accepted_with_a_warning(
    server: FakeServer, terminal: Terminal
) -> None:
    """Where the key is held the change waits, and the holder is named."""
    result = terminal.run("kv", "set", "CartObject", "Mary", "tickets=[]", "--yes")
    assert result.code == 0
    assert server.id_of("CartObject/Mary/hold") in result.err


def test_broken_pipe_is_quiet(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """`rtour … | head` ends as programs in pipes do, without a traceback."""
    from rtour.cli import session

    def closed(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(session.Session, "emit", closed)
    result = terminal.run("services", "list")
    assert (result.code, result.err) == (141, "")


@pytest.mark.parametrize("tty", [True, False])
def test_interrupted_watch_leaves_the_terminal_clean(terminal: Terminal, tty: bool) -> None:
    """Ctrl-C in the middle of a watch ends with 130, outside the alternate screen."""
    rounds = 0

    async def two_rounds(_: float) -> None:
        nonlocal rounds
        rounds += 1
        await asyncio.sleep(0)
        if rounds == 2:
            raise KeyboardInterrupt

    terminal.sleep = two_rounds
    result = terminal.run("kv", "get", "-w", "-n", "1", "CartObject", "Mary", tty=tty)
    assert result.code == 130
    assert "Traceback" not in result.err
    if tty:
        assert result.out.startswith(ENTER)
        assert result.out.endswith(LEAVE)
    else:
        assert result.out.count("tickets") == 1  # it did not change between the rounds


def test_watch_in_a_pipe_prints_changes(server: FakeServer, terminal: Terminal) -> None:
    """Without a terminal a watch is a stream of what changed."""
    values = iter(['["a"]', '["b"]'])

    async def change(_: float) -> None:
        value = next(values, None)
        if value is None:
            raise KeyboardInterrupt
        server.db.execute(
            "UPDATE state SET value = ? WHERE service_key = 'Mary'", [value.encode().hex()]
        )

    terminal.sleep = change
    result = terminal.run("kv", "get", "-w", "--plain", "CartObject", "Mary")
    assert result.out.splitlines() == [
        '{"tickets":["seat2B"]}',
        '{"tickets":["a"]}',
        '{"tickets":["b"]}',
    ]


def test_watch_waits_for_a_server_that_goes_away(server: FakeServer, terminal: Terminal) -> None:
    """A restart of the server does not end a watch: it says so once, and goes on."""
    rounds = 0

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async def restart(_: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            server.overrides["POST", "/query"] = refuse
        if rounds == 3:
            server.overrides.clear()
            server.db.execute("UPDATE state SET value = '31' WHERE service_key = 'Mary'")
        if rounds == 4:
            raise KeyboardInterrupt

    terminal.sleep = restart
    result = terminal.run("kv", "get", "-w", "--plain", "CartObject", "Mary")
    assert result.code == 130
    assert result.out.splitlines() == ['{"tickets":["seat2B"]}', '{"tickets":1}']
    assert result.err.count("trying again: cannot reach the admin") == 1


def test_watch_without_a_server_fails_at_once(terminal: Terminal) -> None:
    """Only what has been seen can be waited for."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    terminal.server.transport = lambda: httpx.MockTransport(refuse)  # type: ignore[method-assign]
    result = terminal.run("inv", "ls", "-w", tty=True)
    assert (result.code, result.out) == (5, "")


def test_server_that_dies_during_a_batch_is_reported_row_by_row(
    server: FakeServer, terminal: Terminal
) -> None:
    """No failure is swallowed, not even that of the connection."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    for identity in server.ids("suspended"):
        server.overrides["PATCH", f"/invocations/{identity}/kill"] = refuse
    result = terminal.run("inv", "kill", *server.ids("suspended"), "--yes", "-o", "json")
    rows = json.loads(result.out)
    assert result.code == 5
    assert len(rows) == len(server.ids("suspended"))
    assert all("cannot reach" in row["error"] for row in rows)


def test_file_that_cannot_be_written_is_a_message(terminal: Terminal) -> None:
    """Trouble with a file names the file, without a traceback."""
    (terminal.home / ".config").write_text("in the way")
    result = terminal.run("config", "use", "local")
    assert result.code == 1
    assert ".config" in result.err
    assert "Traceback" not in result.err

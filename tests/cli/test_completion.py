"""Completion answers from the server in use, and says nothing when it cannot."""

from __future__ import annotations

import subprocess

import httpx
import pytest

from rtour.cli.completions import SCRIPTS, Shell
from tests.cli.fake_server import FakeServer
from tests.cli.terminal import Terminal


@pytest.fixture
def complete(terminal: Terminal, monkeypatch: pytest.MonkeyPatch):
    def ask(line: str) -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_RTOUR_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        with pytest.raises(SystemExit):
            terminal.run()
        return terminal.printed.split()

    return ask


def test_commands_complete(complete) -> None:
    """Names of commands, of sub-commands through an alias, and of options."""
    assert complete("rtour inv") == ["invocations"]
    assert complete("rtour dp re") == ["register", "remove"]
    assert complete("rtour inv ls --oldest") == ["--oldest-first"]


def test_ids_complete_unfinished_first(complete, server: FakeServer) -> None:
    """An invocation's id, where one is wanted."""
    offered = complete("rtour why inv_1")
    assert set(server.ids("suspended")) <= set(offered)
    assert not set(server.ids("completed")) & set(offered)


def test_services_handlers_and_keys_complete(complete) -> None:
    """Targets complete segment by segment, keys from the state there is."""
    assert complete("rtour call Gree") == ["Greeter/"]
    assert "Greeter/greet" in complete("rtour call Greeter/")
    assert complete("rtour call CartObject/Mary/add") == ["CartObject/Mary/addTicket"]
    assert complete("rtour kv get CartObject M") == ["Mary"]
    assert complete("rtour services describe Sig") == ["Signup"]


def test_deployments_and_environments_complete(complete, server: FakeServer) -> None:
    """Ids of deployments, names of environments."""
    known = server.admin["/deployments"]["deployments"][0]["id"]
    assert complete("rtour dp describe dp_") == [known]
    assert complete("rtour config use lo") == ["local"]


def test_completion_without_a_server_is_silent(complete, server: FakeServer) -> None:
    """Between two key presses nobody wants an error message."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    server.transport = lambda: httpx.MockTransport(refuse)  # type: ignore[method-assign]
    assert complete("rtour why inv_1") == []


def test_bash_accepts_its_script() -> None:
    """The script that is installed is valid for the shell that reads it."""
    done = subprocess.run(
        ["bash", "-n"],
        input=SCRIPTS[Shell.BASH],
        text=True,
        capture_output=True,
        timeout=10,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")

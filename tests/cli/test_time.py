"""A driven clock on the command line: what is told of it, and of servers that have none."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from tests.cli.fake_server import FakeServer
from tests.cli.terminal import Terminal


def drive(server: FakeServer, mode: str = "running", **ahead: int) -> None:
    """Let the server tell of a clock."""
    off = timedelta(**ahead)
    server.admin["/version"]["clock"] = {
        "mode": mode,
        "now": (server.now + off).isoformat(),
        "offset_ms": off // timedelta(milliseconds=1),
    }


def test_ages_are_told_by_the_servers_time(server: FakeServer, terminal: Terminal) -> None:
    """What was made a day ago by its clock is a day old, and a line below says whose time it is."""
    before = terminal.run("invocations", "list", "--all", "--columns", "id,created-at").out
    drive(server, days=1)
    result = terminal.run("invocations", "list", "--all", "--columns", "id,created-at")
    assert result.code == 0
    assert result.out != before
    assert all(" 1d" in line for line in result.out.splitlines()[1:])
    assert "times are 1d ahead of the server's machine (rtour time)" in result.err
    assert "(rtour time)" not in terminal.run("invocations", "list", "--quiet").err


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("running", "as on the server's machine; `rtour time` drives it"),
        ("frozen", "as on the server's machine, standing still; "),
        ("auto", "as on the server's machine, leaping whenever all work waits; "),
    ],
)
def test_info_tells_of_a_clock(
    server: FakeServer, terminal: Terminal, mode: str, told: str
) -> None:
    """Also of one that nobody has driven yet; elsewhere only one that is off is worth a line."""
    drive(server, mode)
    assert told in terminal.run("info").out
    noted = "(rtour time)" in terminal.run("services", "list").err
    assert noted is (mode != "running")


def test_other_servers_have_no_clock(server: FakeServer, terminal: Terminal) -> None:
    """The official server knows nothing of it; the message says which servers do."""
    nothing = httpx.Response(404)
    server.overrides["POST", "/rtour/time"] = lambda _: nothing
    result = terminal.run("time", "skip", "15m")
    assert (result.code, result.out) == (3, "")
    assert "no clock that can be driven" in result.err
    assert "rtour up" in result.err
    assert "Clock  " not in terminal.run("info").out


def test_a_server_that_cannot_be_driven_says_so(server: FakeServer, terminal: Terminal) -> None:
    """A conflict, in the server's own words; the time itself is told."""
    message = "this server goes by its machine's clock: start it with --dev-clock"
    server.overrides["POST", "/rtour/time"] = lambda _: httpx.Response(
        409, json={"message": message}
    )
    result = terminal.run("time", "freeze")
    assert (result.code, result.out) == (4, "")
    assert "--dev-clock" in result.err
    clock = {"mode": "off", "now": server.now.isoformat(), "offset_ms": 0, "next": None}
    server.overrides["GET", "/rtour/time"] = lambda _: httpx.Response(200, json=clock)
    result = terminal.run("time")
    assert result.code == 0
    assert "the machine's: start with --dev-clock to drive it" in result.out

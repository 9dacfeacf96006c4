"""Flags of the server in their plain form."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rtour.cli.foreground import plain_flags
from rtour.cli.server import server


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ([], {}),
        (["--data", "d", "--ingress-port=1"], {"data": "d", "ingress_port": "1"}),
        (["--ephemeral", "--pg-port", "off"], {"ephemeral": "true", "pg_port": "off"}),
        (["--dev-clock"], {"dev_clock": "true"}),
        (["--data"], None),
        (["--data", "--ephemeral"], None),
        (["--help"], None),
        (["--dat", "d"], None),
        (["stray"], None),
        (["--ephemeral=yes"], None),
    ],
)
def test_plain_flags(words: list[str], flags: dict[str, str] | None) -> None:
    """What is plain is understood, everything else is left to those who can explain it."""
    assert plain_flags(words) == flags


def test_both_ways_know_the_same_flags() -> None:
    """No flag works in one form of the command line only."""
    from rtour.cli import foreground

    known = {*foreground.VALUES.values(), *foreground.SWITCHES.values()}
    assert known == {name for name in server.__annotations__ if name != "return"}


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (("127.0.0.1", 9071), "postgresql://127.0.0.1:9071 "),
        (("::1", 5), "postgresql://[::1]:5 "),
        (None, "no port; SQL is at the admin port's /query"),
    ],
)
def test_start_up_block_names_every_port(
    capsys: pytest.CaptureFixture[str], address: tuple[str, int] | None, told: str
) -> None:
    """Ingress, admin and psql each have a line with what they are for."""
    from rtour.cli.foreground import _say_where

    server = SimpleNamespace(
        ingress_url="http://127.0.0.1:8080",
        admin_url="http://127.0.0.1:9070",
        postgres=SimpleNamespace(address=address),
        time=None,
    )
    _say_where(server, SimpleNamespace(ephemeral=True, data="unused"))
    told_lines = dict(
        line.split(None, 1) for line in capsys.readouterr().out.splitlines() if line[:2] == "  "
    )
    assert told_lines["ingress"].startswith("http://127.0.0.1:8080 ")
    assert told_lines["admin"].startswith("http://127.0.0.1:9070 ")
    assert told_lines["psql"].startswith(told.strip())
    assert told_lines["data"] == "nowhere: --ephemeral"
    assert "clock" not in told_lines


def test_start_up_block_tells_of_a_clock_that_can_be_driven(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """How far it is off, how it goes, and what drives it."""
    from rtour.cli.foreground import _say_where
    from rtour.clock import SkippingClock, SystemClock
    from rtour.server.time_control import described

    clock = SkippingClock(SystemClock())
    clock.state = clock.state.moved(900_000)
    server = SimpleNamespace(
        ingress_url="", admin_url="", postgres=SimpleNamespace(address=None), time=described(clock)
    )
    _say_where(server, SimpleNamespace(ephemeral=True, data="unused"))
    told = "  clock    15m ahead of this machine's, running; rtour time drives it\n"
    assert told in capsys.readouterr().out

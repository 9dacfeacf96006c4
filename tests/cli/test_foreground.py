"""Flags of the server in their plain form."""

from __future__ import annotations

import pytest

from rtour.cli.foreground import plain_flags
from rtour.cli.server import server


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ([], {}),
        (["--data", "d", "--ingress-port=1"], {"data": "d", "ingress_port": "1"}),
        (["--ephemeral", "--pg-port", "off"], {"ephemeral": "true", "pg_port": "off"}),
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

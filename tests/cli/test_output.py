"""What reaches stdout: harmless, complete, and quick with many rows."""

from __future__ import annotations

import json
import time

import pytest

from rtour.cli.output import Column, Grid, Heading, Look, Node, Paragraph, Span, table
from rtour.cli.rich_output import printed
from rtour.cli.tree import Format
from rtour.cli.wording import ago, duration, payload, shown, size
from tests.cli.fake_server import FakeServer
from tests.cli.record import HOSTILE_KEY
from tests.cli.terminal import Terminal

HOSTILE = [
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "a\rb",
    "a\x08b",
    "\x9b31m",
    "rtl\u202eltr",
    "zero\u200bwidth",
    "line\u2028line",
    "nul\x00",
    "lone \ud800 surrogate",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_control_characters_are_shown_not_sent(text: str) -> None:
    """Whatever moves a cursor or turns text around comes out as an escape of printable ones."""
    safe = shown(text)
    assert safe != text
    assert all(char.isprintable() for char in safe)
    safe.encode("utf-8")


def test_ordinary_text_stays_as_it_is() -> None:
    """Accents, ideographs and emoji are no threat."""
    assert shown("Zoë 東京 🎫 [red]") == "Zoë 東京 🎫 [red]"


@pytest.mark.parametrize("tty", [True, False])
def test_hostile_key_and_payload_are_escaped_everywhere(
    server: FakeServer, terminal: Terminal, tty: bool
) -> None:
    """Keys and values come from strangers: neither markup nor escape codes are interpreted."""
    terminal.env["NO_COLOR"] = "1"
    target = f"CartObject/{HOSTILE_KEY}/addTicket"
    for words in (
        ["inv", "ls", "--all"],
        ["inv", "describe", server.id_of(target)],
        ["inv", "tree", server.id_of(target)],
        ["kv", "ls", "CartObject"],
        ["kv", "get", "CartObject", HOSTILE_KEY],
        ["sql", "SELECT * FROM state"],
    ):
        result = terminal.run(*words, tty=tty)
        assert result.code == 0, result.err
        for stream in (result.out, result.err):
            assert "\x1b" not in stream
            assert "\u202e" not in stream
        # A narrow terminal folds the key, which breaks "[red]" but no "x[/".
        assert "x[/" in result.out or "[b]" in result.out


def test_hostile_names_reach_the_server_as_they_are(server: FakeServer, terminal: Terminal) -> None:
    """Quotes, percent signs and slashes select exactly the key that has them."""
    words = ["inv", "cancel", f"CartObject/{HOSTILE_KEY}/addTicket", "--dry-run"]
    assert terminal.run(*words).code == 3  # it is completed, so there is nothing to cancel
    words = ["inv", "purge", f"CartObject/{HOSTILE_KEY}/addTicket", "--dry-run", "-o", "json"]
    rows = json.loads(terminal.run(*words).out)
    assert [row["target"] for row in rows] == [f"CartObject/{HOSTILE_KEY}/addTicket"]
    nobody = terminal.run("inv", "ls", "--service", "O'Brien", "--all", "-o", "json")
    assert (nobody.code, json.loads(nobody.out)) == (0, [])


def test_payload_bytes_are_escaped_on_a_terminal_and_raw_in_a_pipe(
    server: FakeServer, terminal: Terminal
) -> None:
    """A result is data in a pipe, and a stranger's bytes on a screen."""
    import httpx

    server.overrides["POST", "/Greeter/greet"] = lambda _: httpx.Response(
        200, content=b"\x1b[31mx", headers={"x-restate-id": "inv_1"}
    )
    assert terminal.run("call", "Greeter/greet", "1").out == "\x1b[31mx\n"
    on_screen = terminal.run("call", "Greeter/greet", "1", tty=True).out
    assert on_screen.splitlines()[-1] == "\\x1b[31mx"


@pytest.mark.parametrize(
    ("env", "tty", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colour_follows_the_conventions(
    terminal: Terminal, env: dict[str, str], tty: bool, coloured: bool
) -> None:
    """NO_COLOR and TERM=dumb switch it off, FORCE_COLOR on; else the terminal decides."""
    terminal.env.update(env)
    assert ("\x1b[" in terminal.run("dp", "ls", "-q", tty=tty).out) is coloured


@pytest.mark.parametrize(("when", "coloured"), [("always", True), ("never", False)])
def test_color_flag_outranks_the_environment(terminal: Terminal, when: str, coloured: bool) -> None:
    """`--color` says it finally."""
    terminal.env["NO_COLOR"] = "1" if coloured else "0"
    result = terminal.run("dp", "ls", "--color", when, tty=not coloured)
    assert ("\x1b[" in result.out) is coloured


def test_ten_thousand_rows_come_quickly_and_whole(server: FakeServer, terminal: Terminal) -> None:
    """Beyond a thousand rows the plain renderer takes over, on a terminal too."""
    row = dict(
        server.db.execute(
            "SELECT * FROM sys_invocation WHERE id = ?", [server.id_of("Greeter/greet")]
        ).fetchone()
    )
    for number in range(10_000):
        server.insert("sys_invocation", {**row, "id": f"inv_1{number:033d}"})
    started = time.perf_counter()
    result = terminal.run("inv", "ls", "--all", "--limit", "20000", tty=True)
    assert result.code == 0
    assert len(result.out.splitlines()) == 10_000 + 15 + 1
    assert time.perf_counter() - started < 20  # seconds; Rich alone takes minutes


def test_columns_are_chosen_and_ordered(terminal: Terminal) -> None:
    """`--columns` takes any field of the JSON, by its name or with dashes."""
    words = ["svc", "ls", "--columns", "revision,name,deployment-id", "-o", "text"]
    first = terminal.run(*words).out.splitlines()[0].split("\t")
    assert first[:2] == ["1", "CartObject"]
    assert first[2].startswith("dp_1")


def test_every_time_format(terminal: Terminal) -> None:
    """Instants are relative for people, and exact when asked for."""
    words = ["dp", "ls", "-o", "text", "--columns", "created_at", "--time-format"]
    assert terminal.run(*words, "human").out.endswith("ago\n")
    assert terminal.run(*words, "iso8601").out.startswith("2026-11-24T")
    assert terminal.run(*words, "rfc2822").out.startswith("Tue, 24 Nov 2026")


def test_wide_characters_keep_columns_aligned(terminal: Terminal) -> None:
    """A cell's width is what it takes on the screen, not its number of characters."""
    look = Look(now=lambda: terminal.server.now)
    rows = [{"a": "東京", "b": "1"}, {"a": "abcd", "b": "2"}]
    columns = [Column("a", "A"), Column("b", "B")]
    lines = table(look, columns, rows).splitlines()
    assert lines == ["A     B", "東京  1", "abcd  2"]


def test_markup_in_blocks_is_text(terminal: Terminal) -> None:
    """Every kind of block shows brackets as brackets."""
    look = Look(now=lambda: terminal.server.now, width=80)
    blocks = [
        Heading("[b]h"),
        Paragraph("[b]p"),
        Node((Span("[b]n"),), (Node(("[b]c",)),)),
        Grid((Column("x", "X"),), ({"x": "[b]g"},)),
    ]
    out = printed(look, blocks)
    assert all(f"[b]{each}" in out for each in "hpncg")


@pytest.mark.parametrize(
    ("value", "text"),
    [(b'{"a":1}', '{"a":1}'), (b"\xff\x00", "0xff00"), (None, ""), (b"\x1b", "\\x1b")],
)
def test_payloads_are_shown_as_what_they_are(value: bytes | None, text: str) -> None:
    """JSON and text as they are, other bytes in hex."""
    assert payload(value) == text


def test_long_payloads_are_cut_with_their_size() -> None:
    """A preview says how much there is."""
    assert payload(b"x" * 5000).endswith("… (4.9 KiB)")


def test_durations_have_two_units_at_most(server: FakeServer) -> None:
    """Times as people say them."""
    from datetime import timedelta

    assert duration(timedelta(milliseconds=14)) == "14ms"
    assert duration(timedelta(seconds=3, milliseconds=200)) == "3.2s"
    assert duration(timedelta(seconds=3725)) == "1h 2m"
    assert duration(timedelta(days=2, hours=3)) == "2d 3h"
    assert ago(server.now, server.now) == "now"
    assert ago(server.now + timedelta(minutes=15), server.now) == "in 15m"
    assert size(8 * 2**20) == "8.0 MiB"


def test_text_format_has_one_row_per_line(terminal: Terminal) -> None:
    """A newline in a value cannot break the lines that scripts read."""
    look = Look(now=lambda: terminal.server.now, format=Format.TEXT)
    assert table(look, [Column("a", "A")], [{"a": "x\ny\tz"}]) == "x\\ny\\tz\n"


def test_binary_results_are_not_touched(server: FakeServer, terminal: Terminal) -> None:
    """Text gets its last newline; bytes that are no text come out as they are."""
    import httpx

    server.overrides["POST", "/Greeter/greet"] = lambda _: httpx.Response(
        200, content=b"\xff\x00", headers={"x-restate-id": "inv_1"}
    )
    assert terminal.run("call", "Greeter/greet", "1").out == "\\xff\x00"

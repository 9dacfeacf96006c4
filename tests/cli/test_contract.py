"""Every command keeps the manners of the command line (`product.md`)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.cells import cell_len

from tests.cli.commands import CASES, ENDLESS, LOCAL, RAW, argv, furnish, leaves, samples, with_data
from tests.cli.fake_server import FakeServer
from tests.cli.shapes import document, documented, merge, shape
from tests.cli.terminal import Result, Terminal

NAMES = sorted(CASES)
SHOWN = [name for name in NAMES if name not in RAW | ENDLESS]
REMOTE = [name for name in NAMES if name not in LOCAL]


@pytest.fixture
def terminal(server: FakeServer, tmp_path: Path) -> Terminal:
    furnish(server)
    examples = tmp_path / "examples"
    (examples / "hello").mkdir(parents=True)
    (examples / "hello" / "app.py").write_text("print('hello')\n")
    (examples / "examples.toml").write_text(
        '[hello]\nfolder = "hello"\nsummary = "Says hello"\nnext = ["python hello/app.py"]\n'
    )
    editor = tmp_path / "editor.py"
    editor.write_text("import sys\n")
    env = {"RTOUR_EXAMPLES": str(examples), "EDITOR": f"{sys.executable} {editor}"}
    return Terminal(server, tmp_path, env, sleep=_interrupted)


async def _interrupted(_: float) -> None:
    raise KeyboardInterrupt


def _run(terminal: Terminal, name: str, *more: str, words: list[str] | None = None) -> Result:
    words = words or argv(terminal.server, name)
    if name == "config add-environment":
        words += ["--admin-url", "http://staging:9070"]
    if name in {"backup", "restore"}:
        with_data(terminal.home)
    return terminal.run(*words, *more)


def test_every_command_has_a_case() -> None:
    """A command that nobody holds to the manners would be found here."""
    assert sorted(leaves()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_help_opens_with_examples(terminal: Terminal, name: str) -> None:
    """Help shows first how the command is used, then what it does."""
    result = terminal.run(*name.split(), "--help")
    assert result.code == 0
    assert result.err == ""
    title, first = result.out.splitlines()[:2]
    assert title == "Examples:"
    assert "rtour " in first
    assert "Usage: rtour " + name in result.out
    assert leaves()[name].help


@pytest.mark.parametrize("name", SHOWN)
def test_data_goes_to_stdout_alone(terminal: Terminal, name: str) -> None:
    """With --quiet a working command writes nothing to stderr, and no escape code anywhere."""
    result = _run(terminal, name, "--quiet")
    assert (result.code, result.err) == (0, "")
    assert "\x1b" not in result.out


@pytest.mark.parametrize("name", SHOWN)
def test_json_has_its_documented_shape(terminal: Terminal, name: str, rewrite: bool) -> None:
    """`-o json` is one JSON value with the keys and types that the reference lists."""
    found: Any = "nothing"
    for words in samples(terminal.server, name):
        result = _run(terminal, name, "-o", "json", words=words)
        assert result.code == 0, result.err
        found = merge(found, shape(json.loads(result.out)))
    if rewrite:
        document(name, found)
    assert found == documented()[name]


@pytest.mark.parametrize("name", SHOWN)
def test_jsonl_is_the_same_line_by_line(server: FakeServer, terminal: Terminal, name: str) -> None:
    """`-o jsonl` has one line for each item of `-o json`."""
    lines = _run(terminal, name, "-o", "jsonl").out.splitlines()
    again = Terminal(FakeServer(), terminal.home / "again", terminal.env, terminal.sleep)
    again.home.mkdir()
    furnish(again.server)
    value = json.loads(_run(again, name, "-o", "json").out)
    rows = value if isinstance(value, list) else [value]
    assert [shape(json.loads(line)) for line in lines] == [shape(row) for row in rows]


@pytest.mark.parametrize("name", SHOWN)
def test_text_has_no_header(terminal: Terminal, name: str) -> None:
    """`-o text` is for cut and awk: values between tabs, nothing else."""
    result = _run(terminal, name, "-o", "text")
    assert result.code == 0, result.err
    assert not result.out.startswith(("ID", "NAME", "SERVICE"))
    assert "\x1b" not in result.out


@pytest.mark.parametrize("name", SHOWN)
def test_80_columns_are_enough(terminal: Terminal, name: str) -> None:
    """On a terminal of 80 columns nothing is wider, and without colours nothing is escaped."""
    terminal.env["NO_COLOR"] = "1"
    words = [*argv(terminal.server, name), "--quiet"]
    if name == "config add-environment":
        words += ["--admin-url", "http://staging:9070"]
    if name in {"backup", "restore"}:
        with_data(terminal.home)
    result = terminal.run(*words, tty=True)
    assert result.code == 0, result.err
    assert "\x1b" not in result.out
    assert max(map(cell_len, result.out.splitlines()), default=0) <= 80


@pytest.mark.parametrize("name", REMOTE)
def test_server_down_is_said_so(terminal: Terminal, name: str) -> None:
    """Without a server a command ends with 5, says what to do, and leaves stdout empty."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    terminal.server.transport = lambda: httpx.MockTransport(refuse)  # type: ignore[method-assign]
    result = _run(terminal, name)
    assert result.code == 5
    assert "rtour up" in result.err or "is the server running?" in result.err
    if name != "doctor":
        assert result.out == ""


# These go to the ingress, which takes no token.
INGRESS = {"call", "send", "awakeables resolve", "awakeables reject"}


@pytest.mark.parametrize("name", sorted(set(REMOTE) - {"doctor"} - INGRESS))
def test_wrong_token_is_said_so(terminal: Terminal, name: str) -> None:
    """A refused token names the variable that holds it."""

    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"message": "bad token"})

    terminal.server.transport = lambda: httpx.MockTransport(refuse)  # type: ignore[method-assign]
    result = _run(terminal, name)
    assert (result.code, result.out) == (1, "")
    assert "RESTATE_AUTH_TOKEN" in result.err


@pytest.mark.parametrize("name", [name for name in NAMES if "--yes" in CASES[name]])
def test_nothing_changes_without_a_yes(terminal: Terminal, name: str) -> None:
    """Without --yes and without a terminal, a change is not made, and --dry-run is pointed at."""
    words = [word for word in argv(terminal.server, name) if word != "--yes"]
    if name.endswith("edit"):
        terminal.env["EDITOR"] = "sed -i -e s/50ms/2m/ -e s/seat2B/seat9Z/ -e s/localhost/kafka/"
    result = terminal.run(*words)
    assert result.code == 1
    assert "--yes" in result.err
    changing = [
        each
        for each in terminal.server.requests
        if each.method != "GET" and each.url.path not in ("/query", "/deployments")
    ]
    assert changing == []


def test_options_work_wherever_they_stand(terminal: Terminal) -> None:
    """A global option may come before the noun, before the verb, or at the end."""
    last = terminal.run("services", "list", "-o", "json")
    assert terminal.run("-o", "json", "services", "list").out == last.out
    assert terminal.run("services", "-o", "json", "list").out == last.out


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("inv ls", "invocations list"),
        ("invocation list", "invocations list"),
        ("svc list", "services list"),
        ("dep list", "deployments list"),
        ("dp ls", "deployments list"),
        ("state list CartObject", "kv list CartObject"),
        ("svc get CartObject", "services describe CartObject"),
        ("kc ls", "kafka-clusters list"),
        ("sub ls", "subscriptions list"),
        ("conf view", "config view"),
        ("who", "info"),
        ("whoami", "info"),
    ],
)
def test_aliases_and_prefixes(terminal: Terminal, words: str, same: str) -> None:
    """The official CLI's aliases, and any prefix that only one command has."""
    assert terminal.run(*words.split()).out == terminal.run(*same.split()).out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nope"], "no command 'nope'"),
        (["invocatoins", "list"], "did you mean 'invocations'?"),
        (["se"], "could be server"),
        (["inv", "lst"], "did you mean 'list'?"),
        (["inv", "list", "--limit", "x"], "'x' is not a whole number"),
        (["inv", "list", "--status", "asleep"], "no status 'asleep'"),
        (["inv", "list", "-o", "yaml"], "one of table, json, jsonl, text"),
        (["inv", "list", "--columns", "nope", "--all"], "no column 'nope'"),
        (["inv", "cancel", "inv_1x"], "no invocation id: bad length"),
        (["dp", "describe", "dp_1x"], "no deployment id: bad length"),
        (["call", "Greeter"], "no target"),
        (["call", "Greeter/greet", "Ada"], "'\"Ada\"'"),
        (["dp", "register", "not a url"], "no address of a service"),
        (["-e", "nowhere", "inv", "ls"], "no environment 'nowhere'"),
    ],
)
def test_misuse_ends_with_2_and_says_what_was_expected(
    terminal: Terminal, words: list[str], message: str
) -> None:
    """A wrong command line is told apart from a failure, and comes with the way out."""
    result = terminal.run(*words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


@pytest.mark.parametrize(
    "noun", sorted({name.split()[0] for name in NAMES if " " in name} - {"time"})
)
def test_noun_alone_shows_its_help(terminal: Terminal, noun: str) -> None:
    """A noun without a verb is no command line, so its help goes to stderr, readable.

    But for `time`, which alone tells the time.
    """
    result = terminal.run(noun)
    assert (result.code, result.out) == (2, "")
    assert f"Usage: rtour {noun} [OPTIONS] COMMAND" in result.err
    assert "\\n" not in result.err

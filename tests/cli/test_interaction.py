"""Questions, editors, the SQL shell, examples: what happens between a person and a command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.commands import furnish
from tests.cli.fake_server import FakeServer
from tests.cli.terminal import Terminal


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("yes\n", 0), ("n\n", 1), ("\n", 1)])
def test_questions_take_yes_for_a_yes(
    server: FakeServer, terminal: Terminal, answer: str, code: int
) -> None:
    """Only y and yes go on; anything else changes nothing."""
    suspended = server.ids("suspended")[0]
    result = terminal.run("inv", "kill", suspended, stdin=answer, tty=True)
    assert result.code == code
    assert "Kill 1 invocation? [y/N]" in result.err
    killed = server.sent("PATCH", f"/invocations/{suspended}/kill")
    assert len(killed) == (1 if code == 0 else 0)


def test_ci_counts_as_yes(server: FakeServer, terminal: Terminal) -> None:
    """As in the official CLI, `CI` in the environment confirms."""
    terminal.env["CI"] = "true"
    assert terminal.run("inv", "kill", server.ids("suspended")[0]).code == 0


def _editor(terminal: Terminal, script: str) -> None:
    path = terminal.home / "editor.py"
    path.write_text(f"import sys, pathlib\nfile = pathlib.Path(sys.argv[1])\n{script}\n")
    terminal.env["EDITOR"] = f"{sys.executable} {path}"


def test_edited_state_is_written(server: FakeServer, terminal: Terminal) -> None:
    """What the editor leaves becomes the new state, whole."""
    server.db.execute("DELETE FROM sys_keyed_service_status")
    _editor(terminal, """file.write_text('{"tickets": ["seat9Z"], "n": 1}')""")
    assert terminal.run("kv", "edit", "CartObject", "Mary", "--yes").code == 0
    sent = server.sent("POST", "/services/CartObject/state")[0]
    values = {name: bytes(value).decode() for name, value in sent["new_state"].items()}
    assert values == {"tickets": '["seat9Z"]', "n": "1"}
    assert sent["version"]


def test_broken_edit_keeps_the_text(server: FakeServer, terminal: Terminal) -> None:
    """A mistake in the editor costs nothing: the file is named and nothing is sent."""
    _editor(terminal, "file.write_text('{oops')")
    result = terminal.run("kv", "edit", "CartObject", "Mary", "--yes")
    assert result.code == 2
    kept = Path(result.err.split("kept in ")[1].strip())
    assert kept.read_text() == "{oops"
    kept.unlink()
    assert server.sent("POST", "/services/CartObject/state") == []


@pytest.mark.parametrize("editor", ["/no/such/editor", "false"])
def test_failing_editor_changes_nothing(
    server: FakeServer, terminal: Terminal, editor: str
) -> None:
    """An editor that is not there or gives up is told about."""
    terminal.env["EDITOR"] = editor
    result = terminal.run("services", "config", "edit", "CartObject", "--yes")
    assert result.code == 1
    assert editor in result.err


def test_force_sends_no_version(server: FakeServer, terminal: Terminal) -> None:
    """`--force` overwrites whatever is there by then."""
    terminal.run("kv", "set", "CartObject", "Bob", "n=1", "--force", "--yes")
    assert server.sent("POST", "/services/CartObject/state")[0]["version"] is None


def test_registration_tells_what_changes(server: FakeServer, terminal: Terminal) -> None:
    """New handlers have a plus, handlers that are gone a minus."""
    for service in server.admin["/services"]["services"]:
        if service["name"] == "Signup":
            service["handlers"] = [{"name": "run"}, {"name": "retired"}]
    words = ["dp", "register", "localhost:1", "--dry-run", "-o", "json"]
    services = {s["service"]: s for s in json.loads(terminal.run(*words).out)["services"]}
    assert services["Signup"]["handlers"] == ["+click", "-retired", "run"]
    assert services["Greeter"]["change"] == "updated from 1"
    assert all(body["dry_run"] for body in server.sent("POST", "/deployments"))


def test_github_run_is_recorded_with_the_deployment(server: FakeServer, terminal: Terminal) -> None:
    """A deployment from CI knows where it came from, and what else one wants to keep."""
    terminal.env |= {"GITHUB_SHA": "abc", "GITHUB_RUN_ID": "7"}
    words = ["--metadata", "team=seats", "--extra-header", "x-api: k", "--yes"]
    assert terminal.run("dp", "register", "localhost:1", *words).code == 0
    body = server.sent("POST", "/deployments")[-1]
    assert body["metadata"] == {"GITHUB_SHA": "abc", "GITHUB_RUN_ID": "7", "team": "seats"}
    assert body["additional_headers"] == {"x-api": "k"}


@pytest.fixture
def examples(terminal: Terminal) -> Path:
    root = terminal.home / "bundled"
    (root / "one" / "__pycache__").mkdir(parents=True)
    (root / "one" / "app.py").write_text("app = 1\n")
    (root / "one" / "__pycache__" / "app.pyc").write_text("")
    (root / "examples.toml").write_text('[one]\nfolder = "one"\nsummary = "One"\nnext = ["go"]\n')
    terminal.env["RTOUR_EXAMPLES"] = str(root)
    return root


def test_example_is_written_out(terminal: Terminal, examples: Path) -> None:
    """Source files only, and the next commands on stderr."""
    result = terminal.run("example", "one")
    assert result.code == 0
    written = [p.relative_to(terminal.home) for p in (terminal.home / "one").rglob("*")]
    assert written == [Path("one/app.py")]
    assert "next: go" in result.err


def test_example_never_overwrites_work_without_asking(terminal: Terminal, examples: Path) -> None:
    """A file the learner changed is named, and kept unless confirmed."""
    terminal.run("example", "one")
    mine = terminal.home / "one" / "app.py"
    mine.write_text("app = 2\n")
    result = terminal.run("example", "one")
    assert result.code == 1
    assert str(mine) in result.err
    assert mine.read_text() == "app = 2\n"
    assert terminal.run("example", "one", "--yes").code == 0
    assert mine.read_text() == "app = 1\n"


def test_example_has_its_official_name_too(terminal: Terminal, examples: Path) -> None:
    """The instructions of the official tour find everything where they look for it."""
    manifest = examples / "examples.toml"
    manifest.write_text(manifest.read_text() + 'known_as = { python-tour-of-restate = "tour" }\n')
    result = terminal.run("example", "python-tour-of-restate", "-o", "json")
    assert result.code == 0
    assert (terminal.home / "python-tour-of-restate" / "tour" / "app.py").is_file()
    assert json.loads(result.out)["name"] == "one"


def test_official_example_that_is_not_bundled_is_pointed_to(
    terminal: Terminal, examples: Path
) -> None:
    """Other languages' tours run on this server, too; the message says where they are."""
    result = terminal.run("example", "java-tour-of-restate")
    assert result.code == 3
    assert "github.com/restatedev/examples" in result.err


def test_unknown_example_lists_the_known(terminal: Terminal, examples: Path) -> None:
    """Ends with 3 and says what there is."""
    result = terminal.run("example", "two")
    assert result.code == 3
    assert "one of one" in result.err


def test_sql_shell(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statements over several lines, tables, an error that does not end it, a private history."""
    lines = iter(["SELECT name", "FROM sys_service;", "\\t state", "SELECT nope;", "\\q"])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    terminal.env["NO_COLOR"] = "1"
    result = terminal.run("sql", tty=True)
    assert result.code == 0
    assert "CartObject" in result.out
    assert "service_key" in result.out
    assert "no such column: nope" in result.err
    history = terminal.home / ".local" / "state" / "rtour" / "sql_history"
    assert history.stat().st_mode & 0o077 == 0


def test_sql_reads_stdin(terminal: Terminal) -> None:
    """A query may come through a pipe."""
    result = terminal.run("sql", "-o", "text", stdin="SELECT COUNT(1) AS n FROM sys_service")
    assert result.out == "3\n"


def test_doctor_finds_what_is_wrong(server: FakeServer, terminal: Terminal) -> None:
    """Stuck invocations, an endpoint that is down, a token that others can read."""
    config = terminal.home / ".config" / "rtour"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[x]\nbearer_token = "t"\n')
    (config / "config.toml").chmod(0o644)
    result = terminal.run("doctor", "http://127.0.0.1:1", "-o", "json")
    assert result.code == 0  # these are warnings
    found = {(row["what"], row["level"]) for row in json.loads(result.out)}
    assert ("config file", "warning") in found
    assert ("endpoint http://127.0.0.1:1/", "warning") in found
    assert ("invocations", "warning") in found


def test_doctor_tells_of_kafka_and_the_collector(server: FakeServer, terminal: Terminal) -> None:
    """Subscriptions that read nothing or not all, and spans that get nowhere."""
    furnish(server)
    result = terminal.run("doctor", "-o", "json")
    told = [(row["level"], row["finding"]) for row in json.loads(result.out)]
    assert ("warning", "reads nothing: no brokers") in told
    assert ("warning", "partition 1 waits: the key b'\\xff' is not UTF-8") in told
    spans = "no spans get to http://localhost:4317: can't connect to localhost:4317"
    assert ("warning", f"{spans}; 3 wait, 2 were lost") in told
    server.admin["/rtour/subscriptions"]["readings"][0] |= {"error": None, "held": {}}
    server.admin["/rtour/tracing"] |= {"state": "exporting", "error": None}
    result = terminal.run("doctor", "-o", "json")
    told = [(row["level"], row["finding"]) for row in json.loads(result.out)]
    assert ("ok", "all 1 read") in told
    assert ("ok", "5 spans exported to http://localhost:4317") in told
    server.admin["/rtour/tracing"] = {"state": "off"}
    assert "spans" not in terminal.run("doctor", "-o", "json").out


def test_doctor_judges_a_server_that_is_down(terminal: Terminal) -> None:
    """The checks that are possible are made, and the exit code says unreachable."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    terminal.server.transport = lambda: httpx.MockTransport(refuse)  # type: ignore[method-assign]
    terminal.env["RESTATE_ADMIN_URL"] = "http://127.0.0.1:1"
    result = terminal.run("doctor", "-o", "json")
    assert result.code == 5
    assert any(row["level"] == "problem" for row in json.loads(result.out))


def test_info_works_without_a_server(terminal: Terminal) -> None:
    """`info` is for finding out why nothing works, so it works."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    terminal.server.transport = lambda: httpx.MockTransport(refuse)  # type: ignore[method-assign]
    result = terminal.run("info", "-o", "json")
    assert result.code == 0
    assert json.loads(result.out)["server"] is None


def test_verbose_names_the_requests(terminal: Terminal) -> None:
    """`-v` shows on stderr what is asked of the server."""
    result = terminal.run("services", "list", "-v")
    assert "GET http://admin.test/services" in result.err


def test_ui_without_a_terminal_is_misuse(terminal: Terminal) -> None:
    """A screen needs a terminal; the message names a command that does not."""
    result = terminal.run("ui")
    assert result.code == 2
    assert "rtour invocations list" in result.err

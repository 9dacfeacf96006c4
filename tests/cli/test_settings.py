"""Which server is meant: flags, variables, project file, user file, in that order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtour.cli.diagnostics import Misuse
from rtour.cli.settings import resolve
from tests.cli.terminal import Terminal


@pytest.fixture
def home(tmp_path: Path) -> Path:
    config = tmp_path / ".config" / "rtour"
    config.mkdir(parents=True)
    (config / "config.toml").write_text(
        '[staging]\nadmin_base_url = "https://staging:9070"\nbearer_token = "s3cret"\n'
    )
    return tmp_path


def _env(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), **more}


def test_defaults_are_local(home: Path) -> None:
    """Without any setting the server is on this machine, at Restate's ports."""
    found = resolve({}, _env(home), home)
    assert (found.admin_url.value, found.admin_url.origin) == ("http://127.0.0.1:9070", "default")
    assert found.ingress_url.value == "http://127.0.0.1:8080"


def test_flag_beats_variable_beats_file(home: Path) -> None:
    """The nearer to the command, the stronger."""
    env = _env(home, RESTATE_ENVIRONMENT="staging")
    assert resolve({}, env, home).admin_url.value == "https://staging:9070"
    env["RESTATE_ADMIN_URL"] = "http://variable:1"
    assert resolve({}, env, home).admin_url.value == "http://variable:1"
    assert resolve({"admin_url": "flag:1"}, env, home).admin_url.value == "http://flag:1"


def test_environment_by_flag_beats_variables(home: Path) -> None:
    """`-e staging` must not reach the server of a forgotten variable."""
    env = _env(home, RESTATE_ADMIN_URL="http://variable:1")
    found = resolve({"environment": "staging"}, env, home)
    assert found.admin_url.value == "https://staging:9070"
    assert found.token.value == "s3cret"


def test_restate_host_sets_both(home: Path) -> None:
    """The official CLI's shorthand."""
    found = resolve({}, _env(home, RESTATE_HOST="far", RESTATE_HOST_SCHEME="https"), home)
    assert found.admin_url.value == "https://far:9070"
    assert found.ingress_url.value == "https://far:8080"


def test_official_configuration_is_understood(home: Path) -> None:
    """An environment of `~/.config/restate/config.toml` works as it is."""
    path = home / ".config" / "restate"
    path.mkdir()
    (path / "config.toml").write_text(
        '[global]\nenvironment = "theirs"\n[theirs]\nadmin_base_url = "http://theirs:9070"\n'
    )
    found = resolve({}, _env(home), home)
    assert found.admin_url.value == "http://theirs:9070"
    assert found.environment.origin == str(path / "config.toml")


def test_project_file_is_found_above_and_cannot_take_the_token(home: Path) -> None:
    """A checkout may say which server; it may not have your token sent there."""
    (home / ".rtour.toml").write_text(
        '[global]\nenvironment = "here"\n[here]\nadmin_base_url = "http://elsewhere:1"\n'
    )
    below = home / "a" / "b"
    below.mkdir(parents=True)
    found = resolve({}, _env(home, RESTATE_AUTH_TOKEN="mine"), below)
    assert found.admin_url.value == "http://elsewhere:1"
    assert found.token.value is None
    assert "withheld" in found.token.origin


@pytest.mark.parametrize(
    "url", ["http://", "://x", "http://[::1", "http://h:port", "http://h:99999"]
)
def test_bad_address_names_its_origin(home: Path, url: str) -> None:
    """The message says which variable is wrong."""
    with pytest.raises(Misuse, match="RESTATE_ADMIN_URL"):
        resolve({}, _env(home, RESTATE_ADMIN_URL=url), home)


def test_broken_file_is_named(home: Path) -> None:
    """A file that is no TOML is told with its path."""
    path = home / ".config" / "rtour" / "config.toml"
    path.write_text("[")
    with pytest.raises(Misuse, match=r"config\.toml is not valid TOML"):
        resolve({}, _env(home), home)


def test_environments_are_added_used_and_listed(terminal: Terminal) -> None:
    """The round trip a user makes; the file that holds the token is private."""
    words = ["config", "add-environment", "prod", "--admin-url", "https://p:9070", "--token", "t"]
    assert terminal.run(*words).code == 0
    assert terminal.run(*words).code == 4
    file = terminal.home / ".config" / "rtour" / "config.toml"
    assert file.stat().st_mode & 0o077 == 0
    assert terminal.run("config", "use", "prod").code == 0
    rows = json.loads(terminal.run("config", "ls", "-o", "json").out)
    assert [(row["name"], row["current"]) for row in rows] == [("local", False), ("prod", True)]
    assert terminal.run("config", "use", "nope").code == 3


def test_token_is_sent_to_the_admin_alone_and_never_shown(terminal: Terminal) -> None:
    """The ingress forwards headers to handlers: a token has no business there."""
    terminal.env["RESTATE_AUTH_TOKEN"] = "s3cret"
    assert terminal.run("call", "Greeter/greet", '"x"').code == 0
    admin, ingress = terminal.server.requests[0], terminal.server.requests[-1]
    assert admin.headers["authorization"] == "Bearer s3cret"
    assert "authorization" not in ingress.headers
    for words in (["info"], ["config", "view"], ["info", "-o", "json"]):
        assert "s3cret" not in terminal.run(*words).out


def test_the_ingress_has_a_token_of_its_own(terminal: Terminal) -> None:
    """It goes to the ingress alone, and is not shown either."""
    terminal.env["RTOUR_INGRESS_TOKEN"] = "s3cret-too"
    assert terminal.run("call", "Greeter/greet", '"x"').code == 0
    admin, ingress = terminal.server.requests[0], terminal.server.requests[-1]
    assert ingress.headers["authorization"] == "Bearer s3cret-too"
    assert "authorization" not in admin.headers
    for words in (["info"], ["config", "view"], ["info", "-o", "json"]):
        assert "s3cret" not in terminal.run(*words).out


def test_the_ingress_token_is_not_sent_where_a_checkout_says(home: Path) -> None:
    """Whoever chooses the admin API chooses the ingress, too: the server names it."""
    below = home / "checkout"
    below.mkdir()
    for key in ("admin_base_url", "ingress_base_url"):
        (below / ".rtour.toml").write_text(f'[local]\n{key} = "http://evil.example"\n')
        found = resolve({}, _env(home, RTOUR_INGRESS_TOKEN="mine"), below)
        assert found.ingress_token.value is None
        assert "withheld" in found.ingress_token.origin


def test_a_shell_that_starts_the_server_can_talk_to_it(home: Path) -> None:
    """The server's own variables serve the command line, too; its own come first."""
    env = _env(home, RTOUR_ADMIN_TOKEN="server", RTOUR_INGRESS_TOKEN="ingress")
    found = resolve({}, env, home)
    assert (found.token.value, found.ingress_token.value) == ("server", "ingress")
    assert resolve({}, {**env, "RESTATE_AUTH_TOKEN": "mine"}, home).token.value == "mine"


def test_files_with_tokens_are_private_at_every_moment(terminal: Terminal) -> None:
    """A file that others could read is made private, and never read half written."""
    file = terminal.home / ".config" / "rtour" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[x]\n")
    file.chmod(0o644)
    words = ["config", "add-environment", "p", "--admin-url", "https://p", "--ingress-token", "t"]
    assert terminal.run(*words).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert 'ingress_bearer_token = "t"' in file.read_text()
    assert [each.name for each in file.parent.iterdir()] == ["config.toml"]


def test_ingress_is_the_one_that_the_server_advertises(terminal: Terminal) -> None:
    """Naming the admin API is enough: `call` then goes to that server's own ingress."""
    terminal.env["RESTATE_INGRESS_URL"] = ""
    advertised = terminal.server.admin["/version"]["ingress_endpoint"]
    terminal.run("call", "Greeter/greet", '"x"')
    assert str(terminal.server.requests[-1].url) == f"{advertised}Greeter/greet"

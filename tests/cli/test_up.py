"""`rtour up`: a server that is there while its UI is, and gone afterwards."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import httpx
import pytest

from rtour.cli import own_server
from rtour.cli import up as up_module
from rtour.cli.session import Session
from rtour.cli.settings import resolve
from rtour.client import Client, ClientError, Connection
from rtour.server.main import Server
from rtour.server.settings import Settings
from tests.certificates import Certified, certified
from tests.cli.terminal import Terminal


@pytest.fixture
def real(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal whose commands reach the network."""
    terminal.server.transport = lambda: None  # type: ignore[assignment, method-assign, return-value]
    # The handlers of the test run's own signals stay in place.
    monkeypatch.setattr(up_module, "_end_on_signals", lambda: None)
    return terminal


def test_taken_port_is_refused(real: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's server must not be taken for ours."""
    opened: list[object] = []
    monkeypatch.setattr(up_module, "open_ui", lambda *given: opened.append(given))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        result = real.run("up", "--ephemeral", "--ingress-port", port, tty=True)
    assert result.code == 4
    assert f"port {port} is taken" in result.err
    assert opened == []


def test_server_lives_as_long_as_the_ui(real: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The UI finds a server that answers; when it is left the server is gone."""
    seen: list[str] = []

    def look(session: Session, log: Path) -> None:
        url = str(session.settings.admin_url.value)
        assert httpx.get(f"{url}/health", trust_env=False).status_code == 200
        block = log.read_text()
        assert "rtour is ready" in block
        assert "psql     postgresql://127.0.0.1:" in block
        seen.append(url)

    monkeypatch.setattr(up_module, "open_ui", look)
    result = real.run("up", "--use-random-ports", "--ephemeral", tty=True)
    assert (result.code, len(seen)) == (0, 1), result.err
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{seen[0]}/health", trust_env=False)


def test_server_that_does_not_start_says_why(real: Terminal) -> None:
    """The last line of its log is the message, and the log is named."""
    (real.home / "data").write_text("in the way")
    words = ["up", "--use-random-ports", "--data", os.fspath(real.home / "data")]
    result = real.run(*words, tty=True)
    assert result.code == 1
    assert "the server did not start" in result.err
    assert "server.log" in result.err


@pytest.fixture
def certificate(tmp_path: Path, real: Terminal, monkeypatch: pytest.MonkeyPatch) -> Certified:
    """A server's settings for TLS and tokens, for a name that is not the one we connect to."""
    files = certified(tmp_path, address="192.0.2.1")
    tokens = {"ADMIN": "admin-secret-1\nadmin-secret-2\n", "INGRESS": "ingress-secret-1\n"}
    for port, text in tokens.items():
        file = tmp_path / port
        file.write_text(text)
        file.chmod(0o600)
        monkeypatch.setenv(f"RTOUR_{port}_TOKEN_FILE", os.fspath(file))
    monkeypatch.setenv("RTOUR_TLS_CERT", os.fspath(files.cert))
    monkeypatch.setenv("RTOUR_TLS_KEY", os.fspath(files.key))
    real.env.update({name: os.environ[name] for name in os.environ if name.startswith("RTOUR_")})
    return files


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_server_with_tls_and_tokens(
    real: Terminal, certificate: Certified, monkeypatch: pytest.MonkeyPatch, everywhere: bool
) -> None:
    """The UI is let in by the first token of each file, and knows the server by its certificate."""
    if everywhere:
        monkeypatch.setenv("RTOUR_HOST", "0.0.0.0")
        real.env["RTOUR_HOST"] = "0.0.0.0"
    answers: list[int] = []

    def look(session: Session, log: Path) -> None:
        async def ask() -> None:
            connection = session.settings.connection(session.options)
            assert connection.admin_url.startswith("https://127.0.0.1:")
            async with Client(connection) as client:
                await client.admin.version()
                answer = await client.ingress.origin.send("GET", "/restate/health")
                answers.append(answer.status)

        asyncio.run(ask())

    monkeypatch.setattr(up_module, "open_ui", look)
    result = real.run("up", "--use-random-ports", "--ephemeral", tty=True)
    assert (result.code, answers) == (0, [200]), result.err


async def test_no_other_certificate_is_believed(tmp_path: Path) -> None:
    """Not even another one of the same authority, or the authority's own."""
    (tmp_path / "other").mkdir()
    own, other = certified(tmp_path), certified(tmp_path / "other")
    settings = Settings(
        ephemeral=True,
        ingress_port=0,
        admin_port=0,
        pg_port=None,
        tls_cert=str(own.cert),
        tls_key=str(own.key),
    )
    async with Server(settings) as server:
        for file, reason in ((other.cert, "CERTIFICATE_VERIFY_FAILED"), (own.key, "cannot use")):
            connection = Connection(admin_url=server.admin_url, certificate=str(file))
            async with Client(connection) as client:
                with pytest.raises(ClientError, match=reason):
                    await client.admin.version()


def test_settings_that_no_server_takes_are_told_at_once(real: Terminal) -> None:
    """Before anything is started, in the server's words."""
    real.env["RTOUR_ADMIN_TOKEN_FILE"] = "/nowhere"
    result = real.run("up", "-r", "--ephemeral", tty=True)
    assert result.code == 1
    assert "admin_token_file: cannot read /nowhere" in result.err


def test_a_port_that_only_the_server_would_know_is_refused(real: Terminal) -> None:
    """The UI could not find it."""
    result = real.run("up", "--ephemeral", "--admin-port", "0", tty=True)
    assert result.code == 1
    assert "rtour up -r" in result.err


@pytest.mark.parametrize(
    ("env", "admin", "ingress"),
    [
        ({}, "http://127.0.0.1:9070", "http://127.0.0.1:8080"),
        ({"RTOUR_HOST": "::"}, "http://[::1]:9070", "http://[::1]:8080"),
        ({"RTOUR_ADMIN_PORT": "1", "RTOUR_ADMIN_HOST": "::1"}, "http://[::1]:1", None),
        ({"RESTATE_INGRESS__BIND_ADDRESS": "127.0.0.2:5"}, None, "http://127.0.0.2:5"),
        ({"RTOUR_TLS_CERT": "a.pem"}, "https://127.0.0.1:9070", "https://127.0.0.1:8080"),
    ],
)
def test_where_the_server_will_be(
    env: dict[str, str], admin: str | None, ingress: str | None
) -> None:
    """As the server reads its settings, and as this machine reaches it."""
    chosen = own_server.expected(env, {}).chosen(resolve({}, {}, Path("/")))
    assert chosen.admin_url.value == (admin or "http://127.0.0.1:9070")
    assert chosen.ingress_url.value == (ingress or "http://127.0.0.1:8080")

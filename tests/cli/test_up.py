"""`rtour up`: a server that is there while its UI is, and gone afterwards."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import httpx
import pytest

from rtour.cli import up as up_module
from rtour.cli.session import Session
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
        result = real.run("up", "--ephemeral", "--admin-port", port, tty=True)
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

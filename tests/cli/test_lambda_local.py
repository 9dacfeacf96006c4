"""`rtour lambda-local` as a process: what it says, that it serves, how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

RTOUR = str(Path(sys.executable).parent / "rtour")


@pytest.fixture
def function(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "mine.py").write_text("def handler(event, context):\n    return [event]\n")
    command = [RTOUR, "lambda-local", "mine:handler", "--port", "0"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()


def test_a_handler_is_served_until_ctrl_c(function: subprocess.Popen[str]) -> None:
    """It says how a server finds it; ctrl-c ends it without a trace back."""
    assert function.stderr is not None
    said = [function.stderr.readline() for _ in range(3)]
    url = re.search(r"http://127\.0\.0\.1:\d+", said[0])
    assert url is not None
    assert said[1] == f"  rtour server --lambda-endpoint {url[0]}\n"
    assert "arn:aws:lambda:local:000000000000:function:mine:latest" in said[2]
    answer = httpx.post(
        f"{url[0]}/2015-03-31/functions/mine/invocations", content=b'"event"', timeout=30
    )
    assert answer.json() == ["event"]
    function.send_signal(signal.SIGINT)
    _, rest = function.communicate(timeout=30)
    assert function.returncode == 0
    assert "Traceback" not in rest


def test_a_port_in_use_is_named() -> None:
    """And what to do about it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [RTOUR, "lambda-local", "mine:handler", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr

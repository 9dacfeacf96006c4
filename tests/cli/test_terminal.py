"""On a real terminal: what a pseudo-terminal sees, with the signals that its keys send."""

from __future__ import annotations

import contextlib
import fcntl
import http.server
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtour.cli.watching import ENTER, LEAVE, NOTHING

ROWS = 200
HEIGHT, WIDTH = 24, 80
PATIENCE_S = 30
CTRL_C = b"\x03"
# Ctrl-C goes to the processes whose terminal it is: the first thing is to make it one's own.
AT_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "rtour", *sys.argv[1:]])
"""
VERSION = {"version": "1.7.12", "min_admin_api_version": 2, "max_admin_api_version": 4}


class Answers(http.server.BaseHTTPRequestHandler):
    """An admin API that has the same rows for every question."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(VERSION)

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["content-length"])))
        many = "FROM numbers" in question["query"]
        self._answer({"rows": [{"n": f"row {n}"} for n in range(ROWS if many else 0)]})

    def _answer(self, body: object) -> None:
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def admin() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()


class Seat:
    """A person at a terminal, in which one command runs."""

    def __init__(self, admin: str, home: Path, *words: str, **env: str) -> None:
        self._end, far_end = pty.openpty()
        fcntl.ioctl(far_end, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self.before = termios.tcgetattr(far_end)
        self._far_end = far_end
        self.seen = b""
        self._process = subprocess.Popen(
            [sys.executable, "-c", AT_THE_TERMINAL, *words],
            stdin=far_end,
            stdout=far_end,
            stderr=far_end,
            start_new_session=True,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                "HOME": str(home),
                "TERM": "xterm",
                "RTOUR_ADMIN_URL": admin,
                **env,
            },
        )

    def wait_for(self, text: bytes) -> None:
        """Reads until `text` is on the screen."""
        while text not in self.seen:
            readable, _, _ = select.select([self._end], [], [], PATIENCE_S)
            assert readable, f"no {text!r} in {self.seen!r}"
            self.seen += os.read(self._end, 65536)

    def press(self, keys: bytes) -> None:
        """Types."""
        os.write(self._end, keys)

    def end(self) -> int:
        """Reads to the end; the exit code."""
        os.close(self._far_end)
        with contextlib.suppress(OSError):  # EIO: nobody holds the other end any more
            while part := os.read(self._end, 65536):
                self.seen += part
        os.close(self._end)
        return self._process.wait(30)

    @property
    def settings(self) -> list[object]:
        """The terminal's modes: echo, line editing, signals."""
        return termios.tcgetattr(self._far_end)


@pytest.fixture
def pager(tmp_path: Path) -> Path:
    """A pager that keeps what it is given, and with what; like less it outlives ctrl-C."""
    program = tmp_path / "pager"
    program.write_text(
        "#!/bin/sh\n"
        "trap 'echo still here' INT\n"
        f'echo "$LESS" > {tmp_path}/less\n'
        f"cat > {tmp_path}/paged\n"
        "echo a page\n"
        "until read key < /dev/tty; do :; done\n"
    )
    program.chmod(0o755)
    return program


def test_ctrl_c_in_a_watch_leaves_the_terminal_as_it_was(admin: str, tmp_path: Path) -> None:
    """The alternate screen is left, the cursor is back, the modes are what they were; 130."""
    seat = Seat(admin, tmp_path, "invocations", "watch")
    seat.wait_for(NOTHING.encode())
    seat.press(CTRL_C)
    seat.wait_for(LEAVE.encode())
    assert seat.settings == seat.before
    assert seat.end() == 130
    assert seat.seen.count(ENTER.encode()) == 1
    after = seat.seen.rpartition(LEAVE.encode())[2]
    assert after == b""
    assert b"Traceback" not in seat.seen


def test_tall_output_goes_through_the_pager(admin: str, tmp_path: Path, pager: Path) -> None:
    """All rows reach it with less's switches, ctrl-C is its own affair, the count comes after."""
    seat = Seat(
        admin, tmp_path, "sql", "SELECT n FROM numbers", "--no-headers", RTOUR_PAGER=str(pager)
    )
    seat.wait_for(b"a page")
    seat.press(CTRL_C)
    seat.press(b"q\n")  # a shell about to read minds the ctrl-C when it has read
    assert seat.end() == 0
    assert b"still here" in seat.seen.partition(b"200 rows")[0]
    assert (tmp_path / "less").read_text() == "FRX\n"
    assert (tmp_path / "paged").read_text().split("\n")[:2] == ["row 0", "row 1"]
    assert len((tmp_path / "paged").read_text().splitlines()) == ROWS
    assert b"row 1" not in seat.seen
    assert b"200 rows" in seat.seen


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["--no-pager"], {"RTOUR_PAGER": "PAGER"}),
        ([], {"RTOUR_PAGER": "cat", "PAGER": "PAGER"}),
        ([], {"PAGER": ""}),
        ([], {"PAGER": "PAGER", "TERM": "dumb"}),
        (["--columns", "n", "SELECT n FROM nothing"], {"PAGER": "PAGER"}),
    ],
)
def test_pager_is_left_out(
    admin: str, tmp_path: Path, pager: Path, words: list[str], env: dict[str, str]
) -> None:
    """Where it is not wanted, cannot work, or has nothing to do."""
    env = {name: value.replace("PAGER", str(pager)) for name, value in env.items()}
    query = [] if any("SELECT" in word for word in words) else ["SELECT n FROM numbers"]
    seat = Seat(admin, tmp_path, "sql", *query, *words, **env)
    assert seat.end() == 0
    assert (b"row 199" in seat.seen) is bool(query)
    assert not (tmp_path / "paged").exists()


def test_missing_pager_costs_a_warning_only(admin: str, tmp_path: Path) -> None:
    """The data is shown all the same, and the variable that is wrong is named."""
    seat = Seat(admin, tmp_path, "sql", "SELECT n FROM numbers", PAGER="/no/such/pager -x")
    assert seat.end() == 0
    assert b"row 199" in seat.seen
    assert b"cannot start the pager '/no/such/pager -x' (from $PAGER)" in seat.seen


def test_pager_that_is_left_early_ends_quietly(admin: str, tmp_path: Path) -> None:
    """`q` on the first page is no broken pipe."""
    seat = Seat(admin, tmp_path, "sql", "SELECT n FROM numbers", PAGER="head -n 1")
    assert seat.end() == 0
    assert b"error" not in seat.seen
    assert b"row 199" not in seat.seen

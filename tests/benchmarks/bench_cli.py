"""How long the command line takes to answer: `python -m tests.benchmarks.bench_cli`.

Whole processes, best of several runs, wall and CPU; beside them the bare interpreter and the
imports that a remote command cannot do without. The server is one of canned answers in a thread,
so that only the command line is measured.
"""

from __future__ import annotations

import http.server
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUNS = 10
RTOUR = str(Path(sys.executable).parent / "rtour")
PYTHON = [sys.executable, "-c"]
COMMANDS = {
    "python -c pass": [*PYTHON, "pass"],
    "rtour --help": [RTOUR, "--help"],
    "rtour config view": [RTOUR, "config", "view"],
    "import typer, httpx": [*PYTHON, "import typer, httpx"],
    "rtour invocations list": [RTOUR, "invocations", "list"],
}
VERSION = {"version": "1.7.12", "min_admin_api_version": 2, "max_admin_api_version": 4}


class Canned(http.server.BaseHTTPRequestHandler):
    """Answers the two requests of `invocations list`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer would wait 40 ms for the client's ACK

    def do_GET(self) -> None:
        self._answer(VERSION)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer({"rows": []})

    def _answer(self, body: object) -> None:
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def server() -> Iterator[str]:
    """The URL of canned answers."""
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Canned)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    thread.join()


def measure(command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """Wall and CPU milliseconds of the best run."""
    runs = []
    for _ in range(RUNS):
        before, started = _cpu(), time.perf_counter()
        subprocess.run(command, env=env, check=True, capture_output=True, timeout=30)
        runs.append(((time.perf_counter() - started) * 1000, (_cpu() - before) * 1000))
    return min(wall for wall, _ in runs), min(cpu for _, cpu in runs)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Prints a table."""
    print(f"{'best of ' + str(RUNS):<26}{'wall ms':>9}{'CPU ms':>9}")
    with server() as url:
        env = {**os.environ, "RESTATE_ADMIN_URL": url}
        for name, command in COMMANDS.items():
            wall, cpu = measure(command, env)
            print(f"{name:<26}{wall:>9.0f}{cpu:>9.0f}")


if __name__ == "__main__":
    main()

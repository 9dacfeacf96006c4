"""Child processes that cannot outlive the tests: own process group, a time limit, a log file."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import select
import signal
import socket
import subprocess
import weakref
from pathlib import Path

# No child lives longer than this, unless asked for, whatever happens to pytest itself.
LIFETIME_S = 900
STOP_TIMEOUT_S = 20
PORTS = range(20_000, 32_000)

_alive: weakref.WeakSet[Child] = weakref.WeakSet()


def free_port() -> int:
    """A loopback port that nobody has, for programs that must be told theirs.

    It is below those that the system gives away by itself (to whoever binds port 0, and to every
    outgoing connection), so that nobody gets it before the program does.
    """
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Child:
    """One started program. `timeout(1)` leads its process group and enforces the time limit."""

    def __init__(
        self,
        command: list[str],
        log: Path,
        env: dict[str, str],
        cwd: Path | None = None,
        lifetime_s: int = LIFETIME_S,
    ) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                ["timeout", "--foreground", "-k", "5", str(lifetime_s), *command],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **env},
                cwd=cwd,
                process_group=0,
            )
        _alive.add(self)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> int:
        """Ask politely (SIGTERM, which `timeout` hands on) and wait; kill when it takes long."""
        if self.running:
            self._process.terminate()
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def kill(self) -> None:
        """SIGKILL the whole group, and return when the program itself is gone."""
        leader = self._process.pid
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
            exits = [os.pidfd_open(int(child)) for child in children]
            os.killpg(leader, signal.SIGKILL)
            for exit_of_child in exits:  # a pidfd turns readable when its process has ended
                select.select([exit_of_child], [], [], STOP_TIMEOUT_S)
                os.close(exit_of_child)
        self._process.wait()

    def log_tail(self, characters: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-characters:]


@atexit.register
def _kill_what_is_left() -> None:
    for child in list(_alive):
        if child.running:
            child.kill()

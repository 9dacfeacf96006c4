"""A program on a pseudo-terminal, from which a benchmark reads what it draws, and when."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
from time import perf_counter

# What moves the cursor and colours the text; cells beside each other come as one piece.
_ESCAPES = re.compile(rb"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")
PATIENCE_S = 60
KEPT_BYTES = 200_000


class Terminal:
    """The program, its keys and what it has drawn since one asked for something."""

    def __init__(self, command: list[str], size: tuple[int, int], env: dict[str, str]) -> None:
        self.began = perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, {**os.environ, "TERM": "xterm-256color", **env})
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self._drawn = b""

    def press(self, keys: bytes) -> float:
        """Sends keys; gives the instant. What was drawn before is forgotten."""
        self.read_for(0)
        self._drawn = b""
        os.write(self._fd, keys)
        return perf_counter()

    def until(self, *words: bytes) -> float:
        """The instant at which all words have been drawn."""
        gone = perf_counter() + PATIENCE_S
        while not all(word in self.text for word in words):
            left = gone - perf_counter()
            assert left > 0, f"never drawn: {words!r}\n{self.text[-2000:].decode(errors='replace')}"
            self._read(min(left, 1.0))
        return perf_counter()

    @property
    def text(self) -> bytes:
        """What was drawn, without what coloured and placed it."""
        return _ESCAPES.sub(b"", self._drawn)

    def read_for(self, seconds: float) -> None:
        """Takes in what it draws for a while, so that it is not held up."""
        end = perf_counter() + seconds
        while self._read(max(0.0, end - perf_counter())):
            pass

    def _read(self, within_s: float) -> bool:
        if not select.select([self._fd], [], [], within_s)[0]:
            return False
        self._drawn = (self._drawn + os.read(self._fd, 65536))[-KEPT_BYTES:]
        return True

    def stop(self) -> None:
        """Kills it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)

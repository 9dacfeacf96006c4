"""Somebody at a terminal of their own: types commands, reads what comes, presses ctrl-C."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

PATIENCE_S = 30.0
LOOK_EVERY_S = 0.02
CTRL_C, CTRL_Q, ENTER = "\x03", "\x11", "\r"
ROWS, COLUMNS = 24, 80
# The terminal becomes the session's own, so that its ctrl-C reaches whoever runs there.
SIT_DOWN = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp("bash", ["bash", "-c", sys.argv[1]])
"""
# Colours, cursor moves, titles: what a terminal obeys and nobody reads.
ESCAPES = re.compile(r"\x1b\[[0-9;?<>=]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")


class Typist:
    """One command on an 80 x 24 terminal. `until` and `ends` fail with what was on it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self._raw = b""
        self._read_up_to = 0
        asyncio.get_running_loop().add_reader(master, self._read)

    def _read(self) -> None:
        try:
            came = os.read(self._master, 65536)
        except OSError:  # everybody has left the other side
            came = b""
        self._raw += came
        if not came:
            asyncio.get_running_loop().remove_reader(self._master)

    @property
    def text(self) -> str:
        """All that was ever on the terminal."""
        return ESCAPES.sub("", self._raw.decode("utf-8", "replace"))

    def type(self, keys: str) -> Self:
        """Presses keys; what is waited for after that must be new."""
        self.forget()
        os.write(self._master, keys.encode())
        return self

    def forget(self) -> None:
        """What is waited for after this must be new."""
        self._read_up_to = len(self.text)

    async def until(self, words: str) -> str:
        """Waits until words have come since the last key; answers all that has come since."""
        await self._when(lambda: words in self.text[self._read_up_to :], f"'{words}'")
        return self.text[self._read_up_to :]

    async def ends(self) -> int:
        """Waits for the end; the exit code."""
        await self._when(lambda: self.process.poll() is not None, "its end")
        self._read()
        return self.process.wait()

    async def _when(self, reached: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not reached():
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}:\n{self.text[-3000:]}") from None

    def close(self) -> None:
        """Ends it if it has not ended, and all that it has started."""
        asyncio.get_running_loop().remove_reader(self._master)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)


@asynccontextmanager
async def typing(command: str, folder: Path, env: Mapping[str, str]) -> AsyncIterator[Typist]:
    """The command, as a shell runs it on a terminal."""
    typist = Typist(*_started(command, folder, env))
    try:
        yield typist
    finally:
        typist.close()


def _started(
    command: str, folder: Path, env: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and the other side of its terminal."""
    master, slave = os.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", SIT_DOWN, command],
        cwd=folder,
        env={**env, "TERM": "xterm-256color"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    return process, master

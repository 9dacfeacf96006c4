"""Commands of the lessons, run as in the learner's terminal: what they print fits its width."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from collections.abc import Mapping
from pathlib import Path

import msgspec

WITHIN_S = 60.0
WIDTH = 80
_HEIGHT = 9999  # nothing is to be paged
_READ_BYTES = 65_536


class Ran(msgspec.Struct, frozen=True):
    """A command of a lesson, and what came of it."""

    command: str
    output: str
    code: int


async def run(command: str, folder: Path, env: Mapping[str, str], width: int = WIDTH) -> Ran:
    """Runs a shell command in `folder`, on a terminal of so many columns, without colours."""
    ours, theirs = _terminal(width)
    printed = bytearray()
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, _take, ours, printed)
    try:
        try:
            process = await asyncio.create_subprocess_shell(
                command,
                cwd=folder,
                env={**env, "TERM": "dumb", "COLUMNS": str(width)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
            )
        finally:
            os.close(theirs)
        try:
            async with asyncio.timeout(WITHIN_S):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            return Ran(command, f"(still running after {WITHIN_S:g}s, stopped)", 124)
        _take(ours, printed)
        return Ran(command, printed.decode("utf-8", "replace"), code)
    finally:
        loop.remove_reader(ours)
        os.close(ours)


def _terminal(width: int) -> tuple[int, int]:
    """Our side and the command's; it gets every character as it was written."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _HEIGHT, width, 0, 0))
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    os.set_blocking(ours, False)
    return ours, theirs


def _take(ours: int, printed: bytearray) -> None:
    """All that was printed by now."""
    with contextlib.suppress(OSError):  # nothing more now, or for ever: the other side is closed
        while data := os.read(ours, _READ_BYTES):
            printed += data

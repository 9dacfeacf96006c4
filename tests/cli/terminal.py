"""Runs the command line in this process, with streams, clock and environment of its own."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from rtour.cli.dispatch import run
from rtour.cli.session import World
from tests.cli.fake_server import ADMIN, INGRESS, FakeServer


class Stream(io.TextIOWrapper):
    """A text stream over bytes, that can pretend to be a terminal."""

    def __init__(self, content: bytes = b"", *, tty: bool = False) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8", write_through=True)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    def text(self) -> str:
        """All that was written."""
        raw = self.buffer
        assert isinstance(raw, io.BytesIO)
        return raw.getvalue().decode("utf-8", "backslashreplace")


@dataclass
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


@dataclass
class Terminal:
    """A user's terminal in front of a server."""

    server: FakeServer
    home: Path
    env: dict[str, str] = field(default_factory=dict)
    sleep: Callable[[float], Awaitable[None]] | None = None
    printed: str = ""

    def run(self, *argv: str, stdin: str = "", tty: bool = False, columns: int = 80) -> Result:
        """Runs one command line."""
        out, err = Stream(tty=tty), Stream(tty=tty)
        world = World(
            env={
                "HOME": str(self.home),
                "RESTATE_ADMIN_URL": ADMIN,
                "RESTATE_INGRESS_URL": INGRESS,
                "COLUMNS": str(columns),
                **self.env,
            },
            cwd=self.home,
            stdin=Stream(stdin.encode(), tty=tty),
            stdout=out,
            stderr=err,
            now=lambda: self.server.now,
            sleep=self.sleep or _no_sleep,
            transport=self.server.transport(),
        )
        # Help is Typer's to print, and it knows only the process's own stdout.
        try:
            with contextlib.redirect_stdout(out):
                code = run(list(argv), world)
        finally:
            self.printed = out.text()
        return Result(code, out.text(), err.text())


async def _no_sleep(_: float) -> None:
    """Lets everybody else run, and no time pass."""
    await asyncio.sleep(0)

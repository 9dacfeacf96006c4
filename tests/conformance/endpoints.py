"""Service endpoints as processes: the same services on every official SDK.

An endpoint keeps its port over `kill` and `start`, so the server finds it again. Effects, gates and
switches live in the folder given as `outside` (see `services/python/outside.py`).
"""

from __future__ import annotations

import asyncio
import sys
import urllib.parse
from pathlib import Path
from typing import Any, Literal

import httpx

from tests.conformance import oracles
from tests.conformance.processes import Child, free_port
from tests.conformance.toolchains import TOOLCHAINS
from tests.conformance.waiting import eventually

# An SDK and how it is spoken to. Over HTTP/1.1 an SDK works in request-response mode, where every
# wait is a suspension and a replay. Java has a state machine of its own, the others share one.
Setup = Literal["python", "typescript", "python-http1", "go", "rust", "java", "java-http1"]
SETUPS: tuple[Setup, ...] = (
    "python",
    "typescript",
    "python-http1",
    "go",
    "rust",
    "java",
    "java-http1",
)
# Those whose endpoints also play the theatre of `test_tickets`.
THEATRES: tuple[Setup, ...] = ("python", "typescript", "python-http1")
# A JVM takes its time on a busy machine.
READY_S = 90
REPOSITORY = Path(__file__).resolve().parents[2]


class Outside:
    """The test's side of the world outside the journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for kind in ("effects", "gates", "switches"):
            (folder / kind).mkdir(parents=True, exist_ok=True)

    def effects(self, tag: str) -> list[str]:
        """The lines handlers left under this tag, oldest first."""
        path = self._file("effects", tag)
        return path.read_text().splitlines() if path.exists() else []

    async def effect(self, tag: str, count: int = 1, within_s: float = 20.0) -> list[str]:
        """Wait until at least `count` lines are there."""

        async def ask() -> list[str]:
            return self.effects(tag)

        return await eventually(
            f"{count} effects of {tag}", ask, lambda lines: len(lines) >= count, within_s
        )

    def open_gate(self, name: str) -> None:
        self._file("gates", name).touch()

    def switch(self, name: str, on: bool) -> None:
        path = self._file("switches", name)
        path.touch() if on else path.unlink(missing_ok=True)

    def _file(self, kind: str, tag: str) -> Path:
        return self.folder / kind / urllib.parse.quote(tag, safe="")


class Endpoint:
    """One endpoint process on a loopback port."""

    def __init__(self, setup: Setup, outside: Outside) -> None:
        self.setup = setup
        self.outside = outside
        self.port = free_port()
        self._child: Child | None = None

    @property
    def registration(self) -> dict[str, Any]:
        """The body that registers it."""
        return {"uri": self.uri, "use_http_11": self.setup.endswith("-http1")}

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start, and return once it answers its health check."""
        assert self._child is None, "stop or kill it first"
        command, cwd = await asyncio.to_thread(self._command)
        env = {"CONFORMANCE_OUTSIDE": str(self.outside.folder)}
        log = self.outside.folder / f"endpoint-{self.port}.log"
        self._child = Child([*command, str(self.port)], log, env, cwd)
        await eventually(f"{self.setup} endpoint ready", self._ready, within_s=READY_S)

    def stop(self) -> None:
        """An endpoint keeps nothing, so it is simply killed."""
        if self._child is not None:
            self.kill()

    def kill(self) -> None:
        assert self._child is not None, "not running"
        self._child.kill()
        self._child = None

    def _command(self) -> tuple[list[str], Path]:
        """What to start, without its port, and where. May install or build something first."""
        if self.setup in TOOLCHAINS:
            return TOOLCHAINS[self.setup].program(), REPOSITORY
        if self.setup == "typescript":
            oracles.install()
            folder = oracles.typescript_services()
            return [str(oracles.node()), "--no-warnings", "serve.ts"], folder
        return [sys.executable, "-m", "tests.conformance.services.python.serve"], REPOSITORY

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask the endpoint itself, over h2c."""
        async with httpx.AsyncClient(http1=False, http2=True) as client:
            return await client.get(f"{self.uri}{path}", headers=headers)

    async def _ready(self) -> bool:
        assert self._child is not None
        assert self._child.running, f"the {self.setup} endpoint ended:\n{self._child.log_tail()}"
        try:
            return (await self.get("/health")).status_code == 200
        except httpx.TransportError:
            return False

"""A server with an invocation in every state, and the official CLI to look at it.

Everything has a fixed key, so the same command line means the same thing on both servers; ids are
known by the label they got here.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.conformance import oracles, wire
from tests.conformance.peers import Peer, Request, manifest, peer, respond_frames, service
from tests.conformance.program import op
from tests.conformance.servers import Kind
from tests.conformance.sites import site
from tests.conformance.waiting import eventually
from tests.conformance.world import Site

COMMAND_TIMEOUT_S = 30.0
# Long enough that nothing moves while the commands run.
CALM = {
    "RESTATE_DEFAULT_RETRY_POLICY__INITIAL_INTERVAL": "10m",
    "RESTATE_DEFAULT_RETRY_POLICY__MAX_INTERVAL": "10m",
    "RESTATE_WORKER__CLEANUP_INTERVAL": "10m",
}
HOUR_MS = 3_600_000


class Answer(msgspec.Struct, frozen=True):
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Stage:
    """One site, the labels of what is on it, and the CLI."""

    def __init__(self, here: Site, client: httpx.AsyncClient, home: Path) -> None:
        self.site = here
        self.client = client
        self.home = home
        self.labels: dict[str, str] = {}
        """label → id"""
        self.peers: dict[str, Peer] = {}

    # --- setting it ------------------------------------------------------------------------------

    async def send(self, label: str, target: str, *program: Any, query: str = "") -> str:
        """Start an invocation, with a fixed idempotency key."""
        answer = await self.client.post(
            f"{self.site.server.ingress_url}/{target}/send{query}",
            content=json.dumps(list(program)),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 202, answer.text
        invocation_id: str = answer.json()["invocationId"]
        self.labels[label] = invocation_id
        return invocation_id

    async def until(self, label: str, status: str, condition: str = "true") -> None:
        sql = (
            f"SELECT status, journal_size FROM sys_invocation WHERE id = '{self.labels[label]}' "
            f"AND status = '{status}' AND {condition}"
        )
        await eventually(f"{label} {status}", lambda: self.site.server.sql(sql))

    async def gone(self, label: str) -> None:
        """Until the invocation is forgotten."""
        sql = f"SELECT id FROM sys_invocation WHERE id = '{self.labels[label]}'"
        await eventually(f"{label} gone", lambda: self.site.server.sql(sql), lambda rows: not rows)

    async def admin(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.client.request(method, self.site.server.admin_url + path, json=body)

    async def register(self, label: str, uri: str) -> None:
        self.labels[label] = await self.site.server.register(uri, use_http_11=True)

    # --- asking ----------------------------------------------------------------------------------

    async def run(self, line: list[str]) -> Answer:
        """One command line; `{label}` stands for an id or an address."""
        arguments = [self.filled(part) for part in line]
        process = await asyncio.create_subprocess_exec(
            *(str(oracles.restate_cli()), *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment(),
            cwd=self.home,
        )
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            out, err = await process.communicate()
        code = process.returncode or 0
        return Answer(code, self.blanked(out.decode()), self.blanked(err.decode()))

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TZ": "UTC",
            "DO_NOT_TRACK": "1",
            "RESTATE_ADMIN_URL": self.site.server.admin_url,
            "RESTATE_EDITOR": str(self.home / "editor"),
        }

    def filled(self, part: str) -> str:
        addresses = {f"{name} address": peer.uri for name, peer in self.peers.items()}
        for label, value in (*self.labels.items(), *addresses.items()):
            part = part.replace("{" + label + "}", value)
        return part

    def blanked(self, text: str) -> str:
        """The text without what differs from run to run: ids, times, widths."""
        for label, value in self.labels.items():
            text = text.replace(value, f"<{label}>")
        text = text.replace(str(self.home), "<home>")
        for pattern, placeholder in _BLANKS:
            text = pattern.sub(placeholder, text)
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())


_UNIT = r"\d+ (?:years?|months?|weeks?|days?|hours?|minutes?|seconds?|ms)"
_DURATION = rf"{_UNIT}(?:(?:, | and ){_UNIT})*"
_BLANKS = (
    (re.compile(r"inv_1[0-9A-Za-z]{33,}"), "<inv>"),
    (re.compile(r"dp_1[0-9A-Za-z]{20,}"), "<dp>"),
    (re.compile(r"\b0[0-9A-HJKMNP-TV-Z]{25}\b"), "<ulid>"),
    (re.compile(r"(?:127\.0\.0\.1|localhost):\d+"), "<address>"),
    (re.compile(r"\w{3} \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+00:00"), "<date>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)? ?(?:Z|\+00:00)"), "<time>"),
    (re.compile(r"Query took [\d.]+.?s"), "Query took <duration>"),
    (re.compile(_DURATION), "<duration>"),
    (re.compile(r"(?:an? (?:second|minute|hour)|now|<duration>) ago"), "<ago>"),
    # Said of locks that have been held for five seconds.
    (re.compile(r"<duration>\. The key will not be released[^)]*"), "<ago>"),
    (re.compile(r"PT[\d.]+S"), "<iso duration>"),
    (re.compile(r"―+|═+|─+"), "―"),
    (re.compile(r"[ \t]+"), " "),
)


async def _done(request: Request, writer: asyncio.StreamWriter) -> None:
    respond_frames(request, writer, wire.output(b'"done"'))


async def _asleep(request: Request, writer: asyncio.StreamWriter) -> None:
    """Sleeps for some centuries."""
    sleep = wire.frame(wire.SLEEP, (1, 2**44), (11, 1))
    respond_frames(request, writer, sleep, wire.waiting_for(1))


@asynccontextmanager
async def stage(kind: Kind, folder: Path) -> AsyncIterator[Stage]:
    """A site on which every state is to be seen."""
    oracles.install()
    home = folder / "home"
    home.mkdir(parents=True)
    editor = home / "editor"
    editor.write_text('#!/bin/sh\nexec sh "$HOME/edit.sh" "$1"\n')
    editor.chmod(0o755)
    async with (
        site(kind, "python", folder, CALM) as here,
        httpx.AsyncClient(timeout=30) as client,
        peer(manifest(service("Old", "run")), _asleep) as old,
        peer(manifest(service("Spare", "run", "walk")), _done) as spare,
    ):
        built = Stage(here, client, home)
        built.peers = {"old": old, "spare": spare}
        built.labels["dp"] = here.deployment_id
        await _fill(built)
        yield built


async def _fill(s: Stage) -> None:
    await s.register("dp old", s.peers["old"].uri)
    await s.send("succeeded", "Svc/run", op("run", name="step", tag="t", v=1), op("value", v="ok"))
    await s.until("succeeded", "completed")
    await s.send("failed", "Svc/run", op("fail", message="card was refused", code=403))
    await s.until("failed", "completed")
    await s.send("backing off", "Svc/run", op("throw", message="smtp 451 try later", tag="b"))
    await s.until("backing off", "backing-off")
    await s.send("suspended", "Quick/run", op("sleep", ms=HOUR_MS, name="nap"))
    await s.until("suspended", "suspended")
    await s.send("scheduled", "Svc/run", op("value", v=1), query="?delay=1h")
    await s.until("scheduled", "scheduled")
    await s.send("running", "Obj/lock/run", op("gate", name="shut"))
    await s.until("running", "running")
    await s.send("pending", "Obj/lock/run", op("value", v=2))
    await s.until("pending", "pending")
    await s.send("paused", "Pause2/p/run", op("throw", message="no luck", tag="p"))
    await s.until("paused", "paused")
    await s.send(
        "caller",
        "QuickObj/c/run",
        op("call", svc="QuickObj", handler="run", key="d", arg=[op("sleep", ms=HOUR_MS)]),
    )
    await s.until("caller", "suspended")
    await s.send(
        "stateful", "Obj/s/run", op("set", k="status", v="reserved"), op("set", k="seat", v=7)
    )
    await s.until("stateful", "completed")
    await s.send("waiting flow", "Flow/f/run", op("promise_get", name="clicked"))
    await s.until("waiting flow", "suspended")
    await s.send("orphan", "Old/run")
    await s.until("orphan", "suspended")
    removed = await s.admin("DELETE", f"/deployments/{s.labels['dp old']}?force=true")
    assert removed.status_code == 202, removed.text

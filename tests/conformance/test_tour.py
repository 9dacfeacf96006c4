"""The tour's stages on the official SDKs: the lessons' own checks judge them, on rtour's server.

The Python stages are those of the tour with their imports changed, the TypeScript ones stand beside
them. What the checks ask is what a learner is asked: calls, timers, state, a payment that fails
twice, repeated requests, and `kill -9` of service and server in the middle of a checkout.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from rtour.client import Client
from tests.conformance import oracles
from tour.guide.look import Look
from tour.guide.outside import Outside
from tour.guide.theatre import Theatre
from tour.lessons import beyond, calling, paying, remembering, scheduling

TOUR = oracles.REPOSITORY / "tour"
TYPESCRIPT = TOUR / "typescript"
Check = Callable[[Look], Awaitable[None]]
PART1 = (calling.calls, calling.messages)
PART2 = (scheduling.scheduling,)
PART3 = (*PART2, remembering.state, remembering.expiring, remembering.tickets)
PART4 = (*PART3, paying.payment, paying.finishing, paying.crashing, paying.requests)
PART5 = (*PART4, beyond.awakeables, beyond.workflows, beyond.sagas)
STAGES: dict[str, tuple[Check, ...]] = {
    "app": (),
    "part1": PART1,
    "part2": PART2,
    "part3": PART3,
    "part4": PART4,
    "part5": PART5,
}


class Stage(Theatre):
    """One stage in place of the learner's files, served with an official SDK."""

    def __init__(self, folder: Path, part: str, sdk: str) -> None:
        super().__init__(folder, random_ports=True)
        self._part = part
        self._sdk = sdk

    def serving(self) -> list[str]:
        port = str(self.ports[2])
        if self._sdk == "python":
            app = f"{self.folder.name}.{self._part}.app:app"
            return [sys.executable, "-m", "hypercorn", app, "-w", "0", "-b", f"127.0.0.1:{port}"]
        file = self.folder / "typescript" / self._part / "app.ts"
        return ["env", f"PORT={port}", str(oracles.node()), "--no-warnings", str(file)]


@pytest.fixture(params=["python", pytest.param("typescript", marks=pytest.mark.oracle)])
def stage(request: pytest.FixtureRequest, tmp_path: Path, part: str) -> Stage:
    folder = tmp_path / "tour"
    shutil.copytree(TOUR, folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    if request.param == "typescript":
        oracles.install()
        modules = folder / "typescript" / "node_modules"
        modules.symlink_to(oracles.ORACLES / "node_modules")
    else:
        for file in folder.rglob("*.py"):
            file.write_text(re.sub(r"\brtour\b", "restate", file.read_text()))
    return Stage(folder, part, request.param)


@pytest.mark.parametrize("part", STAGES)
async def test_a_stage_passes_the_checks_of_its_lessons(stage: Stage, part: str) -> None:
    """Each stage registers, and does what the lessons up to it have the learner write."""
    async with stage.open(), Client(stage.connection) as client:
        await stage.fresh_service()
        await client.admin.register({"uri": stage.service_url})
        look = Look(client, stage, Outside(stage.folder / "outside"))
        await calling.getting_started(look)
        for handler, body in (("addTicket", "seat2B"), ("checkout", None)):
            await look.call(f"CartObject/Mary/{handler}", body, idempotency_key=f"7f3c-{handler}")
        await calling.http(look)
        for check in STAGES[part]:
            await check(look)
        assert look.seen


@pytest.mark.oracle
def test_the_typescript_stages_are_well_typed(tmp_path: Path) -> None:
    """The compiler, strict, has nothing to say against any of them."""
    oracles.install()
    folder = shutil.copytree(TYPESCRIPT, tmp_path / "typescript")
    (folder / "node_modules").symlink_to(oracles.ORACLES / "node_modules")
    words = [str(oracles.node()), str(oracles.typescript_compiler())]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_the_typescript_stages_have_the_services_of_the_python_ones() -> None:
    """File by file and handler by handler, so that a reader may change the tab in any lesson."""
    for part in STAGES:
        python = {file.stem: file for file in (TOUR / part).glob("*.py")}
        typescript = {file.stem: file for file in (TYPESCRIPT / part).glob("*.ts")}
        assert set(typescript) == set(python) - {"__init__", "test_theatre"}
        for stem, file in typescript.items():
            names = re.findall(r"^    (\w+): async", file.read_text(), re.MULTILINE)
            assert names == _handlers(python[stem].read_text()), (part, stem)


def _handlers(source: str) -> list[str]:
    found = re.findall(r'\.(?:handler|main)\((?:"(\w+)")?\)\nasync def (\w+)', source)
    return [given or name for given, name in found]

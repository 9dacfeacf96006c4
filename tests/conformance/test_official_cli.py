"""The official command line, unmodified, prints the same on rtour as on the official server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.conformance.cli_commands import COMMANDS
from tests.conformance.cli_stage import Answer, stage
from tests.conformance.servers import KINDS, Kind

Transcript = list[Answer]

# command line → why what it prints differs.
DIFFERENT: dict[str, str] = {}


async def _transcribe(kind: Kind, folder: Path) -> Transcript:
    answers = []
    async with stage(kind, folder) as here:
        for command in COMMANDS:
            (here.home / "edit.sh").write_text(command.edit)
            answers.append(await here.run(command.arguments))
            if command.after is not None:
                await command.after(here)
    return answers


@pytest.fixture(scope="module")
def transcripts(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Transcript]:
    """All commands on both servers, one after the other."""
    return {kind: asyncio.run(_transcribe(kind, tmp_path_factory.mktemp(kind))) for kind in KINDS}


@pytest.mark.oracle
@pytest.mark.parametrize("place", range(len(COMMANDS)), ids=[each.line for each in COMMANDS])
def test_it_prints_the_same(transcripts: dict[Kind, Transcript], place: int) -> None:
    """Exit code, output and complaints, without ids, times and the order of handlers."""
    official, ours = transcripts["official"][place], transcripts["rtour"][place]
    same = _unordered(official) == _unordered(ours)
    reason = DIFFERENT.get(COMMANDS[place].line)
    if reason is None:
        assert same, f"official:\n{official}\n\nrtour:\n{ours}"
    else:
        assert not same, f"no longer different: {reason}"


def _unordered(answer: Answer) -> tuple[int, list[str], list[str]]:
    """Groups, handlers and services come in an order of their own on every run."""
    return answer.code, sorted(answer.out.splitlines()), sorted(answer.err.splitlines())

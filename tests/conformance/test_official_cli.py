"""The official command line, unmodified, prints the same on rtour as on the official server."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.conformance.cli_commands import COMMANDS
from tests.conformance.cli_stage import Answer, stage
from tests.conformance.servers import KINDS, Kind

Transcript = list[Answer]

_COUNTED = "the Input is stored and counted when it is accepted, not when it first runs"
_OWN_WORDS = "why a peer is unreachable is said in our words"
_JSON = "every refusal of the admin port has a JSON body"
# How a command line begins → why what it prints differs.
DIFFERENT: dict[str, str] = {
    "deployments describe nonsense": _JSON,
    "subscriptions describe x": _JSON,
    "sql --json": _COUNTED,
    "sql --jsonl": _COUNTED,
    'sql "SELECT id, status': _COUNTED,
    "deployments register --yes http://127.0.0.1:9 ": _OWN_WORDS,
}
# Where the official server puts words in another order on every run.
SHUFFLED = ("services list --extra", "deployments list", "state clear")


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
    line = COMMANDS[place].line
    official, ours = transcripts["official"][place], transcripts["rtour"][place]
    order = _words if line.startswith(SHUFFLED) else _lines
    same = order(official) == order(ours)
    reason = next((why for start, why in DIFFERENT.items() if line.startswith(start)), None)
    if reason is None:
        assert same, f"official:\n{official}\n\nrtour:\n{ours}"
    else:
        assert not same, f"no longer different: {reason}"


def _lines(answer: Answer) -> tuple[int, list[str], list[str]]:
    """Groups, handlers and services come in an order of their own on every run."""
    return answer.code, sorted(answer.out.splitlines()), sorted(answer.err.splitlines())


def _words(answer: Answer) -> tuple[int, list[str], list[str]]:
    out, err = (sorted(re.findall(r"[^\s,\[\]]+", text)) for text in (answer.out, answer.err))
    return answer.code, out, err

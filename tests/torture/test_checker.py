"""The checker finds what it is there to find: each planted breach, in a file that was sound."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.torture.checker import problems
from tests.torture.load import Ack, Load
from tests.torture.victim import Victim

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Ack]]:
    """A file, a log and promises of a server that nothing happened to."""

    async def work() -> tuple[Path, Path, list[Ack]]:
        victim = Victim(tmp_path_factory.mktemp("sound"))
        await victim.start_services()
        await victim.start()
        await victim.register()
        load = Load(victim.ingress_port, connections=16)
        load.start()
        await load.answered(200)
        await load.finish()
        victim.stop()
        return victim.database, victim.effects, load.acks

    return asyncio.run(work())


def copied(finished: tuple[Path, Path, list[Ack]], folder: Path) -> tuple[Path, Path, list[Ack]]:
    database, effects, acks = finished
    copy = folder / "rtour.db"
    with (
        contextlib.closing(sqlite3.connect(database)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    log = folder / "effects.log"
    log.write_text(effects.read_text())
    return copy, log, list(acks)


def test_a_sound_file_has_no_problems(
    finished: tuple[Path, Path, list[Ack]], tmp_path: Path
) -> None:
    """Nothing is found where nothing is wrong."""
    database, effects, acks = copied(finished, tmp_path)
    assert acks
    assert problems(database, effects, acks) == []


_ONE = "(SELECT number FROM invocation WHERE target_service = 'Counter' ORDER BY number LIMIT 1)"


@pytest.mark.parametrize(
    ("breach", "complaint"),
    [
        ("UPDATE state SET value = CAST(CAST(value AS INTEGER) - 1 AS BLOB)", "lost:"),
        ("UPDATE state SET value = CAST(CAST(value AS INTEGER) + 1 AS BLOB)", "doubled:"),
        (f"DELETE FROM invocation WHERE number = {_ONE}", "lost: nothing is stored"),
        (f"DELETE FROM journal WHERE idx = 1 AND number = {_ONE}", "the journal of"),
        (f"UPDATE invocation SET status = 'invoked' WHERE number = {_ONE}", "has not ended"),
        (f"UPDATE invocation SET success = '{{}}' WHERE number = {_ONE}", "was told"),
        ("INSERT INTO lock VALUES ('Counter', 'k0', 'inv_1', 0)", "rows are left in lock"),
    ],
)
def test_a_planted_breach_is_found(
    finished: tuple[Path, Path, list[Ack]], tmp_path: Path, breach: str, complaint: str
) -> None:
    """Each kind of loss, doubling and damage has its complaint."""
    database, effects, acks = copied(finished, tmp_path)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(breach)
    assert any(complaint in problem for problem in problems(database, effects, acks))


def _forget_effect(effects: Path, acks: list[Ack]) -> None:
    lines = effects.read_text().splitlines()
    effects.write_text("\n".join(line for line in lines if line != acks[0].effect))


def _tell_twice(_effects: Path, acks: list[Ack]) -> None:
    acks.append(acks[0])


@pytest.mark.parametrize("breach", [_forget_effect, _tell_twice])
def test_a_breach_outside_the_file_is_found(
    finished: tuple[Path, Path, list[Ack]],
    tmp_path: Path,
    breach: Callable[[Path, list[Ack]], None],
) -> None:
    """The witness log and the promises count as much as the file."""
    database, effects, acks = copied(finished, tmp_path)
    breach(effects, acks)
    assert problems(database, effects, acks)

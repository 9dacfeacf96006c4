"""`rtour doctor` looks into the data folder here, and leaves it as it is."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtour.storage.schema import MIGRATIONS
from rtour.storage.sqlite import SqliteStorage
from tests.cli.terminal import Result, Terminal
from tests.storage import values as v


@pytest.fixture
def folder(terminal: Terminal) -> Path:
    """Where a server with default settings keeps everything: three unfinished invocations."""
    path = terminal.home / "rtour-data"
    storage = SqliteStorage(path)
    asyncio.run(v.fill(storage, 1, 3))
    storage.close()
    (path / "lock").unlink()  # or it would name this process, which runs
    return path


def findings(terminal: Terminal, what: str = "data folder") -> Iterator[tuple[str, str]]:
    """Level and words of the findings about `what`."""
    result: Result = terminal.run("doctor", "-o", "json")
    for row in json.loads(result.out):
        if row["what"] == what:
            yield row["level"], row["finding"]


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time of change."""
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


def test_free_folder_is_counted_and_left_alone(terminal: Terminal, folder: Path) -> None:
    """Its rows are told; no file is written, made or locked."""
    before = contents(folder)
    ((level, finding),) = findings(terminal)
    assert level == "ok"
    assert "3 invocations, 3 unfinished, 0 values of state" in finding
    assert contents(folder) == before


def test_folder_in_use_is_not_opened(terminal: Terminal, folder: Path) -> None:
    """While a server has it, its process is named and that is all."""
    (folder / "lock").write_text(f"{os.getpid()}\n")
    ((level, finding),) = findings(terminal)
    assert (level, finding) == ("ok", f"{folder}, in use by process {os.getpid()}")


def test_folder_of_a_killed_server_is_left_to_the_next(terminal: Terminal, folder: Path) -> None:
    """What is only in the log yet is not for us to take up."""
    (folder / "lock").write_text("999999999\n")
    (folder / "rtour.db-wal").write_bytes(b"frames")
    ((level, finding),) = findings(terminal)
    assert level == "ok"
    assert "nothing is lost" in finding


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no database at all, not at all, not at all" * 100, "not a database"),
        (None, "is not a file of rtour's"),
    ],
)
def test_file_that_no_server_can_use_is_a_problem(
    terminal: Terminal, content: bytes | None, told: str
) -> None:
    """Damage and somebody else's database are told apart; doctor ends with 1."""
    folder = terminal.home / "rtour-data"
    folder.mkdir(mode=0o700)
    if content is None:
        with sqlite3.connect(folder / "rtour.db") as connection:
            connection.execute("CREATE TABLE songs (name)")
        connection.close()
    else:
        (folder / "rtour.db").write_bytes(content)
    ((level, finding),) = findings(terminal)
    assert level == "problem"
    assert told in finding
    assert terminal.run("doctor").code == 1


def test_file_of_a_newer_rtour_is_a_problem(terminal: Terminal, folder: Path) -> None:
    """Both schemas are named, and the way out."""
    connection = sqlite3.connect(folder / "rtour.db")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    for path in folder.glob("rtour.db-*"):
        path.unlink()
    result = terminal.run("doctor")
    assert result.code == 1
    assert f"schema {len(MIGRATIONS) + 1}, this rtour knows {len(MIGRATIONS)}" in result.out
    assert "next: update rtour" in result.err


def test_folder_that_others_can_read_is_warned_of(terminal: Terminal, folder: Path) -> None:
    """What services store may be private."""
    folder.chmod(0o755)
    assert [level for level, _ in findings(terminal)] == ["warning", "ok"]


def test_settings_that_no_server_would_take_are_a_problem(terminal: Terminal) -> None:
    """A mistake in a variable is found before the server is started with it."""
    terminal.env["RTOUR_ADMIN_PORT"] = "seventy"
    ((level, finding),) = findings(terminal, "server settings")
    assert level == "problem"
    assert "RTOUR_ADMIN_PORT" in finding


def test_folder_is_where_the_server_would_look(terminal: Terminal, folder: Path) -> None:
    """RTOUR_DATA moves it; where there is none, nothing is said."""
    assert len(list(findings(terminal))) == 1
    terminal.env["RTOUR_DATA"] = str(terminal.home / "elsewhere")
    assert list(findings(terminal)) == []

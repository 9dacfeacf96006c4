"""A large data file is checked beside the server, first, or never, as the settings say."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from rtour.engine import changes as c
from rtour.server import scrub
from rtour.server.main import Server
from rtour.server.process import serve
from rtour.server.requests import StorageFailed
from rtour.server.settings import ConfigError, Settings, load
from rtour.storage.failures import DamagedError
from rtour.storage.sqlite import SqliteStorage
from tests.storage import values as v

SETTINGS = Settings(ingress_port=0, admin_port=0, pg_port=None)
LARGE = 400
"""Completed invocations with so much of a journal that the file is not checked at once."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """On a large file."""
    asyncio.run(_fill(tmp_path / "data"))
    return replace(SETTINGS, data=str(tmp_path / "data"))


async def _fill(folder: Path) -> None:
    storage = SqliteStorage(folder)
    for number in range(1, LARGE + 1):
        made = v.invocation(number, status=v.Status.SUSPENDED, journal_length=1)
        entry = v.entry(0, raw=b"x" * 5000)
        changes = [c.PutInvocation(made), *v.journal(made, entry)]
        storage.write(changes, sequence=number, at=number)
    await v.committed(storage)
    storage.close()


def damage(settings: Settings) -> None:
    """A value that no start reads."""
    connection = sqlite3.connect(Path(settings.data) / "rtour.db")
    with connection:
        connection.execute("UPDATE journal SET raw = x'00' WHERE number = 77")
    connection.close()


def check_of(server: Server) -> asyncio.Task[None]:
    (check,) = (task for task in server._tasks._tasks if task.get_name().startswith("check"))
    return check


async def test_damage_found_beside_the_server_stops_it(settings: Settings) -> None:
    """The server starts, and ends with words that say which row it is."""
    damage(settings)
    ready = asyncio.Event()
    async with asyncio.timeout(30):
        with pytest.raises(StorageFailed, match=r"the table journal .*\(77, 0\)"):
            await serve(settings, lambda _: ready.set())
    assert ready.is_set()


async def test_a_sound_file_is_said_to_be_sound(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """The check ends with a line in the log, and the server goes on."""
    caplog.set_level("INFO", "rtour.storage")
    async with Server(settings) as server, asyncio.timeout(30):
        await check_of(server)
        assert "is sound: checked in" in caplog.text
        assert not server.stop_requested.is_set()


async def test_a_check_ends_with_its_server(settings: Settings) -> None:
    """Whoever stops the server does not wait for it."""
    async with asyncio.timeout(30):
        async with Server(settings) as server:
            check = check_of(server)
    assert check.cancelled()


async def test_first_means_before_the_server(settings: Settings) -> None:
    """The start is refused, whatever the size."""
    damage(settings)
    with pytest.raises(DamagedError, match="the table journal"):
        async with Server(replace(settings, check_data="first")):
            pass


async def test_never_means_only_what_is_read(settings: Settings) -> None:
    """No check runs; the damaged journal is refused to whoever reads it."""
    damage(settings)
    async with Server(replace(settings, check_data="never")) as server:
        assert not [task for task in server._tasks._tasks if task.get_name().startswith("check")]
        broken = server.storage.view.invocation("inv_77")
        assert broken is not None
        with pytest.raises(DamagedError):
            server.storage.journal(broken)


async def test_a_small_file_is_not_checked_twice(tmp_path: Path) -> None:
    """What was checked before the start needs no process."""
    async with Server(replace(SETTINGS, data=str(tmp_path))) as server:
        assert not [task for task in server._tasks._tasks if task.get_name().startswith("check")]


async def test_a_check_that_breaks_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No verdict is no damage, and not soundness either."""
    from rtour.clock import SystemClock

    told: list[DamagedError] = []
    await scrub.scrub(tmp_path / "gone.db", SystemClock(), told.append)
    assert told == []
    assert "could not be checked" in caplog.text


def test_other_words_are_refused() -> None:
    """The three there are, and what was given."""
    with pytest.raises(ConfigError, match="beside, first or never, got 'later'"):
        load({"RTOUR_CHECK_DATA": "later"})

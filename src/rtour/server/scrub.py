"""When the data file is checked: before the server, or beside it.

A large file that was not checked as a whole before the start is checked after it, in a process of
its own at a low priority. Damage that it finds stops the server: what it serves can no longer be
trusted.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from rtour.clock import Clock
from rtour.server.settings import Settings
from rtour.storage.failures import DamagedError
from rtour.storage.settings import SqliteSettings
from rtour.storage.sqlite import EphemeralStorage, SqliteStorage

log = logging.getLogger("rtour.storage")


def opened(settings: Settings) -> SqliteStorage:
    """The storage of the settings' folder, checked first as far as they ask for."""
    usual = SqliteSettings()
    whole = {"first": sys.maxsize, "never": 0}.get(settings.check_data, usual.check_bytes_max)
    return SqliteStorage(Path(settings.data), replace(usual, check_bytes_max=whole))


def is_left_to_check(storage: EphemeralStorage | SqliteStorage, settings: Settings) -> bool:
    """Whether the file is still to be checked, beside the server."""
    beside = settings.check_data == "beside"
    return beside and isinstance(storage, SqliteStorage) and not storage.checked


async def scrub(path: Path, clock: Clock, on_damage: Callable[[DamagedError], None]) -> None:
    """Check a data file, and tell its damage if there is any."""
    started = clock.now_ms()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "rtour.storage.checking", str(path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None, "made with pipes"
    try:
        found = (await process.stdout.read()).decode("utf-8", "replace").splitlines()
        code = await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if found:
        on_damage(DamagedError(path, "; ".join(found)))
    elif code:
        log.error("%s could not be checked: the check ended with %d", path, code)
    else:
        log.info("%s is sound: checked in %.1f s", path, (clock.now_ms() - started) / 1000)

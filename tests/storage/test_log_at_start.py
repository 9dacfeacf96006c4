"""The log that a killed server leaves is folded in by its next life."""

from __future__ import annotations

import shutil
from pathlib import Path

from rtour.storage.sqlite import SqliteStorage

from . import values as v

LIVES = 4
INVOCATIONS = 200


async def test_the_log_does_not_grow_over_lives_that_end_in_a_crash(tmp_path: Path) -> None:
    """Each life begins with an empty log, however the last one ended, and nothing is lost."""
    folder = tmp_path / "1"
    for life in range(1, LIVES + 1):
        storage = SqliteStorage(folder)
        log = folder / "rtour.db-wal"
        assert log.stat().st_size == 0, f"life {life} begins with an old log"
        assert len(v.rows(storage.path, "SELECT id FROM invocation")) == (life - 1) * INVOCATIONS
        await v.fill(storage, (life - 1) * INVOCATIONS + 1, life * INVOCATIONS)
        assert log.stat().st_size > 0
        crashed = tmp_path / str(life + 1)
        shutil.copytree(folder, crashed)  # as SIGKILL leaves it
        storage.close()
        folder = crashed

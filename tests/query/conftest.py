"""A storage with a few rows in every table, and SQL over it: in-process and as a server has it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rtour.clock import SystemClock
from rtour.server.query import json_rows
from rtour.server.query.engine import Queries, QueryLimits
from rtour.server.query.postgres import catalog as postgres
from rtour.server.query.running import Runner
from rtour.storage.introspection import LiveAttempt
from rtour.storage.sqlite import SqliteStorage

from .rows import LIVE, fill

NOW_MS = 1_700_000_000_123
Rows = list[dict[str, Any]]
Ask = Callable[[str], Rows]


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file that a storage holds open, as a server would."""
    storage = SqliteStorage(tmp_path_factory.mktemp("data"))
    asyncio.run(fill(storage))
    yield storage.path
    storage.close()


@pytest.fixture(scope="session")
def runner(database: Path) -> Iterator[Runner]:
    runner = Runner(database, postgres.TABLES)
    yield runner
    runner.close()


@pytest.fixture
def ask(runner: Runner) -> Ask:
    """The rows of a statement as JSON has them. Raises QueryFailed."""

    def rows(sql: str) -> Rows:
        statement = runner.statement(sql)
        chunks = runner.run(statement, {"now": NOW_MS}, LIVE, timeout_ms=5000, rows_max=10_000)
        body = b"".join(json_rows.encode(statement.columns, chunks))
        found: Rows = json.loads(body)["rows"]
        return found

    return rows


MakeQueries = Callable[..., Queries]


@pytest.fixture
async def make_queries(database: Path) -> AsyncIterator[MakeQueries]:
    """Queries with limits of their own; ended afterwards."""
    made: list[Queries] = []

    def make(path: Path = database, live: list[LiveAttempt] = LIVE, **limits: int) -> Queries:
        made.append(Queries(path, lambda: live, SystemClock(), QueryLimits(**limits)))
        return made[-1]

    yield make
    for queries in made:
        await queries.close()

"""SQL: any text, to the process that runs statements, in all encodings."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from rtour.server.query import frames, json_rows
from rtour.server.query.failures import QueryFailed
from rtour.server.query.postgres import answering
from rtour.server.query.postgres import catalog as postgres
from rtour.server.query.running import Runner
from rtour.storage.introspection import TABLES
from rtour.storage.sqlite import SqliteStorage
from tests.fuzz.target import Check, Target
from tests.query.expressions import EXPRESSIONS
from tests.query.rows import LIVE, fill

NOW_MS = 1_700_000_000_123
TIMEOUT_MS, ROWS_MAX = 1000, 1000
STATUSES = {400, 429, 500}
WORDS = (
    *("SELECT ", " FROM ", " WHERE ", " GROUP BY ", " ORDER BY ", " LIMIT 1", "WITH RECURSIVE x"),
    *(" UNION ALL ", " JOIN ", " OVER (PARTITION BY ", "CAST(", "::timestamp", "INTERVAL '1 day'"),
    *("ARRAY[1]", "generate_series(1, 9)", "now()", "$1", "'inv_1'", '"', "'", "/*", "--", "\\x00"),
    *("PRAGMA ", "ATTACH ", "pg_catalog.", "EXPLAIN ", "repeat('x', 99999999)", "1e400", "NULL"),
)


def seeds() -> list[bytes]:
    whole = [
        *(f"SELECT * FROM {table.name}" for table in TABLES),
        "SELECT count(*), status FROM sys_invocation GROUP BY status HAVING count(*) > 0",
        "SELECT a.id FROM sys_invocation a JOIN sys_journal j ON a.id = j.id WHERE j.index < 3",
        "WITH n AS (SELECT 1 AS i) SELECT i, row_number() OVER (ORDER BY i) FROM n",
        "SELECT CASE WHEN value IS NULL THEN 'x' ELSE value_utf8 END FROM state LIMIT 3 OFFSET 1",
        "SELECT created_at + INTERVAL '1 day', date_trunc('hour', created_at) FROM sys_invocation",
        "EXPLAIN SELECT * FROM sys_service WHERE name LIKE 'a%' OR NOT public",
        "SHOW COLUMNS FROM state",
        "SELECT * FROM pg_catalog.pg_class c, information_schema.columns WHERE c.relname = $1",
    ]
    return [text.encode() for text in (*whole, *(f"SELECT {text}" for text, _ in EXPRESSIONS))]


class Worker:
    """What a query process does with a statement, without the process."""

    def __init__(self, path: Path) -> None:
        self.runner = Runner(path, postgres.TABLES)

    def check(self, data: bytes) -> None:
        sql = data.decode("utf-8", "replace")
        self._within_reason(lambda: self._as_json(sql))
        self._within_reason(lambda: self._as_postgres(sql))
        assert self._as_json("SELECT count(*) AS n FROM state") == {"rows": [{"n": 3}]}

    def _within_reason(self, work: Callable[[], object]) -> None:
        try:
            work()
        except QueryFailed as error:
            assert error.status in STATUSES, error
            assert error.message, error
            assert len(error.sqlstate) == 5, error

    def _as_json(self, sql: str) -> dict[str, object]:
        statement = self.runner.statement(sql)
        rows = self.runner.run(
            statement, {"now": NOW_MS}, LIVE, timeout_ms=TIMEOUT_MS, rows_max=ROWS_MAX
        )
        return msgspec.json.decode(b"".join(json_rows.encode(statement.columns, rows)))

    def _as_postgres(self, sql: str) -> None:
        bound = frames.Bound(described=True)
        question = frames.Question(sql, "postgres", NOW_MS, TIMEOUT_MS, ROWS_MAX, LIVE, bound)
        for _ in answering.pieces(self.runner, question):
            pass


@contextmanager
def opened() -> Iterator[Check]:
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # as the worker does
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        storage = SqliteStorage(Path(folder))
        asyncio.run(fill(storage))
        worker = Worker(storage.path)
        yield worker.check
        worker.runner.close()
        storage.close()


TARGET = Target(
    promise="A statement has rows or a reason why not, within its time; nothing is written.",
    seeds=seeds,
    opened=opened,
    words=tuple(word.encode() for word in WORDS),
    examples=150,
    bytes_max=1000,
)

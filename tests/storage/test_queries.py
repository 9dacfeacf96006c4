"""Queries only read, and do not read more than they need."""

from __future__ import annotations

import sqlite3

import pytest

from rtour import ids
from rtour.engine import changes as c
from rtour.engine.model import Status
from rtour.protocol import messages as m
from rtour.storage.introspection import LiveAttempt

from . import values as v
from .sql import Stored

INV = ids.make_invocation_id(1, 7)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM main.invocation",
        "DROP VIEW sys_invocation",
        "CREATE TABLE t (a)",
        "ATTACH ':memory:' AS other",
        "PRAGMA query_only = OFF",
        "INSERT INTO temp.live_attempt (id) VALUES ('x')",
        "VACUUM INTO '/dev/null'",
    ],
)
async def test_nothing_but_reading_is_allowed(stored: Stored, sql: str) -> None:
    """Whatever else a statement does, it is refused, also after a query of live columns."""
    await stored.write(c.PutInvocation(v.invocation(1)))
    assert stored.rows("SELECT count(*) AS n FROM sys_invocation") == [{"n": 1}]
    with pytest.raises(sqlite3.DatabaseError):
        stored.sql.rows(sql).fetchall()
    assert stored.rows("SELECT count(*) AS n FROM sys_invocation") == [{"n": 1}]


@pytest.mark.parametrize(
    "rest",
    [
        "WHERE status = 'running'",
        "WHERE status IN ('running', 'ready')",
        "WHERE \"status\" != 'completed' ORDER BY created_at DESC",
        f"WHERE id = '{INV}'",
        "ORDER BY created_at DESC LIMIT 5",
    ],
)
async def test_finished_invocations_do_not_slow_down_questions_about_others(
    stored: Stored, rest: str
) -> None:
    """Such queries go by an index, or rule the finished rows out before reading any."""
    finished = v.invocation(1, status=Status.COMPLETED, completed_at=1)
    await stored.write(
        *(c.PutInvocation(v.replace(finished, id=f"inv_{n}", number=n)) for n in range(1, 2000))
    )
    effort = 0

    def step() -> None:
        nonlocal effort
        effort += 1

    stored.sql.connection.set_progress_handler(step, 1)
    stored.rows(f"SELECT id, target, created_at, status FROM sys_invocation {rest}")
    stored.sql.connection.set_progress_handler(None, 1)
    assert 0 < effort < 1000


async def test_both_ways_to_read_invocations_give_the_same_rows(stored: Stored) -> None:
    """A condition on the status changes how rows are found, not what they say."""
    for number, status in enumerate(Status, 1):
        ended = {"completed_at": 9, "result": m.Value(b"1")} if status is Status.COMPLETED else {}
        await stored.write(c.PutInvocation(v.invocation(number, status=status, **ended)))
    stored.live = [LiveAttempt("inv_3", in_flight=True, retry_count=1)]
    plain = stored.rows("SELECT * FROM sys_invocation ORDER BY id")
    assert stored.rows("SELECT * FROM sys_invocation WHERE status != '' ORDER BY id") == plain
    assert [row["status"] for row in plain].count("running") == 1

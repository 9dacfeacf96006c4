"""The two bodies of `POST /query`, byte for byte and type for type."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from rtour.server.query import arrow_rows, json_rows
from rtour.server.query.running import Runner
from rtour.storage.introspection import TABLES

from .conftest import NOW_MS
from .rows import LIVE

WHEN = "TIMESTAMP '2023-11-14T22:13:20.123Z'"


def rows(runner: Runner, sql: str, encode: object) -> bytes:
    statement = runner.statement(sql)
    chunks = runner.run(statement, {"now": NOW_MS}, LIVE, timeout_ms=5000, rows_max=10**6)
    return b"".join(encode(statement.columns, chunks))  # type: ignore[operator]


def arrow(runner: Runner, sql: str) -> pa.Table:
    return pa.ipc.open_stream(rows(runner, sql, arrow_rows.encode)).read_all()


def test_json_leaves_out_nulls(runner: Runner) -> None:
    """Numbers and bools are bare, times and durations ISO, bytes hex."""
    sql = (
        f"SELECT 1 AS i, 1.5 AS f, TRUE AS b, 'ä' AS t, NULL AS n, {WHEN} AS at, X'00FF' AS x, "
        "INTERVAL '90 seconds' AS d, INTERVAL '0 seconds' AS zero, [1] AS l, current_date AS day"
    )
    assert rows(runner, sql, json_rows.encode) == (
        '{"rows":[{"i":1,"f":1.5,"b":true,"t":"ä","at":"2023-11-14T22:13:20.123Z","x":"00ff",'
        '"d":"PT90S","zero":"P0D","l":[1],"day":"2023-11-14"}]}'.encode()
    )


def test_json_of_no_and_of_many_rows(runner: Runner) -> None:
    """An empty result is an empty array; chunks are joined to one."""
    assert rows(runner, "SELECT 1 AS i LIMIT 0", json_rows.encode) == b'{"rows":[]}'
    many = rows(runner, "SELECT i FROM generate_series(1, 1700) g(i)", json_rows.encode)
    assert many.count(b'{"i":') == 1700
    assert many.endswith(b',{"i":1700}]}')


@pytest.mark.parametrize(
    ("expression", "type_", "nullable"),
    [
        ("count(*)", pa.int64(), False),
        ("max(retry_count)", pa.uint64(), True),
        ("max(journal_size)", pa.uint32(), True),
        ("max(id)", pa.large_string(), True),
        ("max(created_at)", pa.timestamp("ms", tz="+00:00"), True),
        ("max(completion_retention)", pa.duration("ms"), True),
        ("min(suspended_waiting_for_signals)", pa.list_(pa.uint32()), True),
        ("count(*) > 1", pa.bool_(), True),
        ("avg(journal_size)", pa.float64(), True),
        ("NULL", pa.null(), True),
    ],
)
def test_arrow_types(runner: Runner, expression: str, type_: pa.DataType, nullable: bool) -> None:
    """The official CLI panics at a count that is not an Int64 without NULLs."""
    field = arrow(runner, f"SELECT {expression} AS x FROM sys_invocation").schema.field(0)
    assert (field.type, field.nullable) == (type_, nullable)


def test_arrow_streams_have_no_empty_batches(runner: Runner) -> None:
    """The official CLI looks at the first batch alone."""
    body = rows(runner, "SELECT count(*) AS n FROM state", arrow_rows.encode)
    assert [batch.to_pydict() for batch in pa.ipc.open_stream(body)] == [{"n": [3]}]
    empty = rows(runner, "SELECT key FROM state LIMIT 0", arrow_rows.encode)
    assert list(pa.ipc.open_stream(empty)) == []


def test_arrow_values(runner: Runner) -> None:
    """All kinds of values and their NULLs come back from pyarrow."""
    sql = (
        f"SELECT i, {WHEN} AS at, INTERVAL '90 seconds' AS d, X'00FF' AS x, ['a', 'b'] AS l, "
        "CASE WHEN i = 1 THEN TRUE END AS b, DATE '2023-11-14' AS day "
        "FROM generate_series(1, 2) g(i)"
    )
    first, second = arrow(runner, sql).to_pylist()
    at = dt.datetime(2023, 11, 14, 22, 13, 20, 123000, dt.UTC)
    assert first == {
        "i": 1,
        "at": at,
        "d": dt.timedelta(seconds=90),
        "x": b"\x00\xff",
        "l": ["a", "b"],
        "b": True,
        "day": at.date(),
    }
    assert second["b"] is None


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_every_table_reads_the_same_in_both(runner: Runner, table: str) -> None:
    """JSON and Arrow have the same columns and as many rows."""
    import json

    in_json = json.loads(rows(runner, f"SELECT * FROM {table}", json_rows.encode))["rows"]
    in_arrow = arrow(runner, f"SELECT * FROM {table}")
    assert len(in_json) == in_arrow.num_rows
    for row, other in zip(in_json, in_arrow.to_pylist(), strict=True):
        assert set(row) == {name for name, value in other.items() if value is not None}

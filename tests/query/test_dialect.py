"""What is written in DataFusion's SQL means the same here.

The expected values are the official server's, which `tests/conformance/test_sql.py` asks too.
"""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Ask
from .expressions import EXPRESSIONS
from .rows import DONE, FAILED, RETRYING, RUNNING


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS)
def test_an_expression_has_its_value(ask: Ask, expression: str, expected: Any) -> None:
    """Literals, operators and functions yield what DataFusion's do; NULL is left out."""
    (row,) = ask(f"SELECT {expression} AS value")
    assert row.get("value") == expected


NUMBERS = "(VALUES (1, 'a'), (2, 'b'), (2, 'c'), (NULL, 'd')) t(x, y)"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"SELECT x FROM {NUMBERS} ORDER BY x", [(1,), (2,), (2,), ()]),
        (f"SELECT x FROM {NUMBERS} ORDER BY x DESC", [(), (2,), (2,), (1,)]),
        (f"SELECT x FROM {NUMBERS} ORDER BY x DESC NULLS LAST LIMIT 1 OFFSET 2", [(1,)]),
        (f"SELECT y FROM {NUMBERS} OFFSET 3", [("d",)]),
        (f"SELECT count(*), count(x), sum(x), avg(x) FROM {NUMBERS}", [(4, 3, 5, 5 / 3)]),
        (f"SELECT count(DISTINCT x) FROM {NUMBERS}", [(2,)]),
        (f"SELECT count(*) FILTER (WHERE x = 2) FROM {NUMBERS}", [(2,)]),
        (f"SELECT first_value(y ORDER BY x DESC, y DESC) FROM {NUMBERS}", [("d",)]),
        (f"SELECT last_value(y ORDER BY x) FROM {NUMBERS}", [("d",)]),
        (f"SELECT array_agg(y ORDER BY y DESC) FROM {NUMBERS}", [(["d", "c", "b", "a"],)]),
        (f"SELECT median(x), bool_and(x > 0) FROM {NUMBERS}", [(2.0, True)]),
        (f"SELECT x, count(*) n FROM {NUMBERS} GROUP BY x HAVING n > 1", [(2, 2)]),
        (
            (
                f"SELECT x, min(y) AS m, first_value(y ORDER BY y) AS f FROM {NUMBERS} "
                "GROUP BY x ORDER BY x"
            ),
            [(1, "a", "a"), (2, "b", "b"), ("d", "d")],
        ),
        (
            (
                f"SELECT x, min(y) AS m, first_value(y ORDER BY y DESC) AS f FROM {NUMBERS} "
                "GROUP BY x ORDER BY x"
            ),
            [(1, "a", "a"), (2, "b", "c"), ("d", "d")],
        ),
        (f"SELECT x, count(*) FROM {NUMBERS} GROUP BY 1 ORDER BY 2 DESC LIMIT 1", [(2, 2)]),
        (f"SELECT y, lag(x) OVER (ORDER BY y) FROM {NUMBERS} LIMIT 2", [("a",), ("b", 1)]),
        (f"SELECT row_number() OVER (ORDER BY y DESC) r FROM {NUMBERS} LIMIT 1", [(1,)]),
        ("SELECT 1 UNION SELECT 1 UNION ALL SELECT 2 ORDER BY 1", [(1,), (2,)]),
        ("(SELECT 1 LIMIT 1) UNION ALL (SELECT 2)", [(1,), (2,)]),
        ("SELECT 1 EXCEPT SELECT 2", [(1,)]),
        ("WITH a AS (SELECT 1 x), b(y) AS (SELECT x + 1 FROM a) SELECT * FROM a, b", [(1, 2)]),
        (
            (
                "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 4) "
                "SELECT sum(i) FROM n"
            ),
            [(10,)],
        ),
        ("SELECT * FROM (SELECT 1 a, 2 b) s NATURAL JOIN (SELECT 1 a, 3 c) t", [(1, 2, 3)]),
        ("SELECT * FROM (SELECT 1 a) s LEFT JOIN (SELECT 2 a) t USING (a)", [(1,)]),
        ("SELECT * EXCLUDE (b) FROM (SELECT 1 a, 2 b, 3 c) t", [(1, 3)]),
        ("SELECT * FROM generate_series(1, 3)", [(1,), (2,), (3,)]),
        ("SELECT x FROM unnest(['a', 'b']) t(x)", [("a",), ("b",)]),
        ("SELECT inv.a FROM (SELECT 1 a) inv WHERE inv.a IN (SELECT 1)", [(1,)]),
        ("SELECT (SELECT max(i) FROM generate_series(1, s.a) g(i)) FROM (SELECT 5 a) s", [(5,)]),
    ],
)
def test_a_query_has_its_rows(ask: Ask, sql: str, expected: list[tuple[Any, ...]]) -> None:
    """Order, grouping, windows, joins, unions, recursion."""
    assert [tuple(row.values()) for row in ask(sql)] == expected


def test_status_joins_what_is_stored_and_what_runs(ask: Ask) -> None:
    """The invoker's knowledge is there, with its values in the columns' types."""
    rows = ask(
        "SELECT id, status, retry_count, last_start_at FROM sys_invocation WHERE retry_count > 0"
    )
    assert sorted(rows, key=lambda row: row["retry_count"]) == [
        {
            "id": RUNNING,
            "status": "running",
            "retry_count": 1,
            "last_start_at": "2023-11-14T22:13:20Z",
        },
        {"id": RETRYING, "status": "backing-off", "retry_count": 3},
    ]


def test_times_are_compared_with_texts_and_intervals(ask: Ask) -> None:
    """An instant is compared with a literal, with now, and with another column."""
    (row,) = ask(
        "SELECT count(*) AS n FROM sys_invocation WHERE created_at > '2023-11-14T22:13:21.5Z' "
        "AND created_at < now() + INTERVAL '10 seconds' AND modified_at - created_at < '1 second' "
        "AND completion_retention = INTERVAL '1 day'"
    )
    assert row == {"n": 5}


def test_lists_and_bytes_keep_their_types(ask: Ask) -> None:
    """A list is a JSON array, bytes are hex."""
    (asleep,) = ask(
        "SELECT suspended_waiting_for_completions AS c, suspended_waiting_for_signals AS s "
        "FROM sys_invocation WHERE status = 'suspended'"
    )
    assert asleep == {"c": [1, 2], "s": [17]}
    assert ask("SELECT value FROM state WHERE key = 'raw'") == [{"value": "00ff"}]
    assert ask("SELECT services FROM sys_deployment") == [{"services": ["Greeter", "Cart"]}]


def test_like_minds_the_case_and_the_negation(ask: Ask) -> None:
    """LIKE is case-sensitive, ILIKE is not, NOT turns either."""
    count = "SELECT count(*) AS n FROM state WHERE service_key "
    assert ask(count + "LIKE 'ADA'") == [{"n": 0}]
    assert ask(count + "ILIKE 'ADA'") == [{"n": 2}]
    assert ask(count + "NOT LIKE 'ad%'") == [{"n": 1}]
    assert ask(count + "NOT ILIKE 'AD_'") == [{"n": 1}]
    assert ask("SELECT 'a%c' LIKE 'a!%_' ESCAPE '!' AS own") == [{"own": True}]


def test_an_unnamed_sub_select_lets_its_alias_out(ask: Ask) -> None:
    """The official CLI counts so."""
    everything = "(SELECT * FROM sys_invocation inv LIMIT 50000 )"
    assert ask(f"SELECT COUNT(1) FROM {everything} WHERE inv.status = 'completed'") == [
        {"count(Int64(1))": 2}
    ]


def test_partition_keys_are_unsigned(ask: Ask) -> None:
    """The whole range of 64 bits comes out, and goes in again as a literal."""
    (first, *_) = ask("SELECT id, partition_key FROM sys_invocation_status LIMIT 1")
    key = first["partition_key"]
    assert 0 < key < 2**64
    count = f"SELECT count(*) AS n FROM sys_invocation_status WHERE partition_key = {key}"
    assert ask(count) == [{"n": 6}]


def test_the_tables_describe_themselves(ask: Ask) -> None:
    """SHOW TABLES, DESCRIBE, information_schema and EXPLAIN."""
    assert {"table_name": "state", "table_type": "BASE TABLE"}.items() <= next(
        row for row in ask("SHOW TABLES") if row["table_name"] == "state"
    ).items()
    assert ask("DESCRIBE state")[7] == {
        "column_name": "value",
        "data_type": "LargeBinary",
        "is_nullable": "YES",
    }
    assert [row["column_name"] for row in ask("SHOW COLUMNS FROM public.sys_inbox")][:2] == [
        "partition_key",
        "service_name",
    ]
    plan = ask("EXPLAIN SELECT * FROM sys_invocation WHERE id = '" + DONE + "'")
    assert [row["plan_type"] for row in plan] == ["logical_plan", "physical_plan"]
    assert "SEARCH" in plan[1]["plan"]


def test_names_of_columns_are_datafusions(ask: Ask) -> None:
    """A column without an alias is called what scripts for the official server expect."""
    (row,) = ask("SELECT count(*), max(s.key_length), count(DISTINCT key), 1, 'a' FROM state s")
    assert list(row) == [
        "count(*)",
        "max(s.key_length)",
        "count(DISTINCT s.key)",
        "Int64(1)",
        'Utf8("a")',
    ]


def test_a_failure_is_a_column(ask: Ask) -> None:
    """Results show as the official server writes them."""
    sql = f"SELECT completion_result, completion_failure FROM sys_invocation WHERE id = '{FAILED}'"
    assert ask(sql) == [
        {"completion_result": "failure", "completion_failure": "[403] card was refused"}
    ]

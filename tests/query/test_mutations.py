"""Statements that were mauled: an answer or a refusal, never anything else."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtour.server.query import arrow_rows, json_rows
from rtour.server.query.failures import QueryFailed
from rtour.server.query.running import Runner

from .expressions import EXPRESSIONS
from .rows import LIVE

STATEMENTS = [
    *(f"SELECT {expression} FROM state" for expression, _ in EXPRESSIONS),
    "SELECT * FROM sys_invocation WHERE status = 'x' ORDER BY created_at LIMIT 3",
    "SELECT x, min(y) AS m FROM (VALUES (1, 'a')) t(x, y) GROUP BY x ORDER BY x",
    "WITH a AS (SELECT 1 x) SELECT * FROM a, state",
    "SELECT count(*) OVER (PARTITION BY key) FROM state",
    "SELECT * FROM unnest([1, 2]) u(v) LEFT JOIN state USING (key)",
    "SELECT (SELECT max(key) FROM state s WHERE s.key = t.key) FROM state t",
]
MORE = """NULL ::int ::text ::timestamp * DISTINCT ANY( OVER () -> ->> ? now() EXISTS CASE END LIKE
NOT - / % ARRAY $1 . count(*) UNION LATERAL ROLLUP(1) QUALIFY TABLESAMPLE FILTER [1] { } a=>1 ( )"""
WORDS = sorted({word for statement in STATEMENTS for word in statement.split()} | set(MORE.split()))

changes = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 1), st.sampled_from(WORDS)), max_size=3
)


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(STATEMENTS), changes, st.booleans())
def test_a_mauled_statement_is_answered_or_refused(
    runner: Runner, statement: str, changes: list[tuple[int, int, str]], postgres: bool
) -> None:
    """Whatever words come in and go out, the dialect knows what to say."""
    words = statement.split(" ")
    for place, gone, word in changes:
        at = place % len(words)
        words[at : at + gone] = [word]
    for encode in (json_rows.encode, arrow_rows.encode):
        with suppress(QueryFailed):
            known = runner.statement(" ".join(words), postgres=postgres)
            bound = {f"p{number}": None for number in range(1, len(known.parameters) + 1)}
            rows = runner.run(known, {"now": 1, **bound}, LIVE, timeout_ms=500, rows_max=1000)
            assert list(encode(known.columns, rows))

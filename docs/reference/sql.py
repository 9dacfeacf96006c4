"""Write reference/sql.md from the tables' own documentation.

    python docs/reference/sql.py

tests/docs/test_sql_reference.py fails while the page is not what this prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rtour.server.query.dialect.kinds import ARROW_NAMES
from rtour.storage.introspection import TABLES, Table

PAGE = Path(__file__).with_suffix(".md")

HEAD = """\
# SQL

<!-- Written by docs/reference/sql.py from src/rtour/storage/introspection: do not edit. -->

All that the server knows can be asked in SQL. It is Restate's SQL, which is DataFusion's, with
Restate's tables; nothing can be changed through it.

```shell
rtour sql "SELECT id, target, status FROM sys_invocation WHERE status != 'completed'"
curl localhost:9070/query --json '{"query": "SELECT count(*) FROM sys_invocation"}'
psql -h localhost -p 9071 -c "SELECT * FROM state WHERE service_name LIKE '%CartObject%'"
```

- `POST /query` answers in JSON to `Accept: application/json`, NULL columns left out, and with an
  Arrow stream to all others.
- Clients of PostgreSQL find the same tables on port 9071 (`--pg-port`): unsigned numbers come as
  `bigint`, durations as `interval`, lists as arrays, times as `timestamp with time zone`.
- A statement is stopped after `query_timeout` (one minute) and after `query_rows_max` rows. It
  runs in a process of its own, at a lower priority than the server.
- `SHOW TABLES`, `DESCRIBE state`, `EXPLAIN SELECT …` and `information_schema` tell what there is.
- Functions of text, numbers, time, lists and JSON are DataFusion's, as far as they are of use here.
  What differs: a timestamp always is one in UTC; `GROUP BY` need not name every column; two columns
  may have the same name; there is no `QUALIFY`, `DISTINCT ON`, `ROLLUP` nor `LATERAL`.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(section for table in TABLES for section in _section(table))


def _section(table: Table) -> Iterator[str]:
    yield f"\n## `{table.name}`\n\n{table.doc}\n\n| column | type | |\n|---|---|---|\n"
    for column in table.columns:
        doc = column.doc.replace("|", "\\|")
        yield f"| `{column.name}` | {ARROW_NAMES[column.type]} | {doc} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

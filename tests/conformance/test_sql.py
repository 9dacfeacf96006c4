"""What `tests/query` expects of expressions is what the official server says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.servers import Server
from tests.query.expressions import EXPRESSIONS

Values = dict[str, Any]


async def _ask(folder: Path) -> Values:
    server = Server("official", folder)
    await server.start()
    try:
        values = {}
        for expression, _ in EXPRESSIONS:
            try:
                (row,) = await server.sql(f"SELECT {expression} AS value")
                values[expression] = row.get("value")
            except AssertionError as refused:  # one of them must not hide the others
                values[expression] = str(refused)
        return values
    finally:
        server.stop()


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Values:
    return asyncio.run(_ask(tmp_path_factory.mktemp("official")))


@pytest.mark.oracle
@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS)
def test_the_official_server_says_so(official: Values, expression: str, expected: Any) -> None:
    """One list of values for both servers."""
    assert official[expression] == expected

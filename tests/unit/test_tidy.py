"""The sizes and names of the house, without an exception."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FILE_LINES_MAX, BODY_LINES_MAX = 400, 50
SAYS_NOTHING = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
LEFT_FOR_LATER = re.compile(r"#\s*(TODO|FIXME|XXX)\b")


def _ours(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (REPOSITORY / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", ["src", "tests", "tour", "docs"])
def test_files_can_be_read_in_one_go(folder: str) -> None:
    """None has more lines than the limit."""
    files = _ours(folder)
    assert files
    assert [file for file in files if len(file.read_text().splitlines()) > FILE_LINES_MAX] == []


@pytest.mark.parametrize("folder", ["src", "tests", "tour", "docs"])
def test_functions_fit_on_a_screen(folder: str) -> None:
    """Their bodies do: a command line of many options has many parameters."""
    assert [name for file in _ours(folder) for name in _long_functions(file)] == []


def _long_functions(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.body[0].lineno + 1
            if lines > BODY_LINES_MAX:
                yield f"{file.relative_to(REPOSITORY)}: {node.name} has {lines} lines"


def test_names_say_something() -> None:
    """No module is called by what could be anything."""
    words = {file: set(file.stem.split("_")) for file in _ours("src", "tests")}
    assert [file for file, named in words.items() if named & SAYS_NOTHING] == []


def test_nothing_is_left_for_later() -> None:
    """What is not done is an issue, not a comment."""
    files = _ours("src", "tests", "tour", "docs")
    assert [file for file in files if LEFT_FOR_LATER.search(file.read_text())] == []

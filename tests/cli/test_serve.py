"""`rtour serve`: finding the app, and what it says when it cannot."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtour.cli.diagnostics import CliError
from rtour.cli.serve import load


@pytest.fixture(autouse=True)
def _working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with one module, and an import path that is put back."""
    (tmp_path / "shop_for_tests.py").write_text("app = 'the app'\nother = 'another'\n")
    (tmp_path / "broken_for_tests.py").write_text("import nothing_like_this\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("shop_for_tests", None)


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("shop_for_tests", "the app"),
        ("shop_for_tests:app", "the app"),
        ("shop_for_tests:other", "another"),
        ("shop_for_tests.py", "the app"),
        ("./shop_for_tests.py:other", "another"),
    ],
)
def test_app_is_found(spec: str, found: str) -> None:
    """By module or by file; `app` is the usual name."""
    assert load(spec) == found


@pytest.mark.parametrize(
    ("spec", "message"),
    [("nowhere:app", "no module 'nowhere'"), ("shop_for_tests:nope", "has no 'nope'")],
)
def test_what_is_not_there_is_named(spec: str, message: str) -> None:
    """The error says what is missing and what to write instead."""
    with pytest.raises(CliError, match=message) as caught:
        load(spec)
    assert "rtour serve" in caught.value.hint


def test_errors_inside_the_module_are_its_own() -> None:
    """An import that fails in the user's code is shown as it is."""
    with pytest.raises(ModuleNotFoundError, match="nothing_like_this"):
        load("broken_for_tests")

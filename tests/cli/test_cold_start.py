"""Start-up stays cheap: what is imported when, proven in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rtour.cli.frontpage import entries, page
from rtour.cli.tree import load

HEAVY = {"typer", "rich", "httpx", "textual", "msgspec", "asyncio", "sqlite3", "pydantic", "h2"}


def imported(*argv: str) -> set[str]:
    """The top-level modules that a command line has loaded when it ends."""
    code = (
        "import sys\n"
        f"sys.argv = ['rtour', *{list(argv)!r}]\n"
        "from rtour.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write('\\n'.join(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={
            "RTOUR_ADMIN_URL": "http://127.0.0.1:1",
            "HOME": "/nonexistent",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        },
    )
    return {name.split(".")[0] for name in done.stderr.splitlines()}


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["--version"]])
def test_front_page_imports_nothing_heavy(argv: list[str]) -> None:
    """`rtour --help` is text: no framework, no HTTP, no event loop."""
    assert not imported(*argv) & HEAVY


@pytest.mark.parametrize(
    "argv", [["config", "view"], ["completions", "generate", "bash"], ["inv", "list", "--help"]]
)
def test_local_commands_load_no_http(argv: list[str]) -> None:
    """A command that talks to nobody does not pay for talking."""
    assert not imported(*argv) & {"httpx", "rich", "textual", "pydantic", "sqlite3"}


def test_remote_commands_load_no_ui_and_no_server() -> None:
    """`invocations list` loads the client, and nothing of the screens, the server or far hosts."""
    loaded = imported("invocations", "list")
    assert {"httpx", "httptools"} <= loaded
    assert not loaded & {"textual", "pydantic", "sqlglot", "sqlite3", "uvloop", "ngh2"}
    assert not loaded & {"rich", "click", "pygments"}, "httpx's command line is in"
    assert not loaded & {"httpcore", "anyio", "h2", "h11", "certifi"}, "httpx's transport is in"


def test_front_page_fits_80_columns() -> None:
    """The first thing anybody sees is not folded."""
    assert max(map(len, page(colour=False).splitlines())) <= 80


def test_front_page_lists_what_there_is() -> None:
    """Every command on the front page can be loaded, and no module is listed in vain."""
    for entry in entries():
        assert load(entry).name == entry.name

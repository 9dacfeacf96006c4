"""The public names: those of the official SDK are here, and `import rtour` costs nothing."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import restate

import rtour

NOT_OURS = {
    # Restate Cloud's tunnel, and the deprecated test harness.
    "ConnectError",
    "connect",
    "test_harness",
    "with_connection",
}
# `from restate import *` brings a module that hides the standard library's; ours does not.
IN_THEIR_STAR = {"logging"}


def test_the_official_names_are_here() -> None:
    """What `restate` exports, `rtour` has."""
    missing = {name for name in restate.__all__ if not hasattr(rtour, name)}
    assert missing == NOT_OURS


@pytest.mark.parametrize("name", rtour.__all__)
def test_every_public_name_resolves(name: str) -> None:
    """The lazy table names what exists."""
    assert hasattr(rtour, name)
    assert name in dir(rtour)


def test_unknown_names_are_attribute_errors() -> None:
    """`hasattr` works, and typos say so."""
    with pytest.raises(AttributeError, match="no attribute 'Servise'"):
        _ = rtour.Servise


IMPORTS = [
    "from rtour.context import Context, ObjectContext, Serde, WorkflowContext",
    "from rtour.object import VirtualObject",
    "from rtour.service import Service",
    "from rtour.workflow import Workflow",
    "from rtour.exceptions import TerminalError, RetryableError",
    "from rtour.serde import BytesSerde, JsonSerde, PydanticJsonSerde, Serde",
    "from rtour.handler import handler_from_callable",
    "from rtour.endpoint import Endpoint, app",
    "from rtour.asyncio import gather, select",
    "from rtour.extensions import contextvar, current_context",
    "from rtour.client_types import HttpError, RestateClient",
    "from rtour import *",
    "import rtour; rtour.exceptions.TerminalError; rtour.logging.getLogger()",
]


@pytest.mark.parametrize("line", IMPORTS)
def test_module_names_of_public_code(line: str) -> None:
    """`sed s/restate/rtour/` on a program's imports is enough: the same names are bound."""
    ours, theirs = _bound(line), _bound(line.replace("rtour", "restate"))
    assert ours
    assert theirs - {"restate"} - NOT_OURS - IN_THEIR_STAR <= ours


def _bound(line: str) -> set[str]:
    names: dict[str, object] = {}
    exec(line, names)
    return names.keys() - {"__builtins__"}


def test_compatibility_modules_only_re_export() -> None:
    """They hold no code of their own."""
    package = Path(rtour.__file__).parent
    for info in pkgutil.iter_modules([str(package)]):
        if info.name not in rtour._SUBMODULES:
            continue
        tree = ast.parse((package / f"{info.name}.py").read_text())
        kinds = {type(node) for node in tree.body}
        assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}, info.name
        module = importlib.import_module(f"rtour.{info.name}")
        assert all(hasattr(module, name) for name in module.__all__)


def test_import_is_light() -> None:
    """`import rtour` loads nothing; services need msgspec alone."""
    program = (
        "import sys, rtour; light = set(sys.modules); "
        "rtour.app([rtour.Service('S')]); rtour.Context; "
        "print(sorted(m for m in light if m.startswith('rtour.'))); "
        "print([m for m in ('httpx', 'pydantic', 'cryptography', 'ngh2', 'h2', 'typer', 'sqlite3',"
        " 'rtour.server', 'rtour.client', 'rtour.engine', 'rtour.cli') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_examples_that_import_hypercorn_run() -> None:
    """They use `hypercorn.asyncio` without importing it, as works with the official SDK."""
    program = "import hypercorn, rtour; rtour.app([]); print(callable(hypercorn.asyncio.serve))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "True"


def test_the_state_machine_knows_no_io() -> None:
    """`rtour.sdk.vm` imports nothing that touches the world."""
    program = (
        "import sys, rtour, msgspec; before = set(sys.modules); import rtour.sdk.vm; "
        "print(sorted({'asyncio', 'socket', 'ssl', 'random', 'secrets', 'logging', 'threading',"
        " 'subprocess'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"

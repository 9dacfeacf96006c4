"""Editing a value in the user's own editor."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from rtour.cli.diagnostics import CliError, Misuse
from rtour.cli.output import json_text

if TYPE_CHECKING:
    from rtour.cli.session import Session

VARIABLES = ("RTOUR_EDITOR", "RESTATE_EDITOR", "VISUAL", "EDITOR")


def edited(session: Session, value: Any, what: str) -> Any:
    """The JSON value after the user edited it; a mistake in it keeps the file."""
    with tempfile.NamedTemporaryFile(
        "w", suffix=".json", prefix="rtour-", delete=False, encoding="utf-8"
    ) as file:
        file.write(json_text(value))
    path = Path(file.name)
    open_editor(session, path)
    try:
        result = msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise Misuse(
            f"{what} is not JSON any more: {error}", hint=f"your text is kept in {path}"
        ) from error
    path.unlink()
    return result


def open_editor(session: Session, path: Path) -> None:
    """Runs the editor on a file and waits for it."""
    env = session.world.env
    command = next((env[name] for name in VARIABLES if env.get(name)), "vi")
    try:
        done = subprocess.run([*shlex.split(command), str(path)], check=False)  # noqa: S603
    except OSError as error:
        raise CliError(
            f"cannot start the editor '{command}': {error.strerror}",
            hint="set RTOUR_EDITOR or EDITOR",
        ) from error
    if done.returncode != 0:
        raise CliError(f"the editor '{command}' ended with {done.returncode}; nothing was changed")

"""`rtour ui`: opens the terminal UI on the server in use."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import typer

from rtour.cli.diagnostics import CliError, Misuse
from rtour.cli.session import Session, session_of
from rtour.cli.settings import state_home
from rtour.cli.tree import examples


@examples("rtour ui\nrtour ui -e staging")
def ui(ctx: typer.Context) -> None:
    """Opens the terminal UI: invocations, journals, state, services, SQL."""
    session = session_of(ctx)
    if not session.world.stdout.isatty():
        raise Misuse("the terminal UI needs a terminal", hint="rtour invocations list")
    open_ui(session)


def open_ui(session: Session, log: Path | None = None) -> None:
    """Runs the UI until the user leaves it; `log` is the server's, where it is known."""
    try:
        # By name, so that nothing of the CLI depends on the UI: this is the one line that opens it.
        run = import_module("rtour.tui.app").run_on
    except ModuleNotFoundError as error:
        raise CliError(
            f"the terminal UI needs {error.name}, which is not installed",
            hint="pip install 'rtour[tui]'",
        ) from error
    connection = session.settings.connection(session.options)
    run(connection, folder=state_home(session.world.env) / "ui", log=log)

"""`rtour ui`: opens the terminal UI on the server in use."""

from __future__ import annotations

import os
import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from rtour.cli.diagnostics import CliError, Misuse
from rtour.cli.session import Session, session_of
from rtour.cli.settings import state_home
from rtour.cli.tree import examples


@examples("rtour ui\nrtour ui -e staging\nrtour ui --web --port 8000")
def ui(
    ctx: typer.Context,
    web: Annotated[bool, typer.Option("--web", help="In a browser, served on loopback.")] = False,
    port: Annotated[int, typer.Option("--port", metavar="N", help="For --web.")] = 8000,
) -> None:
    """Opens the terminal UI: invocations, journals, state, services, SQL."""
    session = session_of(ctx)
    if web:
        _serve(session, port)
        return
    # Below --web stdout is a pipe, and textual says by this variable that it knows.
    if not session.world.stdout.isatty() and "TEXTUAL_DRIVER" not in session.world.env:
        raise Misuse(
            "the terminal UI needs a terminal",
            hint="rtour invocations list; rtour ui --web opens it in a browser",
        )
    open_ui(session)


def open_ui(session: Session, log: Path | None = None) -> None:
    """Runs the UI until the user leaves it; `log` is the server's, where it is known."""
    run = _room("app", "tui").run_on
    connection = session.settings.connection(session.options)
    run(connection, folder=state_home(session.world.env) / "ui", log=log)


def _serve(session: Session, port: int) -> None:
    """Each page runs this very command, without --web, on the same server."""
    serve = _room("web", "web").serve
    connection = session.settings.connection(session.options)
    # The page's process finds them where it looks anyway; an argument would show in `ps`.
    given = {
        "RTOUR_AUTH_TOKEN": connection.token,
        "RTOUR_INGRESS_TOKEN": connection.ingress_token,
        "RTOUR_CA_FILE": connection.ca_file,
    }
    os.environ.update({name: value for name, value in given.items() if value})
    urls = ["--admin-url", connection.admin_url, "--ingress-url", connection.ingress_url]
    serve(shlex.join([sys.executable, "-m", "rtour", "ui", *urls]), port)


def _room(module: str, extra: str) -> Any:
    """A module of the UI, by name, so that nothing of the CLI depends on it."""
    try:
        return import_module(f"rtour.tui.{module}")
    except ModuleNotFoundError as error:
        raise CliError(
            f"the terminal UI needs {error.name}, which is not installed",
            hint=f"pip install 'rtour[{extra}]'",
        ) from error

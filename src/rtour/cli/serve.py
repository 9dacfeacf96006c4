"""`rtour serve`: services on the built-in server, without an ASGI server."""

from __future__ import annotations

import logging
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from rtour.cli.diagnostics import CliError

_FORMAT = "%(asctime)s %(levelname)-7s %(invocation)s%(message)s"

_HELP = {
    "app": "Where the app is: module:attribute, or file.py:attribute; `app` if left out.",
    "host": "Address to listen on.",
    "port": "Port to listen on.",
    "workers": "Processes that share the port.",
    "reload": "Start anew when a source file changes.",
}


def serve(
    app: Annotated[str, typer.Argument(help=_HELP["app"], metavar="MODULE:APP")],
    host: Annotated[str, typer.Option("--host", help=_HELP["host"])] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help=_HELP["port"])] = 9080,
    workers: Annotated[int, typer.Option("--workers", min=1, help=_HELP["workers"])] = 1,
    reload: Annotated[bool, typer.Option("--reload", help=_HELP["reload"])] = False,
) -> None:
    """Serve what `rtour.app(...)` returned: HTTP/2 and HTTP/1.1 on one port, until ctrl-c.

    Register it once with a server: `rtour deployments register http://localhost:9080`.
    """
    from rtour.sdk import logs, serving  # noqa: PLC0415 - keeps `rtour --help` light

    logging.basicConfig(level=logging.INFO, format=_FORMAT)
    logs.install()
    if reload and workers > 1:
        raise CliError("--reload works with one worker only.", hint="leave --workers out")
    try:
        found = load(app)
    except Exception:
        if not reload:
            raise
        traceback.print_exc()
        serving.restart_after_change()
        return
    try:
        serving.serve(found, host=host, port=port, workers=workers, reload=reload)
    except (TypeError, RuntimeError) as error:
        raise CliError(str(error)) from error
    except OSError as error:
        raise CliError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error


def load(spec: str) -> Any:
    """The object named by `module:attribute` or `file.py:attribute`."""
    module_name, _, attribute = spec.partition(":")
    attribute = attribute or "app"
    sys.path.insert(0, str(Path.cwd()))
    if module_name.endswith(".py"):
        path = Path(module_name).resolve()
        sys.path.insert(0, str(path.parent))
        module_name = path.stem
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise CliError(
            f"There is no module {module_name!r} here.",
            hint="run it where the module is, or give the file: rtour serve path/to/app.py",
        ) from error
    if not hasattr(module, attribute):
        raise CliError(
            f"{module_name} has no {attribute!r}.",
            hint=f"name what rtour.app(...) was assigned to: rtour serve {module_name}:NAME",
        )
    return getattr(module, attribute)

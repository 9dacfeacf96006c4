"""`rtour server`: the embedded server in the foreground."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

_HELP = {
    "data": "Folder for everything durable; made if it is not there.  [default: ./rtour-data]",
    "ephemeral": "Keep nothing: a temporary folder that goes when the server stops.",
    "ingress": "Port for clients of services.  [default: 8080]",
    "admin": "Port for operators, the CLI and the UI.  [default: 9070]",
    "host": "Address to listen on.  [default: 127.0.0.1]",
    "config": "TOML file with settings; `rtour server --help` names the variables.",
    "level": "debug, info, warn, error or off; debug tells every step.  [default: info]",
    "format": "human or json.  [default: human]",
}


def server(
    data: Annotated[Path | None, typer.Option("--data", help=_HELP["data"])] = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help=_HELP["ephemeral"])] = False,
    ingress_port: Annotated[
        int | None, typer.Option("--ingress-port", help=_HELP["ingress"])
    ] = None,
    admin_port: Annotated[int | None, typer.Option("--admin-port", help=_HELP["admin"])] = None,
    host: Annotated[str | None, typer.Option("--host", help=_HELP["host"])] = None,
    config: Annotated[Path | None, typer.Option("--config", help=_HELP["config"])] = None,
    log_level: Annotated[str | None, typer.Option("--log-level", help=_HELP["level"])] = None,
    log_format: Annotated[str | None, typer.Option("--log-format", help=_HELP["format"])] = None,
) -> None:
    """Run the server until ctrl-c.

    Every flag has a variable (RTOUR_DATA, RTOUR_INGRESS_PORT, …), and the official server's
    RESTATE_* variables that mean the same are understood.
    """
    from rtour.errors import RtourError  # noqa: PLC0415 - keeps `rtour --help` light
    from rtour.server import logs, main, settings  # noqa: PLC0415

    flags: dict[str, Any] = {
        "data": str(data) if data else None,
        "ephemeral": ephemeral or None,
        "host": host,
        "ingress_port": ingress_port,
        "admin_port": admin_port,
        "log_level": log_level,
        "log_format": log_format,
    }
    try:
        loaded = settings.load(os.environ, file=config, flags=flags)
        logs.configure(loaded.log_level, loaded.log_format)
        main.run(loaded, lambda server: _say_where(server, loaded))
    except RtourError as error:
        sys.stderr.write(f"error: {error}\n")
        raise typer.Exit(1) from error


def _say_where(server: Any, loaded: Any) -> None:
    """The start-up block; the server answers when it is printed."""
    where = "nowhere: --ephemeral" if loaded.ephemeral else Path(loaded.data).resolve()
    lines = (
        "rtour is ready",
        f"  ingress  {server.ingress_url}   call services here",
        f"  admin    {server.admin_url}   register deployments, inspect, control",
        f"  data     {where}",
        "",
        "  next     rtour deployments register http://localhost:9080",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()

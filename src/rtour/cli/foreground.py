"""The server in the foreground: from flags to a served port, without the weight of a CLI library.

A server should be there at once. `rtour server` with flags in their plain form is understood here;
help, mistakes and abbreviations are left to `rtour.cli.server`, which knows how to talk to people.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

VALUES = {
    "--data": "data",
    "--check-data": "check_data",
    "--host": "host",
    "--ingress-port": "ingress_port",
    "--admin-port": "admin_port",
    "--pg-port": "pg_port",
    "--admin-token-file": "admin_token_file",
    "--ingress-token-file": "ingress_token_file",
    "--allowed-hosts": "allowed_hosts",
    "--ingress-origins": "ingress_origins",
    "--tls-cert": "tls_cert",
    "--tls-key": "tls_key",
    "--config": "config",
    "--log-level": "log_level",
    "--log-format": "log_format",
    "--lambda-endpoint": "lambda_endpoint",
    "--tracing-endpoint": "tracing_endpoint",
}
SWITCHES = {
    "--ephemeral": "ephemeral",
    "--dev-clock": "dev_clock",
    "--allow-unauthenticated": "allow_unauthenticated",
}


def plain_flags(argv: Sequence[str]) -> dict[str, str] | None:
    """Settings from `--name value` and `--name=value`; None if there is anything else."""
    flags: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name in SWITCHES and not equals:
            flags[SWITCHES[name]] = "true"
        elif name in VALUES:
            given = value if equals else next(words, None)
            if given is None or given.startswith("-"):
                return None
            flags[VALUES[name]] = given
        else:
            return None
    return flags


def run(flags: Mapping[str, str | None]) -> int:
    """Serve until a signal; the exit code."""
    import os  # noqa: PLC0415 - nothing is imported before it is needed
    from pathlib import Path  # noqa: PLC0415

    from rtour.errors import RtourError  # noqa: PLC0415
    from rtour.server import logs, process, settings  # noqa: PLC0415

    given = dict(flags)
    config = given.pop("config", None)
    try:
        loaded = settings.load(os.environ, file=Path(config) if config else None, flags=given)
        logs.configure(loaded.log_level, loaded.log_format, loaded.redacted_headers)
        process.run(loaded, lambda server: _say_where(server, loaded))
    except RtourError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _say_where(server: Any, loaded: Any) -> None:
    """The start-up block; the server answers when it is printed."""
    from pathlib import Path  # noqa: PLC0415

    where = "nowhere: --ephemeral" if loaded.ephemeral else Path(loaded.data).resolve()
    driven = () if server.time is None else (f"  clock    {server.time}; rtour time drives it",)
    lines = (
        "rtour is ready",
        f"  ingress  {server.ingress_url}   call services here",
        f"  admin    {server.admin_url}   register deployments, inspect, control",
        f"  psql     {_sql_port(server.postgres.address)}",
        f"  data     {where}",
        *driven,
        "",
        "  next     rtour deployments register http://localhost:9080",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _sql_port(address: tuple[str, int] | None) -> str:
    if address is None:  # switched off, or taken by somebody else
        return "no port; SQL is at the admin port's /query"
    host, port = address
    host = f"[{host}]" if ":" in host else host
    return f"postgresql://{host}:{port}   SQL for psql and other PostgreSQL clients"

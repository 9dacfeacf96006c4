"""`rtour server`: the flags of the embedded server, for people."""

from __future__ import annotations

from typing import Annotated

import typer

from rtour.cli import foreground

_HELP = {
    "data": "Folder for everything durable; made if it is not there.  [default: ./rtour-data]",
    "ephemeral": "Keep nothing: a temporary folder that goes when the server stops.",
    "check": "Check a large data file beside the server, first, or never.  [default: beside]",
    "clock": "Let `rtour time` skip and stop this server's clock. For development only.",
    "ingress": "Port for clients of services.  [default: 8080]",
    "admin": "Port for operators, the CLI and the UI.  [default: 9070]",
    "pg": "Port for psql and other PostgreSQL clients, or off.  [default: 9071]",
    "host": "Address to listen on.  [default: 127.0.0.1]",
    "admin_token": "File with bearer tokens for the admin port, one a line.",
    "ingress_token": "File with bearer tokens for the ingress port, one a line.",
    "unauthenticated": "Listen beyond loopback without tokens.",
    "hosts": "Names that clients without a token may use for this server, or *.",
    "origins": "Web origins that may call the ingress, or *.",
    "tls_cert": "PEM file: the certificate chain of all ports.",
    "tls_key": "PEM file: the certificate's private key.",
    "config": "TOML file with settings.",
    "level": "debug, info, warn, error or off; info,rtour.kafka=debug.  [default: info]",
    "format": "human or json.  [default: human]",
    "lambda": "Where AWS Lambda is, if not in AWS: see `rtour lambda-local`.",
    "tracing": "Where spans go: http://localhost:4317 (OTLP gRPC), otlp+http://… (HTTP).",
}


def server(
    data: Annotated[str | None, typer.Option("--data", help=_HELP["data"])] = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help=_HELP["ephemeral"])] = False,
    check_data: Annotated[
        str | None, typer.Option("--check-data", metavar="WHEN", help=_HELP["check"])
    ] = None,
    dev_clock: Annotated[bool, typer.Option("--dev-clock", help=_HELP["clock"])] = False,
    ingress_port: Annotated[
        str | None, typer.Option("--ingress-port", help=_HELP["ingress"])
    ] = None,
    admin_port: Annotated[str | None, typer.Option("--admin-port", help=_HELP["admin"])] = None,
    pg_port: Annotated[str | None, typer.Option("--pg-port", help=_HELP["pg"])] = None,
    host: Annotated[str | None, typer.Option("--host", help=_HELP["host"])] = None,
    admin_token_file: Annotated[
        str | None, typer.Option("--admin-token-file", metavar="FILE", help=_HELP["admin_token"])
    ] = None,
    ingress_token_file: Annotated[
        str | None,
        typer.Option("--ingress-token-file", metavar="FILE", help=_HELP["ingress_token"]),
    ] = None,
    allow_unauthenticated: Annotated[
        bool, typer.Option("--allow-unauthenticated", help=_HELP["unauthenticated"])
    ] = False,
    allowed_hosts: Annotated[
        str | None, typer.Option("--allowed-hosts", metavar="NAMES", help=_HELP["hosts"])
    ] = None,
    ingress_origins: Annotated[
        str | None, typer.Option("--ingress-origins", metavar="ORIGINS", help=_HELP["origins"])
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option("--tls-cert", metavar="FILE", help=_HELP["tls_cert"])
    ] = None,
    tls_key: Annotated[
        str | None, typer.Option("--tls-key", metavar="FILE", help=_HELP["tls_key"])
    ] = None,
    config: Annotated[str | None, typer.Option("--config", help=_HELP["config"])] = None,
    log_level: Annotated[str | None, typer.Option("--log-level", help=_HELP["level"])] = None,
    log_format: Annotated[str | None, typer.Option("--log-format", help=_HELP["format"])] = None,
    lambda_endpoint: Annotated[
        str | None, typer.Option("--lambda-endpoint", metavar="URL", help=_HELP["lambda"])
    ] = None,
    tracing_endpoint: Annotated[
        str | None, typer.Option("--tracing-endpoint", help=_HELP["tracing"])
    ] = None,
) -> None:
    """Run the server until ctrl-c.

    Every flag has a variable (RTOUR_DATA, RTOUR_INGRESS_PORT, …), and the official server's
    RESTATE_* variables that mean the same are understood. Tokens can be variables, too:
    RTOUR_ADMIN_TOKEN and RTOUR_INGRESS_TOKEN.
    """
    given = locals()
    raise typer.Exit(foreground.run({name: _text(value) for name, value in given.items()}))


def _text(value: str | bool | None) -> str | None:
    """A flag as a setting is written; None if it was not given."""
    return value if isinstance(value, str | None) else "true" if value else None

"""`rtour info` (the official `whoami`): every setting, path and version in use."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from rtour.cli.frontpage import version
from rtour.cli.output import Block, Fields, Heading, Line, Span, document, record_of
from rtour.cli.paging import chosen
from rtour.cli.session import Session, session_of
from rtour.cli.settings import SHOWN, Setting, config_home, state_home
from rtour.cli.tree import examples

if TYPE_CHECKING:
    from rtour.client import Client


@examples("rtour info\nrtour info -o json | jq -r .admin_url.value")
def info(ctx: typer.Context) -> None:
    """Shows which server is meant, who said so, and whether it answers.

    Ends with 0 even when the server is down: `rtour doctor` is the command that judges.
    """
    session = session_of(ctx)
    record = _settings(session) | session.run(_server, admin=False)
    session.emit(document(session.look, record, lambda: _blocks(record)))


def _settings(session: Session) -> dict[str, Any]:
    settings, env = session.settings, session.world.env
    return {
        "environment": _pair(settings.environment),
        "admin_url": _pair(settings.admin_url),
        "ingress_url": _pair(settings.ingress_url),
        "token": _pair(_hidden(settings.token)),
        "ingress_token": _pair(_hidden(settings.ingress_token)),
        "ca_file": _pair(settings.ca_file),
        "user_file": str(settings.user_file),
        "project_file": str(settings.project_file) if settings.project_file else None,
        "config_home": str(config_home(env)),
        "state_home": str(state_home(env)),
        "pager": _pair(chosen(session.options, env)),
        "rtour_version": version(),
        "python_version": sys.version.split()[0],
    }


async def _server(client: Client) -> dict[str, Any]:
    from rtour.client import ClientError  # noqa: PLC0415

    try:
        found = await client.admin.version()
        healthy = await client.admin.healthy()
    except ClientError as error:
        return {"server": None, "server_problem": str(error)}
    server = {
        "version": found.version,
        "healthy": healthy,
        "admin_api_versions": [found.min_admin_api_version, found.max_admin_api_version],
        "advertised_ingress_url": found.ingress_endpoint,
        "clock": record_of(found.clock) if found.clock else None,
    }
    return {"server": server, "server_problem": None}


def _blocks(record: dict[str, Any]) -> list[Block]:
    server = record["server"]
    state: Line = (Span(f"not reachable: {record['server_problem']}", "red"),)
    if server:
        low, high = server["admin_api_versions"]
        health = Span("healthy", "green") if server["healthy"] else Span("not healthy", "red")
        state = (f"{server['version']}, ", health, f", admin API {low} to {high}")
    settings = [(_label(name), _origin(record[name])) for name in SHOWN]
    paths = ("user_file", "project_file", "state_home")
    return [
        Heading("Server"),
        Fields(
            (
                *settings,
                ("Status", state),
                ("Advertised ingress", (server or {}).get("advertised_ingress_url") or ""),
                ("Clock", _clock((server or {}).get("clock"))),
            )
        ),
        Heading("This tool"),
        Fields(
            (
                ("Version", f"{record['rtour_version']} on Python {record['python_version']}"),
                *((name.replace("_", " ").capitalize(), record[name] or "none") for name in paths),
                ("Pager", _origin(record["pager"])),
            )
        ),
    ]


def _label(name: str) -> str:
    words = name.replace("_", " ")
    return f"CA{words[2:]}" if words.startswith("ca ") else words.capitalize()


def _hidden(token: Setting) -> Setting:
    return Setting("set" if token.value else None, token.origin)


def _clock(reading: dict[str, Any] | None) -> Line | str:
    """A clock that can be driven is told of, in colour when it was."""
    if reading is None:
        return ""
    from rtour.client.model import ClockReading  # noqa: PLC0415
    from rtour.client.time import described, driven  # noqa: PLC0415

    clock = ClockReading(**reading)
    return (Span(described(clock), "yellow" if driven(clock) else ""), "; `rtour time` drives it")


def _pair(setting: Setting) -> dict[str, str | None]:
    return {"value": setting.value, "origin": setting.origin}


def _origin(pair: dict[str, str | None]) -> Line:
    return (f"{pair['value'] or 'none'}  ", Span(f"({pair['origin']})", "dim"))

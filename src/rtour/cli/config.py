"""`rtour config`: environments, that is, which servers there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from rtour.cli.completing import environments as complete_environments
from rtour.cli.diagnostics import CliError, ExitCode, Misuse
from rtour.cli.editing import open_editor
from rtour.cli.output import Column, Record, item, table
from rtour.cli.session import Session, session_of
from rtour.cli.settings import (
    DEFAULT_ADMIN,
    DEFAULT_INGRESS,
    LOCAL,
    SHOWN,
    Settings,
    config_home,
    environments,
    read_files,
    resolve,
    user_file,
)
from rtour.cli.tree import Options, noun, verb
from rtour.private_files import write_private

app = noun("Environments: the servers you work with, and which one is in use.")

COLUMNS = (
    Column("current", "", lambda r, _: "*" if r["current"] else ""),
    Column("name", "NAME"),
    Column("admin_url", "ADMIN"),
    Column("ingress_url", "INGRESS"),
    Column("token", "TOKEN"),
    Column("origin", "FROM", fold=True),
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+$")


@verb(app, "list-environments", "rtour config list-environments\nrtour config ls -o json")
def list_environments(ctx: typer.Context) -> None:
    """Lists environments; the star marks the one in use."""
    session = session_of(ctx)
    env, cwd = session.world.env, session.world.cwd
    files = read_files(env, cwd)
    current = session.settings.environment.value
    records = [_environment(name, files, current) for name in environments(files)]
    session.emit(table(session.look, COLUMNS, records))


@verb(app, "use-environment", "rtour config use-environment staging\nrtour config use local")
def use_environment(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete_environments)],
) -> None:
    """Makes an environment the default, for all terminals."""
    session = session_of(ctx)
    env = session.world.env
    known = environments(read_files(env, session.world.cwd))
    if name not in known:
        raise CliError(
            f"no environment '{name}'",
            expected=f"one of {', '.join(known)}",
            hint=f"rtour config add-environment {name} --admin-url URL",
            exit_code=ExitCode.NOT_FOUND,
        )
    path = config_home(env) / "environment"
    write_private(path, f"{name}\n".encode())
    record = {"name": name, "file": str(path)}
    session.emit(item(session.look, [Column("name", "NAME"), Column("file", "FILE")], record))


@verb(
    app,
    "add-environment",
    """rtour config add-environment staging --admin-url https://staging:9070
rtour config add-environment staging --admin-url https://staging:9070 --token "$(cat token)\"""",
)
def add_environment(
    ctx: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")]
) -> None:
    """Adds an environment to your file: its URLs, tokens and --ca-file go into it."""
    options = ctx.find_root().obj
    session = session_of(ctx)
    env = session.world.env
    if name in environments(read_files(env, session.world.cwd)):
        raise CliError(
            f"there is an environment '{name}' already",
            hint="rtour config edit",
            exit_code=ExitCode.CONFLICT,
        )
    lines = _table(name, options)
    path = user_file(env)
    before = path.read_text("utf-8") if path.is_file() else ""
    write_private(path, f"{before.rstrip()}\n\n{lines}".lstrip().encode())
    record = {"name": name, "file": str(path)}
    session.emit(item(session.look, [Column("name", "NAME"), Column("file", "FILE")], record))


@verb(app, "view", "rtour config view\nrtour config view -o json")
def view(ctx: typer.Context) -> None:
    """Shows the settings in force and where each comes from."""
    session = session_of(ctx)
    records = _settings(session.settings)
    columns = [Column(name, name.upper(), fold=True) for name in ("setting", "value", "from")]
    session.emit(table(session.look, columns, records))


@verb(app, "edit", "rtour config edit")
def edit(ctx: typer.Context) -> None:
    """Opens your configuration file in your editor, and checks it afterwards."""
    session = session_of(ctx)
    path = user_file(session.world.env)
    if not path.is_file():
        write_private(path, _template().encode())
    open_editor(session, path)
    _check(session)
    session.note(f"{path} is in order")


def _check(session: Session) -> None:
    resolve({}, session.world.env, session.world.cwd)


def _environment(
    name: str, files: list[tuple[Path, dict[str, Any]]], current: str | None
) -> Record:
    found = [(path, content[name]) for path, content in files if name in content]
    path, entry = found[0] if found else (None, {})
    return {
        "current": name == current,
        "name": name,
        "admin_url": entry.get("admin_base_url", DEFAULT_ADMIN if name == LOCAL else None),
        "ingress_url": entry.get("ingress_base_url", DEFAULT_INGRESS if name == LOCAL else None),
        "token": "set" if entry.get("bearer_token") else None,
        "origin": str(path) if path else "built in",
    }


def _settings(settings: Settings) -> list[Record]:
    rows = []
    for name in SHOWN:
        setting = getattr(settings, name)
        value = setting.value
        if name.endswith("token") and value:
            value = "set"
        rows.append({"setting": name, "value": value, "from": setting.origin})
    return rows


def _table(name: str, options: Options) -> str:
    if not _BARE_KEY.match(name) or name in ("global", "default"):
        raise Misuse(f"'{name}' cannot name an environment", expected="letters, digits, - and _")
    if not options.get("admin_url"):
        raise Misuse("an environment needs --admin-url", expected="such as http://host:9070")
    keys = {
        "admin_base_url": options.get("admin_url"),
        "ingress_base_url": options.get("ingress_url"),
        "bearer_token": options.get("token"),
        "ingress_bearer_token": options.get("ingress_token"),
        "ca_file": options.get("ca_file"),
    }
    # A JSON string is a TOML basic string.
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items() if value]
    return "\n".join([f"[{name}]", *lines]) + "\n"


def _template() -> str:
    return (
        "# One table per environment; `rtour config use-environment NAME` chooses.\n\n"
        f"[{LOCAL}]\n"
        f'admin_base_url = "{DEFAULT_ADMIN}"\n'
        f'ingress_base_url = "{DEFAULT_INGRESS}"\n'
    )

"""`rtour kv`: the state of virtual objects and workflows."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from rtour.cli.arguments import DryRun, Every, Watch, body, checked_json
from rtour.cli.completing import keys, services
from rtour.cli.diagnostics import CliError, ExitCode, Misuse
from rtour.cli.editing import edited
from rtour.cli.json_patch import patched
from rtour.cli.output import Column, Record, table
from rtour.cli.session import Session, session_of
from rtour.cli.state_writing import Change, read_state, write
from rtour.cli.tree import noun, verb
from rtour.cli.wording import as_json, size

if TYPE_CHECKING:
    from rtour.client import Client
    from rtour.client.model import StateRow

app = noun("State of virtual objects and workflows: one JSON value per name, under a key.")

Service = Annotated[str, typer.Argument(metavar="SERVICE", autocompletion=services)]
Key = Annotated[str, typer.Argument(metavar="KEY", autocompletion=keys)]
Binary = Annotated[bool, typer.Option("--binary", help="Values as base64, not JSON.")]
Force = Annotated[bool, typer.Option("-f", "--force", help="Even if the state changes meanwhile.")]

COLUMNS = (
    Column("key", "NAME"),
    Column("value", "VALUE", lambda r, _: _one_line(r["value"]), fold=True),
)
KEYS = (
    Column("service_key", "KEY"),
    Column("names", "NAMES", fold=True),
    Column("bytes", "SIZE", lambda r, _: size(r["bytes"])),
)


@verb(
    app,
    "get",
    """rtour kv get CartObject Mary
rtour kv get -w -n 1 CartObject Mary
rtour kv get CartObject Mary tickets -o json""",
)
def get(
    ctx: typer.Context,
    service: Service,
    key: Key,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None,
    plain: Annotated[bool, typer.Option("-p", "--plain", help="One JSON object.")] = False,
    binary: Binary = False,
    watch: Watch = False,
    interval: Every = 1.0,
) -> None:
    """Shows the state under a key, or one value of it."""
    session = session_of(ctx)

    async def view(client: Client) -> str:
        state = await read_state(session, client, service, key)
        if name is not None:
            if name not in state:
                raise CliError(
                    f"{service}/{key} has no '{name}'",
                    expected=f"one of {', '.join(sorted(state))}" if state else "",
                    exit_code=ExitCode.NOT_FOUND,
                )
            state = {name: state[name]}
        values = {each: _shown(value, binary) for each, value in sorted(state.items())}
        if plain:
            return msgspec.json.encode(values).decode() + "\n"
        records = [{"key": each, "value": value} for each, value in values.items()]
        return session.listed(COLUMNS, records, empty=f"no state under {service}/{key}")

    session.show(view, watch=watch, every_s=interval)


@verb(app, "list", "rtour kv list CartObject\nrtour kv ls CartObject -o text --columns service-key")
def list_(
    ctx: typer.Context, service: Service, watch: Watch = False, interval: Every = 1.0
) -> None:
    """Lists the keys of a service that have state."""
    session = session_of(ctx)

    async def view(client: Client) -> str:
        grouped: dict[str, list[StateRow]] = {}
        for row in await client.query.state(service):
            grouped.setdefault(row.service_key, []).append(row)
        records: list[Record] = [
            {
                "service_key": key,
                "names": [row.key for row in rows],
                "bytes": sum(len(row.value) for row in rows),
            }
            for key, rows in grouped.items()
        ]
        return session.listed(KEYS, records, empty=f"no key of {service} has state")

    session.show(view, watch=watch, every_s=interval)


@verb(
    app,
    "set",
    """rtour kv set CartObject Mary tickets='["seat2B"]'
rtour kv set CartObject Mary tickets=@tickets.json --dry-run""",
)
def set_(
    ctx: typer.Context,
    service: Service,
    key: Key,
    values: Annotated[
        list[str], typer.Argument(metavar="NAME=JSON...", help="@FILE and - (stdin) work too.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Drop the names that are not given.")
    ] = False,
    binary: Binary = False,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Sets values under a key; the others stay."""
    session = session_of(ctx)
    given = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator:
            raise Misuse(f"'{value}' is no NAME=JSON", expected="such as tickets='[]'")
        raw = body(session, text) or b""
        given[name] = _bytes(raw, name) if binary else checked_json(raw, f"the value of {name}")

    async def change(client: Client) -> None:
        before = await read_state(session, client, service, key)
        after = given if replace else before | given
        await write(session, client, Change(service, key, before, after, force, dry_run))

    session.run(change)


@verb(app, "edit", "rtour kv edit CartObject Mary")
def edit(
    ctx: typer.Context,
    service: Service,
    key: Key,
    binary: Binary = False,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Opens the state under a key in your editor, and writes back what you changed."""
    session = session_of(ctx)

    async def change(client: Client) -> None:
        before = await read_state(session, client, service, key)
        values = {name: _editable(name, value, binary) for name, value in before.items()}
        result = edited(session, values, f"the state of {service}/{key}")
        after = _state(result, binary, f"the state of {service}/{key}")
        await write(session, client, Change(service, key, before, after, force, dry_run))

    session.run(change)


@verb(
    app,
    "patch",
    """rtour kv patch CartObject Mary '[{"op": "add", "path": "/tickets/-", "value": "seat2C"}]'
rtour kv patch TicketObject seat2B --patch @patch.json""",
)
def patch(
    ctx: typer.Context,
    service: Service,
    key: Key,
    given: Annotated[
        str | None, typer.Argument(metavar="[PATCH]", help="JSON patch; @FILE and - work too.")
    ] = None,
    option: Annotated[
        str | None, typer.Option("-p", "--patch", metavar="PATCH", help="The same, as an option.")
    ] = None,
    binary: Binary = False,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Applies a JSON patch (RFC 6902) to the object of all values under a key."""
    session = session_of(ctx)
    raw = body(session, given or option)
    if raw is None:
        raise Misuse("no patch given", expected="a JSON patch as argument, @FILE or -")
    operations = msgspec.json.decode(checked_json(raw, "the patch"))

    async def change(client: Client) -> None:
        before = await read_state(session, client, service, key)
        values = {name: _editable(name, value, binary) for name, value in before.items()}
        after = _state(patched(values, operations), binary, "the patched state")
        await write(session, client, Change(service, key, before, after, force, dry_run))

    session.run(change)


@verb(app, "clear", "rtour kv clear CartObject/Mary\nrtour kv clear CartObject --dry-run")
def clear(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(metavar="SERVICE[/KEY]", autocompletion=services)],
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Removes all state of a key, or of all keys of a service."""
    session = session_of(ctx)
    service, slash, key = what.partition("/")
    chosen = key if slash else None
    session.run(lambda client: _clear(session, client, service, chosen, force, dry_run))


async def _clear(
    session: Session, client: Client, service: str, key: str | None, force: bool, dry_run: bool
) -> None:
    grouped: dict[str, dict[str, bytes]] = {}
    for row in await client.query.state(service, key):
        grouped.setdefault(row.service_key, {})[row.key] = row.value
    if not grouped:
        raise CliError(f"no state under {service}", exit_code=ExitCode.NOT_FOUND)
    for each, state in grouped.items():
        session.note(f"  {service}/{each}: {', '.join(sorted(state))}")
    records: list[Record] = [
        {"service": service, "key": each, "names": sorted(state), "cleared": not dry_run}
        for each, state in grouped.items()
    ]
    if not dry_run:
        session.confirm(f"Clear the state of {len(grouped)} keys of {service}?")
        for each, state in grouped.items():
            await client.admin.write_state(
                service, each, {}, None if force else client.query.state_version(state)
            )
    columns = [Column(name, name.upper()) for name in ("service", "key", "names", "cleared")]
    session.emit(table(session.look, columns, records))


def _shown(value: bytes, binary: bool) -> Any:
    return base64.urlsafe_b64encode(value).decode() if binary else as_json(value)


def _one_line(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _editable(name: str, value: bytes, binary: bool) -> Any:
    if binary:
        return base64.urlsafe_b64encode(value).decode()
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise CliError(
            f"the value of '{name}' is not JSON", hint="--binary shows and takes base64"
        ) from error


def _state(value: Any, binary: bool, what: str) -> dict[str, bytes]:
    if not isinstance(value, dict):
        raise Misuse(f"{what} is no JSON object", expected='{"NAME": VALUE, …}')
    if not binary:
        return {name: msgspec.json.encode(each) for name, each in value.items()}
    return {name: _bytes(str(each).encode(), name) for name, each in value.items()}


def _bytes(text: bytes, name: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError as error:
        raise Misuse(f"the value of '{name}' is not base64: {error}") from error

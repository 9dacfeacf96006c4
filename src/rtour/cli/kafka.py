"""`rtour kafka-clusters`: where subscriptions read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rtour.cli.arguments import DryRun, pairs
from rtour.cli.diagnostics import CliError, Misuse
from rtour.cli.editing import edited
from rtour.cli.output import (
    Block,
    Column,
    Fields,
    Grid,
    Heading,
    Record,
    document,
    item,
    record_of,
)
from rtour.cli.session import Session, session_of
from rtour.cli.tree import noun, verb

if TYPE_CHECKING:
    from rtour.client import Client

app = noun("Kafka clusters that subscriptions read from.")

# How servers show a secret.
HIDDEN = "***"
Name = Annotated[str, typer.Argument(metavar="NAME")]
COLUMNS = (
    Column("name", "NAME"),
    Column("servers", "SERVERS", lambda r, _: _servers(r), fold=True),
)
SUBSCRIPTIONS = (Column("id", "ID"), Column("source", "SOURCE"), Column("sink", "SINK", fold=True))


@verb(app, "list", "rtour kafka-clusters list")
def list_(ctx: typer.Context) -> None:
    """Lists Kafka clusters."""
    session = session_of(ctx)

    async def view(client: Client) -> str:
        found = await client.admin.kafka_clusters()
        records = [record_of(each) for each in found]
        return session.listed(COLUMNS, records, empty="no Kafka clusters")

    session.show(view)


@verb(app, "describe", "rtour kafka-clusters describe main")
def describe(ctx: typer.Context, name: Name) -> None:
    """Shows a Kafka cluster and its subscriptions."""
    session = session_of(ctx)

    async def view(client: Client) -> str:
        found = await client.admin.kafka_cluster(name)
        record = record_of(found, subscriptions=[record_of(each) for each in found.subscriptions])
        return document(session.look, record, lambda: _blocks(record))

    session.show(view)


@verb(app, "create", "rtour kafka-clusters create main bootstrap.servers=localhost:9092")
def create(
    ctx: typer.Context,
    name: Name,
    properties: Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]...")] = None,
    edit: Annotated[bool, typer.Option("--edit", help="Edit the properties first.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Makes a Kafka cluster known."""
    session = session_of(ctx)
    given = pairs(properties or (), "properties")
    if edit:
        given = edited(session, given, f"the properties of {name}")
    if not dry_run:
        session.confirm(f"Create the Kafka cluster {name}?")
        session.run(lambda client: client.admin.create_kafka_cluster(name, given))
    _print(session, name, given)


@verb(
    app,
    "patch",
    """rtour kafka-clusters patch main --set bootstrap.servers=kafka:9092
rtour kc patch main --unset security.protocol --yes""",
)
def patch(
    ctx: typer.Context,
    name: Name,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE")] = None,
    unset: Annotated[list[str] | None, typer.Option("--unset", metavar="NAME")] = None,
    dry_run: DryRun = False,
) -> None:
    """Sets and removes properties of a Kafka cluster."""
    session = session_of(ctx)
    if not set_ and not unset:
        raise Misuse("nothing to change", expected="--set NAME=VALUE or --unset NAME")
    changes, dropped = pairs(set_ or (), "--set"), set(unset or ())
    session.run(lambda client: _update(session, client, name, changes, dropped, dry_run))


@verb(app, "edit", "rtour kafka-clusters edit main")
def edit(ctx: typer.Context, name: Name, dry_run: DryRun = False) -> None:
    """Opens a Kafka cluster's properties in your editor."""
    session = session_of(ctx)

    async def change(client: Client) -> None:
        before = (await client.admin.kafka_cluster(name)).properties
        after = edited(session, before, f"the properties of {name}")
        await _update(session, client, name, after, before.keys() - after.keys(), dry_run)

    session.run(change)


@verb(app, "delete", "rtour kafka-clusters delete main\nrtour kc rm main --force --yes")
def delete(
    ctx: typer.Context,
    name: Name,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Even if subscriptions read from it.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Forgets a Kafka cluster."""
    session = session_of(ctx)

    async def forget(client: Client) -> Record:
        found = await client.admin.kafka_cluster(name)
        for each in found.subscriptions:
            session.note(f"  {each.id}: {each.source} -> {each.sink}")
        if not dry_run:
            session.confirm(f"Forget the Kafka cluster {name}?")
            await client.admin.remove_kafka_cluster(name, force=force)
        return {"name": name, "deleted": not dry_run}

    columns = (COLUMNS[0], Column("deleted", "DELETED"))
    session.emit(item(session.look, columns, session.run(forget)))


async def _update(
    session: Session,
    client: Client,
    name: str,
    changes: dict[str, str],
    dropped: set[str],
    dry_run: bool,
) -> None:
    before = (await client.admin.kafka_cluster(name)).properties
    after = {key: value for key, value in (before | changes).items() if key not in dropped}
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            session.note(f"  {key}: {before.get(key, 'unset')} -> {after.get(key, 'unset')}")
    if after == before:
        session.note("nothing to change")
    elif not dry_run:
        await _keep_secrets(client, after)
        session.confirm(f"Change the Kafka cluster {name}?")
        await client.admin.update_kafka_cluster(name, after)
    _print(session, name, after)


async def _keep_secrets(client: Client, properties: dict[str, str]) -> None:
    """Refuses to write back what the server only shows in place of a secret."""
    hidden = sorted(name for name, value in properties.items() if value == HIDDEN)
    if hidden and not await client.admin.keeps_hidden_properties():
        raise CliError(
            f"this server hides {', '.join(hidden)}, and would store {HIDDEN} instead",
            expected="all secrets anew, since a change replaces all properties",
            hint=f"add {' '.join(f'--set {name}=VALUE' for name in hidden)}",
        )


def _print(session: Session, name: str, properties: dict[str, str]) -> None:
    session.emit(item(session.look, COLUMNS, {"name": name, "properties": properties}))


def _blocks(record: Record) -> list[Block]:
    blocks: list[Block] = [
        Heading(f"Kafka cluster {record['name']}"),
        Fields(tuple(sorted(record["properties"].items()))),
    ]
    if record["subscriptions"]:
        blocks += [
            Heading("Subscriptions"),
            Grid(SUBSCRIPTIONS, tuple(record["subscriptions"])),
        ]
    return blocks


def _servers(record: Record) -> str:
    properties = record["properties"]
    return str(properties.get("bootstrap.servers") or properties.get("metadata.broker.list") or "")

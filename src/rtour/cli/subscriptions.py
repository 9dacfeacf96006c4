"""`rtour subscriptions`: Kafka topics that feed handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rtour.cli.arguments import DryRun, pairs
from rtour.cli.editing import edited
from rtour.cli.output import Column, Fields, Heading, Record, document, item, record_of
from rtour.cli.session import session_of
from rtour.cli.tree import noun, verb

if TYPE_CHECKING:
    from rtour.client import Client
    from rtour.client.model import SubscriptionReading

app = noun("Subscriptions: Kafka topics whose records invoke a handler.")

Id = Annotated[str, typer.Argument(metavar="ID", help="A subscription: sub_1…")]
COLUMNS = (
    Column("id", "ID"),
    Column("source", "SOURCE", fold=True),
    Column("sink", "SINK", fold=True),
    Column("options", "OPTIONS", lambda r, _: _options(r), fold=True),
)
STATE = Column("state", "STATE", style=lambda r: "red" if r["state"] == "failing" else "")


@verb(app, "list", "rtour subscriptions list\nrtour sub ls --sink service://CartObject/addTicket")
def list_(
    ctx: typer.Context,
    source: Annotated[
        str | None, typer.Option("--source", metavar="URL", help="kafka://cluster/topic")
    ] = None,
    sink: Annotated[
        str | None, typer.Option("--sink", metavar="URL", help="service://Service/handler")
    ] = None,
) -> None:
    """Lists subscriptions."""
    session = session_of(ctx)
    given = {"source": source, "sink": sink}
    params = {name: value for name, value in given.items() if value is not None}

    async def view(client: Client) -> str:
        found = await client.admin.subscriptions(params)
        readings = await client.admin.subscription_readings()
        records = [record_of(each, state=_state(readings.get(each.id))) for each in found]
        columns = (*COLUMNS[:3], STATE, *COLUMNS[3:]) if readings else COLUMNS
        return session.listed(columns, records, empty="no subscriptions")

    session.show(view)


@verb(app, "describe", "rtour subscriptions describe sub_1…")
def describe(ctx: typer.Context, subscription_id: Id) -> None:
    """Shows a subscription, and how reading its topic goes."""
    session = session_of(ctx)

    async def view(client: Client) -> str:
        found = await client.admin.subscription(subscription_id)
        reading = await client.admin.subscription_reading(subscription_id)
        record = record_of(found, reading=None if reading is None else record_of(reading))
        fields = Fields(
            (
                ("Source", record["source"]),
                ("Sink", record["sink"]),
                *sorted(record["options"].items()),
            )
        )
        heading = Heading(f"Subscription {record['id']}")
        told = () if reading is None else (Heading("Reading"), _reading(reading))
        return document(session.look, record, lambda: (heading, fields, *told))

    session.show(view)


@verb(
    app,
    "create",
    """rtour subscriptions create kafka://main/orders service://Orders/place
rtour sub create kafka://main/orders service://Orders/place auto.offset.reset=earliest --yes""",
)
def create(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="kafka://CLUSTER/TOPIC")],
    sink: Annotated[str, typer.Argument(metavar="service://SERVICE/HANDLER")],
    options: Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]...")] = None,
    edit: Annotated[bool, typer.Option("--edit", help="Edit the options first.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Feeds a topic's records to a handler."""
    session = session_of(ctx)
    given = pairs(options or (), "options")
    if edit:
        given = edited(session, given, "the subscription's options")
    planned: Record = {"id": None, "source": source, "sink": sink, "options": given}
    if dry_run:
        session.emit(item(session.look, COLUMNS, planned))
        return
    session.confirm(f"Feed {source} to {sink}?")
    made = session.run(lambda client: client.admin.subscribe(source, sink, given))
    session.emit(item(session.look, COLUMNS, record_of(made)))


@verb(app, "delete", "rtour subscriptions delete sub_1…")
def delete(ctx: typer.Context, subscription_id: Id, dry_run: DryRun = False) -> None:
    """Ends a subscription; what it delivered stays."""
    session = session_of(ctx)

    async def end(client: Client) -> Record:
        found = await client.admin.subscription(subscription_id)
        session.note(f"  {found.id}: {found.source} -> {found.sink}")
        if not dry_run:
            session.confirm("End this subscription?")
            await client.admin.unsubscribe(subscription_id)
        return record_of(found, deleted=not dry_run)

    columns = (*COLUMNS[:3], Column("deleted", "DELETED"))
    session.emit(item(session.look, columns, session.run(end)))


def _state(reading: SubscriptionReading | None) -> str | None:
    """One word; a reader that reads, but not all, says so."""
    if reading is None:
        return None
    return "holding" if reading.state == "reading" and reading.held else reading.state


def _reading(reading: SubscriptionReading) -> Fields:
    """State, error, lag, and what holds a partition back."""
    rows = [("State", reading.state), ("Records taken", str(reading.taken))]
    if reading.error is not None:
        rows.append(("Error", reading.error))
    if reading.lag:
        rows.append(("Lag", f"{sum(reading.lag.values())} in {len(reading.lag)} partitions"))
    rows += [(f"Partition {name} waits", reason) for name, reason in reading.held.items()]
    return Fields(tuple(rows))


def _options(record: Record) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(record["options"].items()))

"""`rtour services`: what can be called, how it is configured, how it is doing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtour.cli.arguments import DryRun, Every, Watch
from rtour.cli.completing import services as complete_services
from rtour.cli.editing import edited
from rtour.cli.output import (
    Block,
    Column,
    Fields,
    Grid,
    Heading,
    Look,
    Record,
    document,
    record_of,
)
from rtour.cli.service_status import status_view
from rtour.cli.session import Session, session_of
from rtour.cli.tree import noun, verb

if TYPE_CHECKING:
    from rtour.client import Client
    from rtour.client.model import Service

app = noun("Services: handlers, configuration, and how they are doing.")
config = noun("A service's retention, timeouts and visibility.")
app.add_typer(config, name="config")

Name = Annotated[str, typer.Argument(metavar="SERVICE", autocompletion=complete_services)]

COLUMNS = (
    Column("name", "NAME"),
    Column("ty", "TYPE"),
    Column("revision", "REVISION"),
    Column("public", "PUBLIC"),
    Column("handlers", "HANDLERS", lambda r, _: str(len(r["handlers"]))),
    Column("deployment_id", "DEPLOYMENT"),
)
NONE = "no services; register a deployment: rtour deployments register URL"
EXTRA = (
    Column("endpoint", "ENDPOINT", fold=True),
    Column("names", "HANDLER NAMES", lambda r, _: _names(r), fold=True),
)
HANDLERS = (
    Column("name", "HANDLER"),
    Column("ty", "TYPE"),
    Column("public", "PUBLIC"),
    Column("input_description", "INPUT", fold=True),
    Column("output_description", "OUTPUT", fold=True),
    Column("documentation", "DOCUMENTATION", fold=True),
)
OLDER = (
    Column("deployment_id", "DEPLOYMENT"),
    Column("endpoint", "ENDPOINT", fold=True),
    Column("revision", "REVISION"),
    Column("active_invocations", "INVOCATIONS"),
)
# What PATCH /services/{name} takes.
SETTINGS = (
    "public",
    "idempotency_retention",
    "workflow_completion_retention",
    "journal_retention",
    "inactivity_timeout",
    "abort_timeout",
)


class Switch(StrEnum):
    """A value of `--public`."""

    ON = "true"
    OFF = "false"


@verb(app, "list", "rtour services list\nrtour svc ls --extra\nrtour svc ls -o text --columns name")
def list_(
    ctx: typer.Context,
    public_only: Annotated[
        bool, typer.Option("--public-only", help="Only those the ingress takes calls for.")
    ] = False,
    extra: Annotated[bool, typer.Option("--extra", help="Handlers and endpoint too.")] = False,
    watch: Watch = False,
    interval: Every = 1.0,
) -> None:
    """Lists services at their latest revision."""
    session = session_of(ctx)

    async def view(client: Client) -> str:
        endpoints = {each.id: each.endpoint for each in await client.admin.deployments()}
        records = [
            record_of(service, endpoint=endpoints.get(service.deployment_id))
            for service in await client.admin.services()
            if service.public or not public_only
        ]
        return session.listed(COLUMNS + EXTRA if extra else COLUMNS, records, empty=NONE)

    session.show(view, watch=watch, every_s=interval)


@verb(app, "describe", "rtour services describe CartObject\nrtour svc get CartObject -o json")
def describe(
    ctx: typer.Context, service: Name, watch: Watch = False, interval: Every = 1.0
) -> None:
    """Shows a service: handlers with their types, configuration, older revisions in use."""
    session = session_of(ctx)

    async def view(client: Client) -> str:
        record = await _detail(client, service)
        return document(session.look, record, lambda: _blocks(session.look, record))

    session.show(view, watch=watch, every_s=interval)


@verb(app, "status", "rtour services status\nrtour svc status CartObject -w")
def status(
    ctx: typer.Context,
    service: Annotated[
        str | None, typer.Argument(metavar="[SERVICE]", autocompletion=complete_services)
    ] = None,
    locked_keys_limit: Annotated[
        int, typer.Option("--locked-keys-limit", min=0, metavar="N", help="Keys per service.")
    ] = 10,
    held: Annotated[int, typer.Option("--locked-key-held-threshold-second", hidden=True)] = 0,
    sample: Annotated[int, typer.Option("--sample-invocations-limit", hidden=True)] = 0,
    watch: Watch = False,
    interval: Every = 1.0,
) -> None:
    """Counts invocations by handler and status, and shows which keys are held, by whom, since when.

    A status nobody is in has no column; `-o json` has them all.
    """
    del held, sample  # flags of the official CLI: here all keys and all statuses are shown
    session = session_of(ctx)

    async def view(client: Client) -> str:
        return await status_view(session.look, client, service, locked_keys_limit)

    session.show(view, watch=watch, every_s=interval)


@verb(config, "view", "rtour services config view CartObject")
def config_view(ctx: typer.Context, service: Name) -> None:
    """Shows a service's configuration."""
    session = session_of(ctx)

    async def view(client: Client) -> str:
        return _configuration(session, await client.admin.service(service))

    session.emit(session.run(view))


@verb(
    config,
    "patch",
    """rtour services config patch CartObject --inactivity-timeout 5m
rtour svc config patch CartObject --public false --yes""",
)
def config_patch(
    ctx: typer.Context,
    service: Name,
    public: Annotated[Switch | None, typer.Option("--public", metavar="true|false")] = None,
    idempotency_retention: Annotated[
        str | None, typer.Option("--idempotency-retention", metavar="DURATION")
    ] = None,
    workflow_completion_retention: Annotated[
        str | None, typer.Option("--workflow-completion-retention", metavar="DURATION")
    ] = None,
    journal_retention: Annotated[
        str | None, typer.Option("--journal-retention", metavar="DURATION")
    ] = None,
    inactivity_timeout: Annotated[
        str | None, typer.Option("--inactivity-timeout", metavar="DURATION")
    ] = None,
    abort_timeout: Annotated[
        str | None, typer.Option("--abort-timeout", metavar="DURATION")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Changes a service's configuration; durations are like `2h`, `30s` or `PT2H`."""
    changes = {
        "public": None if public is None else public is Switch.ON,
        "idempotency_retention": idempotency_retention,
        "workflow_completion_retention": workflow_completion_retention,
        "journal_retention": journal_retention,
        "inactivity_timeout": inactivity_timeout,
        "abort_timeout": abort_timeout,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    session = session_of(ctx)
    session.run(lambda client: _configure(session, client, service, given, dry_run))


@verb(config, "edit", "rtour services config edit CartObject")
def config_edit(ctx: typer.Context, service: Name, dry_run: DryRun = False) -> None:
    """Opens a service's configuration in your editor, and applies what you changed."""
    session = session_of(ctx)

    async def edit(client: Client) -> None:
        before = _settings(await client.admin.service(service))
        after = edited(session, before, f"{service} configuration")
        given = {name: after[name] for name in SETTINGS if after.get(name) != before.get(name)}
        await _configure(session, client, service, given, dry_run)

    session.run(edit)


async def _configure(
    session: Session, client: Client, name: str, changes: dict[str, Any], dry_run: bool
) -> None:
    before = _settings(await client.admin.service(name))
    for key, value in changes.items():
        session.note(f"  {key}: {_text(before.get(key))} -> {_text(value)}")
    if not changes:
        session.note("nothing to change")
    if not changes or dry_run:
        session.emit(_configuration(session, await client.admin.service(name)))
        return
    session.confirm(f"Change {name}?")
    session.emit(_configuration(session, await client.admin.configure_service(name, changes)))


def _text(value: object) -> str:
    if value is None:
        return "unset"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _configuration(session: Session, service: Service) -> str:
    record = {"name": service.name, **_settings(service), "retry_policy": service.retry_policy}
    return document(session.look, record, lambda: _configuration_blocks(record))


def _settings(service: Service) -> dict[str, Any]:
    fields = record_of(service)
    return {name: fields[name] for name in SETTINGS}


def _configuration_blocks(record: Record) -> list[Block]:
    labels = [name for name in record if name not in ("name", "retry_policy")]
    policy = ", ".join(f"{key} {value}" for key, value in record["retry_policy"].items())
    return [
        Heading(f"Configuration of {record['name']}"),
        Fields(
            (
                *((_label(name), _text(record[name])) for name in labels),
                ("Retry policy", policy),
            )
        ),
    ]


async def _detail(client: Client, name: str) -> Record:
    service = await client.admin.service(name)
    deployments = await client.admin.deployments()
    running = await client.query.unfinished_by_deployment()
    older = [
        {
            "deployment_id": deployment.id,
            "endpoint": deployment.endpoint,
            "revision": each.revision,
            "active_invocations": running.get(deployment.id, 0),
        }
        for deployment in deployments
        for each in deployment.services
        if each.name == name and each.revision != service.revision
    ]
    endpoint = next((d.endpoint for d in deployments if d.id == service.deployment_id), None)
    handlers = [record_of(handler) for handler in service.handlers]
    return record_of(service, handlers=handlers, endpoint=endpoint, older_revisions=older)


def _blocks(look: Look, record: Record) -> list[Block]:
    del look
    metadata = ", ".join(f"{key}={value}" for key, value in sorted(record["metadata"].items()))
    blocks: list[Block] = [
        Heading(f"Service {record['name']}"),
        Fields(
            (
                ("Type", record["ty"]),
                ("Documentation", record["documentation"] or ""),
                ("Revision", str(record["revision"])),
                ("Public", _text(record["public"])),
                ("Deployment", f"{record['deployment_id']} at {record['endpoint']}"),
                ("Metadata", metadata),
            )
        ),
        Heading("Handlers"),
        Grid(HANDLERS, tuple(record["handlers"])),
        *_configuration_blocks({key: record[key] for key in ("name", *SETTINGS, "retry_policy")}),
    ]
    if record["older_revisions"]:
        blocks += [Heading("Older revisions"), Grid(OLDER, tuple(record["older_revisions"]))]
    return blocks


def _names(record: Record) -> str:
    return ", ".join(handler.name for handler in record["handlers"])


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()

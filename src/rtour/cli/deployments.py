"""`rtour deployments`: where services run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtour.cli.arguments import DryRun, Every, Watch
from rtour.cli.arguments import deployment_id as checked
from rtour.cli.completing import deployment_ids
from rtour.cli.diagnostics import CliError, ExitCode
from rtour.cli.output import (
    Block,
    Column,
    Fields,
    Grid,
    Heading,
    Look,
    Record,
    document,
    item,
    record_of,
)
from rtour.cli.registering import Wish, register_deployment
from rtour.cli.session import Session, session_of
from rtour.cli.tree import noun, verb
from rtour.cli.wording import plural

if TYPE_CHECKING:
    from rtour.client import Client

app = noun("Deployments: the endpoints at which your services run, by version.")

STYLES = {"active": "green", "draining": "yellow", "drained": "dim"}


def _style(record: Record) -> str:
    return STYLES.get(record["status"], "")


def _services(record: Record, _: Look) -> str:
    return ", ".join(f"{each['name']}@{each['revision']}" for each in record["services"])


COLUMNS = (
    Column("id", "ID"),
    Column("endpoint", "ENDPOINT", fold=True),
    Column("status", "STATUS", style=_style),
    Column("services", "SERVICES", _services, fold=True),
    Column("created_at", "CREATED"),
)
NONE = "no deployments; register one: rtour deployments register localhost:9080"
EXTRA = (
    Column("active_invocations", "INVOCATIONS"),
    Column("protocol_type", "TRANSPORT"),
    Column("max_protocol_version", "PROTOCOL"),
    Column("sdk_version", "SDK", fold=True),
)
HANDLERS = (
    Column("service", "SERVICE"),
    Column("revision", "REVISION"),
    Column("type", "TYPE"),
    Column("handler", "HANDLER"),
    Column("input", "INPUT", fold=True),
    Column("output", "OUTPUT", fold=True),
)

DeploymentId = Annotated[
    str,
    typer.Argument(metavar="ID", help="A deployment: dp_1…", autocompletion=deployment_ids),
]


@verb(app, "list", "rtour deployments list\nrtour dp ls --extra -o json")
def list_(
    ctx: typer.Context,
    extra: Annotated[bool, typer.Option("--extra", help="Show transport and SDK too.")] = False,
    watch: Watch = False,
    interval: Every = 1.0,
) -> None:
    """Lists deployments, oldest first, with what still runs on them.

    Active: new invocations go there. Draining: invocations still run on it. Drained: may go.
    """
    session = session_of(ctx)

    async def view(client: Client) -> str:
        columns = COLUMNS + EXTRA if extra else COLUMNS
        records = await _records(client)
        return session.listed(columns, records, empty=NONE)

    session.show(view, watch=watch, every_s=interval)


@verb(app, "describe", "rtour deployments describe dp_1Gk…")
def describe(
    ctx: typer.Context,
    deployment_id: DeploymentId,
    extra: Annotated[bool, typer.Option("--extra", hidden=True)] = False,
    watch: Watch = False,
    interval: Every = 1.0,
) -> None:
    """Shows a deployment, its services and handlers, and what still runs on it."""
    del extra  # the official CLI's flag: here everything is always shown
    session = session_of(ctx)

    async def view(client: Client) -> str:
        record = await _detail(client, deployment_id)
        return document(session.look, record, lambda: _blocks(session.look, record))

    session.show(view, watch=watch, every_s=interval)


@verb(
    app,
    "register",
    """rtour deployments register localhost:9080
rtour deployments register http://127.0.0.1:9080 --force --yes
rtour dp add 9080 --dry-run""",
)
def register(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="URL, host:port, port, or Lambda ARN.")],
    force: Annotated[bool, typer.Option("--force", help="Discover a known URL again.")] = False,
    breaking: Annotated[bool, typer.Option("--breaking", help="Allow type changes.")] = False,
    use_http1: Annotated[bool, typer.Option("--use-http1.1", help="No HTTP/2.")] = False,
    extra_header: Annotated[
        list[str] | None, typer.Option("--extra-header", metavar="NAME=VALUE", help="Sent along.")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="Kept with it.")
    ] = None,
    assume_role_arn: Annotated[
        str | None, typer.Option("--assume-role-arn", help="For Lambda.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Makes the services at a URL known to the server.

    Shows which services are added or updated, asks, and registers. Registering a known URL
    changes nothing unless `--force` is given.
    """
    wish = Wish(
        address=url,
        force=force,
        breaking=breaking,
        use_http_11=use_http1,
        headers=tuple(extra_header or ()),
        metadata=tuple(metadata or ()),
        assume_role_arn=assume_role_arn,
        dry_run=dry_run,
    )
    session = session_of(ctx)
    session.run(lambda client: register_deployment(session, client, wish))


@verb(app, "remove", "rtour deployments remove dp_1Gk…\nrtour dp rm dp_1Gk… --force --yes")
def remove(
    ctx: typer.Context,
    deployment_id: DeploymentId,
    force: Annotated[
        bool, typer.Option("--force", help="Even if invocations still need it.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Removes a deployment, if nothing runs on it any more."""
    session = session_of(ctx)
    session.run(lambda client: _remove(session, client, deployment_id, force, dry_run))


async def _remove(
    session: Session, client: Client, deployment_id: str, force: bool, dry_run: bool
) -> None:
    record = await _detail(client, deployment_id)
    status, running = record["status"], record["active_invocations"]
    session.note(f"{deployment_id} at {record['endpoint']} is {status}")
    if status != "drained" and not force:
        holds = "new invocations go there" if status == "active" else "invocations run on it"
        raise CliError(
            f"the deployment is {status}: {holds} ({plural(running, 'unfinished invocation')})",
            expected="a drained deployment",
            hint=f"rtour invocations list --deployment {deployment_id}; --force removes it anyway",
            exit_code=ExitCode.CONFLICT,
        )
    result = {"id": deployment_id, "endpoint": record["endpoint"], "removed": not dry_run}
    if not dry_run:
        session.confirm(f"Remove {deployment_id}?")
        await client.admin.remove_deployment(deployment_id)
    columns = [Column(key, key.upper()) for key in result]
    session.emit(item(session.look, columns, result))


async def _records(client: Client) -> list[Record]:
    latest = {service.deployment_id for service in await client.admin.services()}
    counts = await client.query.unfinished_by_deployment()
    return [
        record_of(
            deployment,
            endpoint=deployment.endpoint,
            services=[
                record_of(each) for each in sorted(deployment.services, key=lambda s: s.name)
            ],
            status=_status(deployment.id in latest, counts.get(deployment.id, 0)),
            active_invocations=counts.get(deployment.id, 0),
        )
        for deployment in await client.admin.deployments()
    ]


async def _detail(client: Client, deployment_id: str) -> Record:
    deployment = await client.admin.deployment(checked(deployment_id))
    revisions = {each.name: each for each in await client.admin.services()}
    counts = await client.query.unfinished_by_deployment()
    latest = any(each.deployment_id == deployment_id for each in revisions.values())
    return record_of(
        deployment,
        endpoint=deployment.endpoint,
        services=[
            {
                "name": service.name,
                "type": service.ty,
                "revision": service.revision,
                "latest_revision": revisions[service.name].revision
                if service.name in revisions
                else service.revision,
                "handlers": [record_of(handler) for handler in service.handlers],
            }
            for service in sorted(deployment.services, key=lambda each: each.name)
        ],
        status=_status(latest, counts.get(deployment_id, 0)),
        active_invocations=counts.get(deployment_id, 0),
    )


def _status(latest: bool, unfinished: int) -> str:
    if latest:
        return "active"
    return "draining" if unfinished else "drained"


def _blocks(look: Look, record: Record) -> list[Block]:
    protocol = f"{record['min_protocol_version']} to {record['max_protocol_version']}"
    headers = ", ".join(sorted(record["additional_headers"]))
    metadata = ", ".join(f"{key}={value}" for key, value in sorted(record["metadata"].items()))
    return [
        Heading(f"Deployment {record['id']}"),
        Fields(
            (
                ("Endpoint", record["endpoint"]),
                ("Status", record["status"]),
                ("Unfinished invocations", str(record["active_invocations"])),
                ("Transport", f"{record['http_version'] or ''} {record['protocol_type'] or ''}"),
                ("Protocol versions", protocol),
                ("SDK", record["sdk_version"] or ""),
                ("Extra headers", headers),
                ("Metadata", metadata),
                ("Created", look.at(record["created_at"])),
            )
        ),
        Heading("Services"),
        Grid(HANDLERS, tuple(_handler_rows(record["services"]))),
    ]


def _handler_rows(services: list[dict[str, Any]]) -> list[Record]:
    rows = []
    for service in services:
        latest = service["latest_revision"]
        old = "" if latest == service["revision"] else f" (latest is {latest})"
        head = {
            "service": service["name"],
            "revision": f"{service['revision']}{old}",
            "type": service["type"],
        }
        for handler in sorted(service["handlers"], key=lambda each: each["name"]):
            rows.append(
                {
                    **head,
                    "handler": handler["name"],
                    "input": handler["input_description"],
                    "output": handler["output_description"],
                }
            )
            head = {}
    return rows

"""How a deployment is registered: look first, show the difference, ask, do it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from rtour.cli.arguments import pairs
from rtour.cli.diagnostics import CliError, ExitCode, Misuse
from rtour.cli.output import Block, Column, Fields, Grid, Heading, Record, document
from rtour.cli.tree import Format
from rtour.cli.wording import plural

if TYPE_CHECKING:
    from rtour.cli.session import Session
    from rtour.client import Client
    from rtour.client.model import Registration, Service

# What the official CLI records of the CI run that deploys.
GITHUB_VARIABLES = ("GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_SHA")

CHANGES = (
    Column("service", "SERVICE"),
    Column("type", "TYPE"),
    Column("change", "CHANGE"),
    Column("handlers", "HANDLERS", lambda record, _: ", ".join(record["handlers"]), fold=True),
)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for."""

    address: str
    force: bool = False
    breaking: bool = False
    use_http_11: bool = False
    headers: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    assume_role_arn: str | None = None
    dry_run: bool = False


async def register_deployment(session: Session, client: Client, wish: Wish) -> None:
    """Registers, and prints what is now known."""
    request = body(wish, session.world.env)
    where = request.get("uri") or request["arn"]
    with session.progress(f"looking at {where}"):
        before = {service.name: service for service in await client.admin.services()}
        planned = await _tried(client, request)
    if not planned.created and not wish.force:
        session.note(f"{where} is registered already as {planned.id}; nothing was changed")
        session.note("next: --force discovers it again, after a code change in development")
        _print(session, planned, _changes(planned, planned, before={}), "unchanged")
        return
    changes = _changes(planned, planned, before)
    if wish.dry_run:
        _print(session, planned, changes, "planned")
        return
    for line in _told(changes):
        session.note(line)
    session.confirm(f"Register {plural(len(changes), 'service')} at {where}?")
    with session.progress(f"registering {where}"):
        registered = await client.admin.register({**request, "dry_run": False})
    _print(session, registered, _changes(planned, registered, before), "registered")


def body(wish: Wish, env: Any) -> dict[str, Any]:
    """The request of the admin API."""
    metadata = {name: env[name] for name in GITHUB_VARIABLES if env.get(name)}
    metadata |= pairs(wish.metadata, "--metadata")
    request: dict[str, Any] = {
        "additional_headers": pairs(wish.headers, "--extra-header") or None,
        "breaking": wish.breaking,
        "force": wish.force,
        "dry_run": True,
    }
    if metadata:
        request["metadata"] = metadata
    if wish.address.startswith("arn:"):
        return {**request, "arn": wish.address, "assume_role_arn": wish.assume_role_arn}
    return {**request, "uri": absolute(wish.address), "use_http_11": wish.use_http_11}


def absolute(address: str) -> str:
    """A URL from what people type: `9080`, `:9080`, `localhost:9080`, `http://…`."""
    if address.lstrip(":").isdigit():
        address = f"localhost:{address.lstrip(':')}"
    if "://" not in address:
        address = f"http://{address}"
    if not re.match(r"https?://[^\s/?#]+(/[^\s]*)?$", address):
        raise Misuse(
            f"'{address}' is no address of a service",
            expected="http://host:port, host:port, a port, or a Lambda ARN",
        )
    return address if address.count("/") > 2 else f"{address}/"


async def _tried(client: Client, request: dict[str, Any]) -> Registration:
    from rtour.client import Conflict, ServerFailed  # noqa: PLC0415

    try:
        return await client.admin.register(request)
    except Conflict as error:
        raise CliError(
            f"breaking change: {error}",
            expected="each service keeps its type",
            hint="--breaking registers it all the same; calls in flight may fail",
            exit_code=ExitCode.CONFLICT,
        ) from error
    except ServerFailed as error:
        where = request.get("uri") or request["arn"]
        raise CliError(
            f"the server cannot use {where}: {error}",
            expected="a running Restate service that the server can reach",
            hint=f"is it serving? rtour doctor {where}",
        ) from error


def _changes(
    planned: Registration, registered: Registration, before: dict[str, Service]
) -> list[Record]:
    revisions = {service.name: service.revision for service in registered.services}
    rows = []
    for service in sorted(planned.services, key=lambda each: each.name):
        old = before.get(service.name)
        rows.append(
            {
                "service": service.name,
                "type": service.ty,
                "revision": revisions.get(service.name, service.revision),
                "change": "added" if old is None else f"updated from {old.revision}",
                "handlers": _handlers(service, old),
            }
        )
    return rows


def _handlers(service: Service, old: Service | None) -> list[str]:
    """Names; `+` is new, `-` is gone."""
    names = {handler.name for handler in service.handlers}
    known = {handler.name for handler in old.handlers} if old else names
    marks = {**dict.fromkeys(names | known, ""), **dict.fromkeys(names - known, "+")}
    marks |= dict.fromkeys(known - names, "-")
    return [f"{mark}{name}" for name, mark in sorted(marks.items())]


def _told(changes: list[Record]) -> list[str]:
    return [
        f"  {each['service']} ({each['type']}): {each['change']}; {', '.join(each['handlers'])}"
        for each in changes
    ]


def _print(
    session: Session, registration: Registration, services: list[Record], result: str
) -> None:
    if result == "unchanged":
        services = [{**each, "change": "unchanged"} for each in services]
    record: Record = {
        "id": registration.id,
        "result": result,
        "sdk_version": registration.sdk_version,
        "min_protocol_version": registration.min_protocol_version,
        "max_protocol_version": registration.max_protocol_version,
        "services": services,
    }
    blocks: list[Block] = [
        Heading(f"Deployment {registration.id}: {result}"),
        Fields((("SDK", registration.sdk_version or ""),)),
        Grid(CHANGES, tuple(services)),
    ]
    session.emit(document(session.look, record, lambda: blocks))
    if result == "registered" and session.format is Format.TABLE:
        session.note("next: rtour services list, rtour call SERVICE/HANDLER JSON")

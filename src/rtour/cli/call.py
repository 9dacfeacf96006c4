"""`rtour call` and `rtour send`: invoke a handler from the terminal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from rtour.cli.arguments import body as body_of
from rtour.cli.arguments import checked_json, pairs
from rtour.cli.completing import targets
from rtour.cli.diagnostics import CliError, ExitCode, Misuse
from rtour.cli.output import Column, item
from rtour.cli.session import Session, session_of
from rtour.cli.tree import Format, examples
from rtour.cli.waiting import emit_reply

if TYPE_CHECKING:
    from rtour.client import Client, Target
    from rtour.client.model import Handler, Service

TargetText = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="Service/handler, Object/key/handler or Workflow/key/handler.",
        autocompletion=targets,
    ),
]
Body = Annotated[
    str | None, typer.Argument(metavar="[JSON]", help="The input; @FILE, or - for stdin.")
]
Header = Annotated[
    list[str] | None, typer.Option("-H", "--header", metavar="NAME=VALUE", help="Sent along.")
]
IdempotencyKey = Annotated[
    str | None,
    typer.Option("--idempotency-key", metavar="KEY", help="Once per key, however often called."),
]
ContentType = Annotated[
    str | None, typer.Option("--content-type", metavar="MIME", help="Input as it is, unchecked.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the request, and stop.")]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the user typed."""

    target: str
    body: str | None
    headers: tuple[str, ...]
    idempotency_key: str | None
    content_type: str | None
    dry_run: bool


@examples(
    """rtour call Greeter/greet '"Ada"'
rtour call CartObject/Mary/addTicket '"seat2B"' --idempotency-key k1
echo '{"n": 1}' | rtour call Service/handler - -o json"""
)
def call(
    ctx: typer.Context,
    target: TargetText,
    body: Body = None,
    header: Header = None,
    idempotency_key: IdempotencyKey = None,
    content_type: ContentType = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="Give up then (124).")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Invokes a handler, waits, and prints its result.

    Ends with 6 if the handler failed for good, with 124 after --timeout; either way, or after
    ctrl-C, the invocation itself goes on at the server.
    """
    request = Request(
        target=target,
        body=body,
        headers=tuple(header or ()),
        idempotency_key=idempotency_key,
        content_type=content_type,
        dry_run=dry_run,
    )
    session = session_of(ctx)
    session.run(lambda client: _call(session, client, request, timeout), admin=False)


@examples(
    """rtour send Greeter/greet '"Ada"'
rtour send CartObject/Mary/expireTicket '"seat2B"' --delay 15m
rtour inv attach $(rtour send Greeter/greet '"Ada"' -o text --columns invocation-id)"""
)
def send(
    ctx: typer.Context,
    target: TargetText,
    body: Body = None,
    delay: Annotated[
        str | None, typer.Option("--delay", metavar="DURATION", help="Such as 10s, 15m, PT1H.")
    ] = None,
    header: Header = None,
    idempotency_key: IdempotencyKey = None,
    content_type: ContentType = None,
    dry_run: DryRun = False,
) -> None:
    """Invokes a handler without waiting, now or after a delay, and prints the invocation's id."""
    request = Request(
        target=target,
        body=body,
        headers=tuple(header or ()),
        idempotency_key=idempotency_key,
        content_type=content_type,
        dry_run=dry_run,
    )
    session = session_of(ctx)
    session.run(lambda client: _send(session, client, request, delay), admin=False)


async def _call(
    session: Session, client: Client, request: Request, timeout_s: float | None
) -> None:
    from rtour.client import TimedOut  # noqa: PLC0415

    target, raw, headers = await _prepare(session, client, request)
    if request.dry_run:
        _plan(session, client, target.path, raw, headers)
        return
    look = f"rtour invocations list --service {target.service} --handler {target.handler}"
    try:
        with session.progress(f"calling {target}"):
            reply = await client.ingress.call(target, raw, headers=headers, timeout_s=timeout_s)
    except TimedOut as error:
        raise CliError(
            f"no result of {target} after {timeout_s:g}s; the invocation goes on",
            hint=look,
            exit_code=ExitCode.TIMEOUT,
        ) from error
    except asyncio.CancelledError:
        session.note(f"the invocation goes on; find it with: {look}")
        raise
    session.note(f"{reply.invocation_id} succeeded")
    emit_reply(session, reply)


async def _send(session: Session, client: Client, request: Request, delay: str | None) -> None:
    target, raw, headers = await _prepare(session, client, request)
    if request.dry_run:
        path = f"{target.path}/send" + (f"?delay={delay}" if delay else "")
        _plan(session, client, path, raw, headers)
        return
    sent = await client.ingress.send(target, raw, headers=headers, delay=delay)
    columns = (
        Column("invocation_id", "INVOCATION"),
        Column("status", "STATUS"),
        Column("execution_time", "STARTS"),
    )
    session.emit(item(session.look, columns, msgspec.structs.asdict(sent)))
    if session.format is Format.TABLE:
        session.note(f"next: rtour invocations attach {sent.invocation_id}")


def _plan(
    session: Session, client: Client, path: str, raw: bytes | None, headers: dict[str, str]
) -> None:
    url = f"{client.connection.ingress_url}{path}"
    record: dict[str, Any] = {
        "method": "POST",
        "url": url,
        "headers": headers,
        "body": (raw or b"").decode("utf-8", "backslashreplace"),
    }
    session.emit(item(session.look, [Column(key, key.upper()) for key in record], record))


async def _prepare(
    session: Session, client: Client, request: Request
) -> tuple[Target, bytes | None, dict[str, str]]:
    """Target, body and headers, checked against what the server knows of the handler."""
    raw = body_of(session, request.body)
    service = await _service(session, client, request.target)
    target = parse_target(request.target, service)
    handler = service.handler(target.handler) if service else None
    if service and handler is None:
        names = ", ".join(each.name for each in service.handlers)
        raise CliError(
            f"{service.name} has no handler '{target.handler}'",
            expected=f"one of {names}",
            exit_code=ExitCode.NOT_FOUND,
        )
    headers = pairs(request.headers, "--header")
    if request.idempotency_key is not None:
        headers["idempotency-key"] = request.idempotency_key
    if raw is None:
        _check_missing(handler, target)
        return target, None, headers
    if request.content_type:
        return target, raw, {**headers, "content-type": request.content_type}
    if handler and handler.input_description == "none":
        raise Misuse(f"{target} takes no input", hint=f"rtour call {target}")
    return target, checked_json(raw, "the input"), {**headers, "content-type": "application/json"}


async def _service(session: Session, client: Client, text: str) -> Service | None:
    """What the admin API knows; a call also works where only the ingress can be reached."""
    from rtour.client import ClientError, NotFound  # noqa: PLC0415

    name = text.split("/", 1)[0]
    try:
        return await client.admin.service(name)
    except NotFound as error:
        known = ", ".join(each.name for each in await client.admin.services())
        raise CliError(
            f"no service '{name}'",
            expected=f"one of {known}" if known else "a registered deployment",
            hint="rtour deployments register URL",
            exit_code=ExitCode.NOT_FOUND,
        ) from error
    except ClientError as error:
        session.note(f"the admin API says nothing about {name}, calling all the same: {error}")
        return None


def parse_target(text: str, service: Service | None) -> Target:
    """A key may hold slashes: the first segment is the service, the last the handler."""
    from rtour.client import Target  # noqa: PLC0415

    name, slash, rest = text.partition("/")
    if not name or not slash or not rest:
        raise Misuse(f"'{text}' is no target", expected="Service/handler or Object/key/handler")
    key, keyed, handler = rest.rpartition("/")
    if service is not None and service.keyed and not keyed:
        raise Misuse(f"{name} is a {service.ty} and needs a key", expected=f"{name}/KEY/{handler}")
    if service is not None and not service.keyed and keyed:
        raise Misuse(f"{name} is a plain service and takes no key", expected=f"{name}/{handler}")
    return Target(name, handler, key if keyed else None)


def _check_missing(handler: Handler | None, target: Target) -> None:
    """The server takes an absent body for None, which handlers that want a value trip over."""
    if handler is None or handler.input_description == "none":
        return
    raise Misuse(
        f"{target} wants an input: {handler.input_description}",
        hint=f"rtour call {target} JSON",
    )

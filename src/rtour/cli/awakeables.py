"""`rtour awakeables`: give an invocation what it waits for."""

from __future__ import annotations

from typing import Annotated

import typer

from rtour import ids
from rtour.cli.arguments import DryRun, body, checked_json
from rtour.cli.diagnostics import Misuse
from rtour.cli.output import Column, item
from rtour.cli.session import Session, session_of
from rtour.cli.tree import noun, verb
from rtour.errors import InvalidId

app = noun("Awakeables: complete what an invocation waits for. `rtour why` shows their ids.")

Id = Annotated[str, typer.Argument(metavar="ID", help="An awakeable: sign_1…")]
COLUMNS = (
    Column("id", "AWAKEABLE"),
    Column("invocation_id", "INVOCATION"),
    Column("result", "RESULT"),
)


@verb(
    app,
    "resolve",
    """rtour awakeables resolve sign_1sp… '"approved"'
rtour awakeables resolve sign_1sp… @answer.json""",
)
def resolve(
    ctx: typer.Context,
    awakeable_id: Id,
    value: Annotated[
        str | None, typer.Argument(metavar="[JSON]", help="The value; @FILE, or - for stdin.")
    ] = None,
    content_type: Annotated[
        str | None, typer.Option("--content-type", metavar="MIME", help="Value as it is.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Completes an awakeable with a value; without one, with nothing.

    The server takes this even when the awakeable was completed before; the first answer counts.
    """
    session = session_of(ctx)
    _check(awakeable_id)
    raw = body(session, value)
    if raw is not None and content_type is None:
        raw = checked_json(raw, "the value")
    if not dry_run:
        session.run(
            lambda client: client.ingress.resolve_awakeable(
                awakeable_id, raw or b"", content_type or "application/json"
            ),
            admin=False,
        )
    _done(session, awakeable_id, "resolved", dry_run)


@verb(app, "reject", "rtour awakeables reject sign_1sp… 'not this quarter'")
def reject(
    ctx: typer.Context,
    awakeable_id: Id,
    reason: Annotated[str, typer.Argument(metavar="REASON")],
    dry_run: DryRun = False,
) -> None:
    """Completes an awakeable with a failure, which the handler sees as a terminal error."""
    session = session_of(ctx)
    _check(awakeable_id)
    if not dry_run:
        session.run(
            lambda client: client.ingress.reject_awakeable(awakeable_id, reason), admin=False
        )
    _done(session, awakeable_id, "rejected", dry_run)


def _check(awakeable_id: str) -> None:
    try:
        ids.parse_awakeable_id(awakeable_id)
    except InvalidId as error:
        raise Misuse(
            f"'{awakeable_id}' is no awakeable id: {error}",
            expected="sign_1…, as the handler got it",
            hint="rtour why INVOCATION shows what it waits for",
        ) from error


def _done(session: Session, awakeable_id: str, result: str, dry_run: bool) -> None:
    invocation_id, _ = ids.parse_awakeable_id(awakeable_id)
    told = f"would be {result}" if dry_run else result
    record = {"id": awakeable_id, "invocation_id": invocation_id, "result": told}
    session.emit(item(session.look, COLUMNS, record))

"""`rtour trace`: what happened when, as bars over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rtour.cli.arguments import invocation_id as checked
from rtour.cli.completing import invocation_ids
from rtour.cli.describing import found
from rtour.cli.output import Column, record_of, table
from rtour.cli.session import Session, session_of
from rtour.cli.tree import Format, examples

if TYPE_CHECKING:
    from rtour.client import Client
    from rtour.client.model import Invocation

COLUMNS = (
    Column("kind", "KIND"),
    Column("name", "NAME"),
    Column("start_at", "START"),
    Column("took_ms", "MS"),
    Column("status", "STATUS"),
    Column("message", "MESSAGE", fold=True),
    Column("invocation_id", "INVOCATION"),
)


@examples("rtour trace inv_1fm…\nrtour trace inv_1fm… -w\nrtour trace inv_1fm… -o json")
def trace(
    ctx: typer.Context,
    invocation_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="An invocation: inv_1…", autocompletion=invocation_ids),
    ],
    sends: Annotated[bool, typer.Option("--sends", help="Follow one-way calls, too.")] = False,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Draw again every second.")] = False,
) -> None:
    """Draws the trace of an invocation: its commands and callees as bars over time.

    From what the server has stored: no collector is needed, and no tracing. A one-way call begins a
    trace of its own, as everywhere; --sends draws it here.
    """
    session = session_of(ctx)
    checked(invocation_id)

    async def view(client: Client) -> str:
        from rtour.client.story import story_of  # noqa: PLC0415
        from rtour.client.trace import spans_of  # noqa: PLC0415

        invocation = await found(client, invocation_id)
        spans = spans_of(await story_of(client.query, invocation, nested=True), sends=sends)
        _say_more(session, invocation)
        look, now = session.look, session.look.now()
        if look.format is Format.TABLE and not look.columns:
            from rtour.cli.trace_drawing import drawn  # noqa: PLC0415

            return drawn(look, invocation, spans, now)
        records = [
            record_of(span, took_ms=round(span.took(now).total_seconds() * 1000)) for span in spans
        ]
        return table(look, COLUMNS, records)

    session.show(view, watch=watch)


def _say_more(session: Session, invocation: Invocation) -> None:
    """What is not in the picture: the caller's part, and a journal that is gone."""
    if session.format is not Format.TABLE:
        return
    if invocation.invoked_by_id:
        session.note_afterwards(
            f"called by {invocation.invoked_by_target}: rtour trace {invocation.invoked_by_id}"
        )
    if invocation.done and not invocation.journal_size:
        session.note_afterwards("its journal is no longer kept, so its commands are not shown")

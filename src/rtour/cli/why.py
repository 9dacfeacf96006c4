"""`rtour why`: one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rtour.cli.arguments import invocation_id as checked
from rtour.cli.completing import invocation_ids
from rtour.cli.describing import found
from rtour.cli.output import Node, document
from rtour.cli.session import session_of
from rtour.cli.tree import Format, examples

if TYPE_CHECKING:
    from rtour.client import Client


@examples("rtour why inv_1fm…\nrtour why inv_1fm… -o json")
def why(
    ctx: typer.Context,
    invocation_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="An invocation: inv_1…", autocompletion=invocation_ids),
    ],
) -> None:
    """Says in one sentence why an invocation is not finished, from data.

    Follows locks to the invocation that is really to blame, calls to the callee, suspensions to
    the sleep, promise or awakeable that is awaited. Stderr names the command that helps.
    """
    session = session_of(ctx)
    checked(invocation_id)

    async def view(client: Client) -> str:
        from rtour.client.why import explain  # noqa: PLC0415

        invocation = await found(client, invocation_id)
        reason = await explain(client.query, invocation, session.look.now())
        record = {
            "id": invocation.id,
            "status": invocation.status,
            "why": reason.sentence,
            "next": reason.next,
            "blamed": reason.blamed,
        }
        if session.format is Format.TABLE and reason.next:
            session.note(f"next: {reason.next}")
        return document(session.look, record, lambda: [Node((reason.sentence,))])

    session.emit(session.run(view))

"""`rtour sql`: SQL over the server's tables; without a query, a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from rtour.cli.arguments import Every, Watch
from rtour.cli.diagnostics import Misuse
from rtour.cli.output import Column, Look, Record, table
from rtour.cli.session import session_of
from rtour.cli.tree import Format, examples
from rtour.cli.wording import plural

if TYPE_CHECKING:
    from rtour.client import Client


@examples(
    """rtour sql "SELECT id, target FROM sys_invocation WHERE status = 'running'"
rtour sql - -o jsonl < query.sql
rtour sql"""
)
def sql(
    ctx: typer.Context,
    query: Annotated[
        str | None, typer.Argument(metavar="[QUERY]", help="One statement; - for stdin.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Same as -o json.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", "--ldjson", help="Same as -o jsonl.")] = False,
    watch: Watch = False,
    interval: Every = 1.0,
) -> None:
    """Runs a SELECT and shows the rows; without a query on a terminal, opens a shell.

    Tables: sys_invocation, sys_journal, sys_journal_events, sys_inbox, sys_keyed_service_status,
    sys_promise, sys_service, sys_deployment, state. The shell completes their names and columns.
    """
    session = session_of(ctx)
    if json or jsonl:
        chosen = Format.JSON if json else Format.JSONL
        session.look = msgspec.structs.replace(session.look, format=chosen)
    if query is None and session.world.stdin.isatty():
        from rtour.cli.sql_shell import shell  # noqa: PLC0415 - loads readline

        shell(session)
        return
    if query is None or query == "-":
        query = session.read_stdin().decode("utf-8", "replace")
    text = query.strip()
    if not text:
        raise Misuse("no query", expected="one SQL statement as argument or on stdin")

    async def view(client: Client) -> str:
        rows = await client.query.rows(text)
        if not watch:
            session.note_afterwards(plural(len(rows), "row"))
        return rows_text(session.look, rows)

    session.show(view, watch=watch, every_s=interval)


def rows_text(look: Look, rows: list[Record]) -> str:
    """Rows as they came, with the columns that any of them has: the server leaves out NULLs."""
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    return table(look, [Column(name, name.upper(), fold=True) for name in names], rows)

"""`rtour vqueues`: the queues of flow control, on servers that have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rtour.cli.arguments import Every, Watch
from rtour.cli.diagnostics import CliError, ExitCode
from rtour.cli.output import Block, Column, Fields, Grid, Heading, Record, document
from rtour.cli.session import session_of
from rtour.cli.tree import noun, verb
from rtour.client.query import quote, select

if TYPE_CHECKING:
    from rtour.client import Client

app = noun("Virtual queues: what flow control lets run, holds back, and has finished.")

META = (
    "id, is_active, queue_is_paused, service_name, scope, limit_key, lock_name, created_at,"
    " last_enqueued_at, last_start_at, last_attempt_at, last_finish_at, num_inbox, num_running,"
    " num_suspended, num_paused, num_finished"
)
ENTRIES = "entry_id, stage, status, has_lock, run_at, created_at, num_attempts"
COLUMNS = (
    Column("id", "ID"),
    Column("service_name", "SERVICE"),
    Column("scope", "SCOPE", fold=True),
    Column("limit_key", "LIMIT KEY", fold=True),
    Column("num_inbox", "INBOX"),
    Column("num_running", "RUNNING"),
    Column("num_suspended", "SUSPENDED"),
    Column("num_paused", "PAUSED"),
    Column("num_finished", "FINISHED"),
    Column("queue_is_paused", "PAUSED QUEUE"),
)
ENTRY_COLUMNS = (
    Column("entry_id", "ENTRY"),
    Column("stage", "STAGE"),
    Column("status", "STATUS"),
    Column("has_lock", "HAS LOCK"),
    Column("num_attempts", "ATTEMPTS"),
    Column("created_at", "CREATED"),
)
Limit = Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")]


@verb(app, "list", "rtour vqueues list\nrtour vqueues list -w")
def list_(
    ctx: typer.Context, limit: Limit = 100, watch: Watch = False, interval: Every = 1.0
) -> None:
    """Lists virtual queues with what is in them."""
    session = session_of(ctx)

    async def view(client: Client) -> str:
        rows = await client.query.rows(select(META, "sys_vqueue_meta", limit=limit))
        records = [_whole(row, META) for row in rows]
        return session.listed(COLUMNS, records, empty="no virtual queues")

    session.show(view, watch=watch, every_s=interval)


@verb(app, "describe", "rtour vqueues describe vq_1…")
def describe(
    ctx: typer.Context,
    queue_id: Annotated[str, typer.Argument(metavar="ID")],
    limit: Limit = 100,
    newest_first: Annotated[bool, typer.Option("--newest-first", help="Reverse order.")] = False,
) -> None:
    """Shows a virtual queue and its entries."""
    session = session_of(ctx)

    async def view(client: Client) -> str:
        named = [f"id = {quote(queue_id)}"]
        found = await client.query.rows(select(META, "sys_vqueue_meta", named, limit=1))
        if not found:
            raise CliError(
                f"no virtual queue {queue_id}",
                hint="rtour vqueues list",
                exit_code=ExitCode.NOT_FOUND,
            )
        order = f"sequence_number {'DESC' if newest_first else 'ASC'}"
        rows = await client.query.rows(select(ENTRIES, "sys_vqueues", named, order, limit))
        entries = [_whole(row, ENTRIES) for row in rows]
        record = {**_whole(found[0], META), "entries": entries}
        return document(session.look, record, lambda: _blocks(record))

    session.show(view)


def _whole(row: Record, columns: str) -> Record:
    """A row with all its columns: the server leaves out NULLs."""
    return {name.strip(): row.get(name.strip()) for name in columns.split(",")}


def _blocks(record: Record) -> list[Block]:
    labels = [name for name in record if name not in ("id", "entries")]
    fields = [(name.replace("_", " ").capitalize(), str(record[name] or "")) for name in labels]
    return [
        Heading(f"Virtual queue {record['id']}"),
        Fields(tuple(fields)),
        Heading("Entries"),
        Grid(ENTRY_COLUMNS, tuple(record["entries"])),
    ]

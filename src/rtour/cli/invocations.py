"""`rtour invocations`: what ran, runs, waits, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rtour.cli.arguments import Every, Watch, listed
from rtour.cli.arguments import invocation_id as checked
from rtour.cli.completing import deployment_ids, invocation_ids, services
from rtour.cli.invocation_table import COLUMNS
from rtour.cli.operations import add_operations
from rtour.cli.output import record_of
from rtour.cli.selecting import Filters
from rtour.cli.session import Session, session_of
from rtour.cli.tree import noun, verb

if TYPE_CHECKING:
    from rtour.client import Client

app = noun("Invocations: list, look into, stop, resume, wait for.")

Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="An invocation: inv_1…", autocompletion=invocation_ids),
]
Timeout = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", help="Give up then (exit 124).")
]


@verb(
    app,
    "list",
    """rtour invocations list
rtour inv ls --service CartObject --status backing-off,paused -w
rtour inv ls --status paused -o jsonl | rtour inv resume - --yes""",
)
def list_(
    ctx: typer.Context,
    service: Annotated[
        list[str] | None, typer.Option("--service", metavar="A,B", autocompletion=services)
    ] = None,
    handler: Annotated[list[str] | None, typer.Option("--handler", metavar="A,B")] = None,
    key: Annotated[list[str] | None, typer.Option("--key", metavar="A,B")] = None,
    deployment: Annotated[
        list[str] | None,
        typer.Option("--deployment", "--dp", metavar="ID,ID", autocompletion=deployment_ids),
    ] = None,
    status: Annotated[
        list[str] | None, typer.Option("--status", metavar="A,B", help="Such as running,paused.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Completed ones too.")] = False,
    completion_result: Annotated[
        str | None, typer.Option("--completion-result", metavar="success|failure")
    ] = None,
    virtual_objects_only: Annotated[
        bool, typer.Option("--virtual-objects-only", help="Only virtual objects.")
    ] = False,
    zombie: Annotated[
        bool, typer.Option("--zombie", help="Those whose deployment is gone.")
    ] = False,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Reverse order.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N")] = 100,
    watch: Watch = False,
    interval: Every = 1.0,
) -> None:
    """Lists invocations, newest first; without a filter, those that are not finished."""
    filters = Filters(
        services=listed(service),
        handlers=listed(handler),
        keys=listed(key),
        deployments=listed(deployment),
        statuses=listed(status),
        all=all_,
        completion_result=completion_result,
        virtual_objects_only=virtual_objects_only,
        zombie=zombie,
    )
    _list(session_of(ctx), filters, limit, oldest_first, watch=watch, interval=interval)


def _list(
    session: Session,
    filters: Filters,
    limit: int,
    oldest_first: bool = False,
    *,
    watch: bool,
    interval: float,
) -> None:
    conditions = filters.conditions()

    async def view(client: Client) -> str:
        found = await client.query.invocations(conditions, limit=limit, oldest_first=oldest_first)
        if found and not watch:
            total = len(found)
            if total == limit:
                total = await client.query.count("sys_invocation inv", conditions)
            session.note_afterwards(f"showing {len(found)} of {total}")
        records = [record_of(each) for each in found]
        return session.listed(COLUMNS, records, empty="no invocations match")

    session.show(view, watch=watch, every_s=interval)


@verb(app, "describe", "rtour invocations describe inv_1fm…\nrtour inv get -w inv_1fm…")
def describe(
    ctx: typer.Context,
    invocation_id: Id,
    raw: Annotated[
        bool, typer.Option("--raw", help="All journal rows, notifications too.")
    ] = False,
    no_children: Annotated[
        bool, typer.Option("--no-children", help="Without the journals of calls.")
    ] = False,
    watch: Watch = False,
    interval: Every = 1.0,
) -> None:
    """Shows an invocation and its journal as a tree.

    Entries with their values and results, failed attempts beside the entries after which they
    happened, what it waits for now, and the journals of the invocations it called.
    """
    session = session_of(ctx)
    checked(invocation_id)

    async def view(client: Client) -> str:
        from rtour.cli.describing import describe_invocation  # noqa: PLC0415

        return await describe_invocation(
            session.look, client, invocation_id, raw=raw, nested=not no_children
        )

    session.show(view, watch=watch, every_s=interval)


@verb(app, "tree", "rtour invocations tree inv_1fm…\nrtour inv tree inv_1fm… --from-root")
def tree(
    ctx: typer.Context,
    invocation_id: Id,
    from_root: Annotated[
        bool, typer.Option("--from-root", help="Start at the first caller.")
    ] = False,
    watch: Watch = False,
    interval: Every = 1.0,
) -> None:
    """Shows who called whom, with each one's status."""
    session = session_of(ctx)
    checked(invocation_id)

    async def view(client: Client) -> str:
        from rtour.cli.describing import tree_of  # noqa: PLC0415

        return await tree_of(session.look, client, invocation_id, from_root=from_root)

    session.show(view, watch=watch, every_s=interval)


@verb(app, "watch", "rtour invocations watch\nrtour inv watch inv_1fm…\nrtour inv watch CartObject")
def watch_(
    ctx: typer.Context,
    what: Annotated[
        str | None, typer.Argument(metavar="[ID|SERVICE]", help="One invocation, or one service.")
    ] = None,
    interval: Every = 1.0,
) -> None:
    """Follows unfinished invocations, or one invocation's journal, until ctrl-C."""
    session = session_of(ctx)
    if what is not None and what.startswith("inv_"):
        checked(what)

        async def view(client: Client) -> str:
            from rtour.cli.describing import describe_invocation  # noqa: PLC0415

            return await describe_invocation(session.look, client, what, raw=False, nested=True)

        session.show(view, watch=True, every_s=interval)
        return
    filters = Filters(services=[what] if what else [])
    _list(session, filters, 100, watch=True, interval=interval)


@verb(app, "attach", "rtour invocations attach inv_1fm…\nrtour inv attach inv_1fm… --timeout 30")
def attach(ctx: typer.Context, invocation_id: Id, timeout: Timeout = None) -> None:
    """Waits for an invocation and prints its result.

    Ends with 6 if the invocation failed. The server must keep its result: it does for calls with
    an idempotency key, for workflows, and on Restate 1.7 for all calls from outside.
    """
    from rtour.cli.waiting import attach_to  # noqa: PLC0415

    session = session_of(ctx)
    checked(invocation_id)
    session.run(lambda client: attach_to(session, client, invocation_id, timeout))


@verb(app, "wait", "rtour invocations wait inv_1fm…\nrtour inv ls -o jsonl | rtour inv wait -")
def wait(
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="ID|-...", help="Invocations.", autocompletion=invocation_ids),
    ],
    timeout: Timeout = None,
    interval: Every = 0.5,
) -> None:
    """Waits until all of them are finished, and prints how each ended.

    Ends with 6 if one of them failed.
    """
    from rtour.cli.waiting import wait_for  # noqa: PLC0415

    session = session_of(ctx)
    session.run(lambda client: wait_for(session, client, words, timeout, interval))


add_operations(app)

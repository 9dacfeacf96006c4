"""`rtour invocations cancel | kill | purge | pause | resume | restart-as-new`."""

from __future__ import annotations

from typing import Annotated

import typer

from rtour.cli.arguments import DryRun
from rtour.cli.completing import invocation_ids
from rtour.cli.session import session_of
from rtour.cli.tree import verb

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="QUERY...",
        help="Ids, `-` for ids on stdin, Service, Service/handler, Object/key[/handler].",
        autocompletion=invocation_ids,
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")]


def add_operations(app: typer.Typer) -> None:
    """Adds the commands to the noun."""
    verb(app, "cancel", _examples("cancel") + "\nrtour inv cancel --kill inv_1fm… --yes")(cancel)
    verb(app, "kill", _examples("kill"))(kill)
    verb(app, "purge", _examples("purge"))(purge)
    verb(app, "pause", _examples("pause"))(pause)
    verb(app, "resume", _examples("resume") + "\nrtour inv resume inv_1fm… --deployment latest")(
        resume
    )
    verb(app, "restart-as-new", _examples("restart-as-new"))(restart)


def cancel(
    ctx: typer.Context,
    query: Words,
    kill: Annotated[bool, typer.Option("--kill", help="Without running compensations.")] = False,
    limit: Limit = 500,
    dry_run: DryRun = False,
) -> None:
    """Cancels invocations: the handler is told, can compensate, and ends with 409."""
    _order(ctx, "kill" if kill else "cancel", query, limit, dry_run)


def kill(ctx: typer.Context, query: Words, limit: Limit = 500, dry_run: DryRun = False) -> None:
    """Ends invocations at once; their handlers get no chance to compensate."""
    _order(ctx, "kill", query, limit, dry_run)


def purge(ctx: typer.Context, query: Words, limit: Limit = 500, dry_run: DryRun = False) -> None:
    """Forgets completed invocations: results, journals, idempotency keys."""
    _order(ctx, "purge", query, limit, dry_run)


def pause(ctx: typer.Context, query: Words, limit: Limit = 500, dry_run: DryRun = False) -> None:
    """Stops retrying, once the attempt at hand ends; resume goes on from there."""
    _order(ctx, "pause", query, limit, dry_run)


def resume(
    ctx: typer.Context,
    query: Words,
    deployment: Annotated[
        str | None,
        typer.Option("--deployment", metavar="keep|latest|ID", help="Where it goes on."),
    ] = None,
    limit: Limit = 500,
    dry_run: DryRun = False,
) -> None:
    """Resumes paused invocations, and retries at once those that back off."""
    params = {"deployment": deployment} if deployment else {}
    _order(ctx, "resume", query, limit, dry_run, params)


def restart(
    ctx: typer.Context,
    query: Words,
    from_entry: Annotated[
        int | None, typer.Option("--from", metavar="N", help="Keep the journal before entry N.")
    ] = None,
    deployment: Annotated[
        str | None,
        typer.Option("--deployment", metavar="keep|latest|ID", help="Where it runs."),
    ] = None,
    limit: Limit = 500,
    dry_run: DryRun = False,
) -> None:
    """Runs completed invocations again, each as a new one with the same input."""
    params = {"deployment": deployment} if deployment else {}
    if from_entry is not None:
        params["from"] = str(from_entry)
    _order(ctx, "restart-as-new", query, limit, dry_run, params)


def _order(
    ctx: typer.Context,
    operation: str,
    query: list[str],
    limit: int,
    dry_run: bool,
    params: dict[str, str] | None = None,
) -> None:
    from rtour.cli.operating import Order, operate  # noqa: PLC0415
    from rtour.client.operations import OPERATIONS  # noqa: PLC0415

    session = session_of(ctx)
    order = Order(
        operation=OPERATIONS[operation],
        words=tuple(query),
        limit=limit,
        dry_run=dry_run,
        params=params or {},
    )
    session.run(lambda client: operate(session, client, order))


def _examples(name: str) -> str:
    return (
        f"rtour invocations {name} inv_1fm…\n"
        f"rtour inv {name} CartObject/Mary --dry-run\n"
        f"rtour inv ls --service CartObject --all -o jsonl | rtour inv {name} - --yes"
    )

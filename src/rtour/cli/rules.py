"""`rtour rules`: how many invocations may run at once, by scope and limit key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from rtour.cli.arguments import DryRun
from rtour.cli.diagnostics import CliError, ExitCode, Misuse
from rtour.cli.output import Column, Record, item, record_of
from rtour.cli.session import Session, session_of
from rtour.cli.tree import noun, verb

if TYPE_CHECKING:
    from rtour.client import Client
    from rtour.client.model import Rule

app = noun("Flow control rules: limits for scopes and limit keys, by pattern.")

Pattern = Annotated[
    str, typer.Argument(metavar="PATTERN", help="Such as '*', 'scope/*', 'scope/key'.")
]
COLUMNS = (
    Column("pattern", "PATTERN", fold=True),
    Column("concurrency", "CONCURRENCY", lambda r, _: _limit(r["concurrency"])),
    Column("disabled", "DISABLED"),
    Column("version", "VERSION"),
    Column("last_modified", "MODIFIED"),
    Column("description", "DESCRIPTION", fold=True),
)


@verb(app, "list", "rtour rules list\nrtour rule ls -o json")
def list_(
    ctx: typer.Context, extra: Annotated[bool, typer.Option("-x", hidden=True)] = False
) -> None:
    """Lists all rules."""
    del extra  # the official CLI's flag: here everything is always shown
    session = session_of(ctx)

    async def view(client: Client) -> str:
        found = await client.query.rules()
        return session.listed(COLUMNS, [record_of(each) for each in found], empty="no rules")

    session.show(view)


@verb(
    app,
    "set",
    """rtour rules set 'tickets/*' --concurrency 10
rtour rules set '*' --unlimited --description 'no limit by default' --yes""",
)
def set_(
    ctx: typer.Context,
    pattern: Pattern,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, metavar="N", help="At most so many.")
    ] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="As many as like.")] = False,
    description: Annotated[str | None, typer.Option("--description", metavar="TEXT")] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Keep it, do not apply it.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Makes or changes a rule."""
    if (concurrency is None) is not unlimited:
        raise Misuse("a rule needs one limit", expected="--concurrency N or --unlimited")
    session = session_of(ctx)

    async def change(client: Client) -> None:
        before = await _find(client, pattern)
        wanted = {
            "pattern": pattern,
            "limits": {"concurrency": concurrency},
            "description": description or (before.description if before else None),
            "disabled": disabled,
        }
        await _write(session, client, before, wanted, dry_run)

    session.run(change)


@verb(app, "enable", "rtour rules enable 'tickets/*'")
def enable(ctx: typer.Context, pattern: Pattern, dry_run: DryRun = False) -> None:
    """Applies a rule again."""
    _switch(session_of(ctx), pattern, disabled=False, dry_run=dry_run)


@verb(app, "disable", "rtour rules disable 'tickets/*' --yes")
def disable(ctx: typer.Context, pattern: Pattern, dry_run: DryRun = False) -> None:
    """Keeps a rule without applying it."""
    _switch(session_of(ctx), pattern, disabled=True, dry_run=dry_run)


@verb(app, "delete", "rtour rules delete 'tickets/*' --yes")
def delete(ctx: typer.Context, pattern: Pattern, dry_run: DryRun = False) -> None:
    """Forgets a rule."""
    session = session_of(ctx)

    async def forget(client: Client) -> Record:
        found = await _known(client, pattern)
        session.note(f"  {found.pattern}: {_limit(found.concurrency)}")
        if not dry_run:
            session.confirm(f"Delete the rule {pattern}?")
            await client.admin.delete_rule(pattern, found.version)
        return {"pattern": pattern, "deleted": not dry_run}

    columns = (COLUMNS[0], Column("deleted", "DELETED"))
    session.emit(item(session.look, columns, session.run(forget)))


def _switch(session: Session, pattern: str, *, disabled: bool, dry_run: bool) -> None:
    async def change(client: Client) -> None:
        before = await _known(client, pattern)
        wanted = {
            "pattern": pattern,
            "limits": {"concurrency": before.concurrency},
            "description": before.description,
            "disabled": disabled,
        }
        await _write(session, client, before, wanted, dry_run)

    session.run(change)


async def _write(
    session: Session, client: Client, before: Rule | None, wanted: dict[str, Any], dry_run: bool
) -> None:
    """Shows, asks, and writes only if nobody else did so meanwhile."""
    after = {
        "pattern": wanted["pattern"],
        "concurrency": wanted["limits"]["concurrency"],
        "disabled": wanted["disabled"],
        "description": wanted["description"],
    }
    was = "unset" if before is None else _told(msgspec.structs.asdict(before))
    session.note(f"  {after['pattern']}: {was} -> {_told(after)}")
    if not dry_run:
        session.confirm(f"Write the rule {after['pattern']}?")
        await client.admin.write_rule(wanted, before.version if before else None)
    session.emit(item(session.look, (*COLUMNS[:3], COLUMNS[5]), after))


async def _find(client: Client, pattern: str) -> Rule | None:
    return next((each for each in await client.query.rules() if each.pattern == pattern), None)


async def _known(client: Client, pattern: str) -> Rule:
    found = await _find(client, pattern)
    if found is None:
        raise CliError(
            f"no rule '{pattern}'", hint="rtour rules list", exit_code=ExitCode.NOT_FOUND
        )
    return found


def _told(rule: Record) -> str:
    return _limit(rule["concurrency"]) + (", disabled" if rule["disabled"] else "")


def _limit(concurrency: int | None) -> str:
    return "unlimited" if concurrency is None else f"{concurrency} at once"

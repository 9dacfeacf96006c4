"""Writing state: shows the change, asks, hands it over, and tells what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from rtour.cli.diagnostics import CliError, ExitCode
from rtour.cli.output import Column, Record, table
from rtour.cli.wording import payload
from rtour.client.state_writing import Settled, holder, settled

if TYPE_CHECKING:
    from rtour.cli.session import Session
    from rtour.client import Client

COLUMNS = (
    Column("name", "NAME"),
    Column("change", "CHANGE"),
    Column("before", "BEFORE", fold=True),
    Column("after", "AFTER", fold=True),
)


class Change(msgspec.Struct, frozen=True):
    """The state of a key before and after."""

    service: str
    key: str
    before: dict[str, bytes]
    after: dict[str, bytes]
    force: bool
    dry_run: bool


async def read_state(session: Session, client: Client, service: str, key: str) -> dict[str, bytes]:
    """The state under a key; a service that cannot have any is an error, an unknown one not."""
    from rtour.client import NotFound  # noqa: PLC0415

    try:
        found = await client.admin.service(service)
    except NotFound:
        session.warn(f"no service '{service}' is registered")
    else:
        if not found.keyed:
            raise CliError(
                f"{service} is a plain service and has no state",
                expected="a virtual object or workflow",
                hint="rtour services list",
            )
    return {row.key: row.value for row in await client.query.state(service, key)}


async def write(session: Session, client: Client, change: Change) -> None:
    """Shows the change, asks, hands it over, and looks whether it came to pass."""
    rows = _difference(change.before, change.after)
    if not rows:
        session.note("nothing to change")
        session.emit(table(session.look, COLUMNS, rows))
        return
    if not change.dry_run:
        for row in rows:
            session.note(
                f"  {row['name']}: {row['before'] or 'unset'} -> {row['after'] or 'unset'}"
            )
        session.confirm(f"Write the state of {change.service}/{change.key}?")
        version = None if change.force else client.query.state_version(change.before)
        await client.admin.write_state(change.service, change.key, change.after, version)
        await _outcome(session, client, change)
    session.emit(table(session.look, COLUMNS, rows))


async def _outcome(session: Session, client: Client, change: Change) -> None:
    seen = await settled(
        client.query,
        change.service,
        change.key,
        before=change.before,
        after=change.after,
        sleep=session.world.sleep,
    )
    if seen is Settled.WRITTEN:
        session.note("written")
        return
    if seen is Settled.DROPPED:
        raise CliError(
            seen.value,
            expected="the state as it was read",
            hint=f"rtour kv get {change.service} {change.key}; --force overwrites",
            exit_code=ExitCode.CONFLICT,
        )
    held_by = await holder(client.query, change.service, change.key)
    behind = f" behind {held_by}, which holds the key" if held_by else ""
    session.warn(f"{seen.value}{behind}")


def _difference(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[Record]:
    rows = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        change = "added" if old is None else "removed" if new is None else "changed"
        rows.append({"name": name, "change": change, "before": payload(old), "after": payload(new)})
    return rows

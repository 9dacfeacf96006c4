"""`rtour services status`: counts by handler and status, and who holds which key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rtour.cli.output import Block, Column, Grid, Heading, Look, Node, Record, document
from rtour.cli.wording import duration
from rtour.client.query import STATUSES, in_list, quote

if TYPE_CHECKING:
    from rtour.client import Client
    from rtour.client.model import Invocation

OLDEST = (
    Column("service", "SERVICE"),
    Column("handler", "HANDLER"),
    Column("oldest_id", "OLDEST UNFINISHED"),
    Column("oldest_status", "STATUS"),
    Column("oldest_at", "CREATED"),
)


def _held(record: Record, look: Look) -> str:
    return duration(look.now() - record["since"]) if record["since"] else ""


LOCKS = (
    Column("service", "SERVICE"),
    Column("key", "KEY", fold=True),
    Column("queue", "QUEUE"),
    Column("holder", "HELD BY"),
    Column("handler", "HANDLER"),
    Column("status", "STATUS"),
    Column("since", "FOR", _held),
)


async def status_view(look: Look, client: Client, service: str | None, keys: int) -> str:
    """The whole document."""
    services = [await client.admin.service(service)] if service else await client.admin.services()
    names = [each.name for each in services]
    if not names:
        return document(look, {"services": [], "locked_keys": []}, lambda: [Node(("no services",))])
    handlers = await _handlers(
        client, names, [(s.name, h.name) for s in services for h in s.handlers]
    )
    keyed = [each.name for each in services if each.keyed]
    locks = await _locks(client, keyed) if keyed else []
    record = {"handlers": handlers, "locked_keys": locks}
    return document(look, record, lambda: _blocks(handlers, locks, keys))


async def _handlers(client: Client, names: list[str], known: list[tuple[str, str]]) -> list[Record]:
    condition = in_list("target_service_name", names)
    names_of = "target_service_name AS service, target_handler_name AS handler, status"
    group = "target_service_name, target_handler_name, status"
    counts = await client.query.counts(names_of, "sys_invocation", [condition], group)
    rows: dict[tuple[str, str], Record] = {}
    for service, handler in known:
        rows[service, handler] = _empty(service, handler)
    for count in counts:
        at = (count["service"], count["handler"])
        row = rows.setdefault(at, _empty(*at))
        row[count["status"]] = row.get(count["status"], 0) + int(count["n"])
    for row in rows.values():
        await _oldest(client, row)
    return list(rows.values())


async def _oldest(client: Client, row: Record) -> None:
    """Only asked where there is something unfinished: a MIN by group loses the id."""
    if not any(row[status] for status in STATUSES if status != "completed"):
        return
    found = await client.query.invocations(
        [
            f"inv.target_service_name = {quote(row['service'])}",
            f"inv.target_handler_name = {quote(row['handler'])}",
            "inv.status != 'completed'",
        ],
        limit=1,
        oldest_first=True,
    )
    if found:
        row["oldest_id"] = found[0].id
        row["oldest_status"] = found[0].status
        row["oldest_at"] = found[0].created_at


async def _locks(client: Client, names: list[str]) -> list[Record]:
    condition = in_list("service_name", names)
    held = await client.query.locks([condition])
    key = "service_name, service_key"
    queues = await client.query.counts(key, "sys_inbox", [condition], key)
    waiting = {(row["service_name"], row["service_key"]): int(row["n"]) for row in queues}
    holders = await client.query.invocations_by_id([each.invocation_id for each in held])
    by_id = {each.id: each for each in holders}
    rows = [
        {
            "service": lock.service_name,
            "key": lock.service_key,
            "queue": waiting.get((lock.service_name, lock.service_key), 0),
            "holder": lock.invocation_id,
            **_holder(by_id.get(lock.invocation_id)),
        }
        for lock in held
    ]
    return sorted(rows, key=lambda row: (-row["queue"], row["service"], row["key"]))


def _holder(invocation: Invocation | None) -> dict[str, Any]:
    if invocation is None:
        return {"handler": None, "status": None, "since": None}
    return {
        "handler": invocation.target_handler_name,
        "status": invocation.status,
        "since": invocation.running_at or invocation.created_at,
    }


def _empty(service: str, handler: str) -> Record:
    counts = dict.fromkeys(STATUSES, 0)
    oldest = {"oldest_id": None, "oldest_status": None, "oldest_at": None}
    return {"service": service, "handler": handler, **counts, **oldest}


def _blocks(handlers: list[Record], locks: list[Record], keys: int) -> list[Block]:
    blocks: list[Block] = [Heading("Invocations"), Grid(_counts(handlers), tuple(handlers))]
    oldest = [row for row in handlers if row["oldest_id"]]
    if oldest:
        blocks += [Heading("Oldest unfinished"), Grid(OLDEST, tuple(oldest))]
    if locks:
        hidden = (
            f" (the {keys} with the longest queues of {len(locks)})" if len(locks) > keys else ""
        )
        blocks += [Heading(f"Keys in use{hidden}"), Grid(LOCKS, tuple(locks[:keys]))]
    return blocks


def _counts(handlers: list[Record]) -> tuple[Column, ...]:
    """A column for each status that somebody is in; JSON has all of them."""
    present = [each for each in STATUSES if any(row[each] for row in handlers)]
    return (
        Column("service", "SERVICE"),
        Column("handler", "HANDLER"),
        *(Column(each, each.upper(), _count_of(each)) for each in present),
    )


def _count_of(status: str) -> Callable[[Record, Look], str]:
    return lambda record, _: str(record[status] or "-")

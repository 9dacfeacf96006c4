"""SQL over `POST /query`, and the questions that are asked most, typed.

The statements keep to what both DataFusion (the official server) and SQLite (rtour) understand:
SELECT, WHERE, IN, ORDER BY, LIMIT, COUNT, GROUP BY. Every value goes through `quote`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from rtour.client.failures import ServerFailed
from rtour.client.heads import ENTRY_COLUMNS, STATE_COLUMNS, Head
from rtour.client.journal import JournalEntry, JournalEvent, read_entries, read_event
from rtour.client.model import EventRow, Invocation, JournalRow, Lock, Promise, Rule, StateRow
from rtour.ids import state_version

if TYPE_CHECKING:  # the words of SQL are of use to those who never send any: no HTTP for them
    from rtour.client.transport import Origin

T = TypeVar("T")
IDS_PER_QUERY = 500
STATUSES = (
    "scheduled",
    "pending",
    "ready",
    "running",
    "backing-off",
    "suspended",
    "paused",
    "completed",
)
"""What an invocation can be, in the order of its life."""


def quote(value: str) -> str:
    """A SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def in_list(column: str, values: Iterable[str]) -> str:
    """`column IN ('a', 'b')`."""
    return f"{column} IN ({', '.join(quote(value) for value in values)})"


def where(conditions: Iterable[str]) -> str:
    """A WHERE clause, empty without conditions."""
    text = " AND ".join(conditions)
    return f" WHERE {text}" if text else ""


def select(
    columns: str,
    table: str,
    conditions: Iterable[str] = (),
    order: str = "",
    limit: int | None = None,
    offset: int = 0,
) -> str:
    """A SELECT; all values in `conditions` must have gone through `quote`."""
    parts = ["SELECT", columns, "FROM", table + where(conditions)]
    if order:
        parts += ["ORDER BY", order]
    if limit is not None:
        parts += ["LIMIT", str(limit)]
    if offset:
        parts += ["OFFSET", str(offset)]
    return " ".join(parts)


class Query:
    """Reads of the `sys_*` tables."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of any SELECT, as the server's JSON has them: NULL columns are absent."""
        return await self.typed(sql, dict[str, Any])

    async def typed(self, sql: str, row: type[T]) -> list[T]:
        """The rows of a SELECT as structs."""
        answer = await self.origin.json("POST", "/query", body={"query": sql})
        try:
            body = msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
            return msgspec.json.decode(body.get("rows", msgspec.Raw(b"[]")), type=list[row])  # type: ignore[valid-type]
        except msgspec.DecodeError as error:
            raise ServerFailed(
                f"rows of an unexpected shape: {error}",
                expected="JSON rows of the columns asked for",
                hint="compare versions with `rtour info`",
            ) from error

    async def invocations(
        self,
        conditions: Iterable[str] = (),
        *,
        limit: int | None = None,
        oldest_first: bool = False,
    ) -> list[Invocation]:
        """Invocations, newest first; conditions speak of the alias `inv`."""
        columns = ", ".join(f"inv.{name}" for name in Invocation.__struct_fields__)
        order = f"inv.created_at {'ASC' if oldest_first else 'DESC'}, inv.id"
        sql = select(columns, "sys_invocation inv", conditions, order, limit)
        return await self.typed(sql, Invocation)

    async def invocation(self, invocation_id: str) -> Invocation | None:
        """One invocation."""
        found = await self.invocations([f"inv.id = {quote(invocation_id)}"], limit=1)
        return found[0] if found else None

    async def invocations_by_id(self, ids: Sequence[str]) -> list[Invocation]:
        """The invocations among `ids` that exist."""
        found: list[Invocation] = []
        for chunk in _chunks(ids, IDS_PER_QUERY):
            found += await self.invocations([in_list("inv.id", chunk)])
        return found

    async def children(self, parents: Sequence[str]) -> list[Invocation]:
        """The invocations that were called by one of `parents`."""
        found: list[Invocation] = []
        for chunk in _chunks(parents, IDS_PER_QUERY):
            condition = in_list("inv.invoked_by_id", chunk)
            found += await self.invocations([condition], oldest_first=True)
        return found

    async def count(self, table: str, conditions: Iterable[str] = ()) -> int:
        """How many rows match."""
        rows = await self.rows(select("COUNT(1) AS n", table, conditions))
        return int(rows[0]["n"]) if rows else 0

    async def counts(
        self, columns: str, table: str, conditions: Iterable[str], group: str
    ) -> list[dict[str, Any]]:
        """How many rows match per group, as `n`."""
        sql = select(f"{columns}, COUNT(1) AS n", table, conditions)
        return await self.rows(f"{sql} GROUP BY {group}")

    async def unfinished_by_deployment(self) -> dict[str, int]:
        """How many unfinished invocations are bound to each deployment."""
        pinned = "pinned_deployment_id"
        rows = await self.counts(
            pinned,
            "sys_invocation_status",
            ["status != 'completed'", f"{pinned} IS NOT NULL"],
            pinned,
        )
        return {row[pinned]: int(row["n"]) for row in rows}

    async def journal(self, invocation_id: str, *, heads: bool = False) -> list[JournalEntry]:
        """The journal, in order; with `heads`, of large values only the beginning."""
        names = [
            name for name in JournalRow.__struct_fields__ if name not in ("entry_json", "head")
        ]
        values = ENTRY_COLUMNS if heads else "sj.entry_json"
        columns = ", ".join([*(f"sj.{name}" for name in names), values])
        conditions = [f"sj.id = {quote(invocation_id)}"]
        sql = select(columns, "sys_journal sj", conditions, "sj.index")
        return read_entries(await self.typed(sql, JournalRow))

    async def events(self, invocation_id: str) -> list[JournalEvent]:
        """Failed attempts and pauses, in order."""
        columns = ", ".join(EventRow.__struct_fields__)
        conditions = [f"id = {quote(invocation_id)}"]
        sql = select(columns, "sys_journal_events", conditions, "appended_at")
        return [read_event(row) for row in await self.typed(sql, EventRow)]

    async def locks(self, conditions: Iterable[str]) -> list[Lock]:
        """Keys that are held, and by whom."""
        columns = ", ".join(Lock.__struct_fields__)
        return await self.typed(select(columns, "sys_keyed_service_status", conditions), Lock)

    async def inbox(self, service: str, key: str) -> list[str]:
        """The invocations that wait for a key, first in line first."""
        conditions = [f"service_name = {quote(service)}", f"service_key = {quote(key)}"]
        columns = "id, sequence_number"
        rows = await self.rows(select(columns, "sys_inbox", conditions, "sequence_number"))
        return [str(row["id"]) for row in rows]

    async def promises(self, service: str, key: str) -> list[Promise]:
        """The durable promises of a workflow."""
        columns = ", ".join(Promise.__struct_fields__)
        conditions = [f"service_name = {quote(service)}", f"service_key = {quote(key)}"]
        return await self.typed(select(columns, "sys_promise", conditions, "key"), Promise)

    async def state(
        self, service: str, key: str | None = None, *, heads: bool = False
    ) -> list[StateRow]:
        """State of one key, or of all keys of a service; with `heads`, beginnings of values."""
        conditions = [f"service_name = {quote(service)}"]
        if key is not None:
            conditions.append(f"service_key = {quote(key)}")
        columns = STATE_COLUMNS if heads else "service_name, service_key, key, value"
        rows = await self.rows(select(columns, "state", conditions, "service_key, key"))
        return [state_row(row) for row in rows]

    async def rules(self) -> list[Rule]:
        """The flow control rules, by pattern."""
        columns = ", ".join(Rule.__struct_fields__)
        return await self.typed(select(columns, "sys_rules", order="pattern"), Rule)

    @staticmethod
    def state_version(state: Mapping[str, bytes]) -> str:
        """The version of a key's state, which a mutation must name to be applied."""
        return state_version({name.encode(): value for name, value in state.items()})

    async def columns(self) -> dict[str, list[str]]:
        """Tables and their columns, for completion."""
        rows = await self.rows("SELECT table_name, column_name FROM information_schema.columns")
        tables: dict[str, list[str]] = {}
        for row in rows:
            tables.setdefault(row["table_name"], []).append(row["column_name"])
        return tables


def state_row(row: dict[str, Any]) -> StateRow:
    """Binary columns travel as lower-case hex; an empty value may be absent."""
    value = bytes.fromhex(row.get("value", ""))
    whole = int(row.get("digits", 0)) // 2
    return StateRow(
        service_name=row["service_name"],
        service_key=row["service_key"],
        key=row["key"],
        value=Head(value, whole) if whole > len(value) else value,
        digest=row.get("digest"),
    )


def _chunks(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]

"""A scenario's world: one server, one endpoint, unique keys, and the record of what it saw."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx
import msgspec

from tests.conformance.endpoints import Endpoint, Outside, Setup
from tests.conformance.observation import Normaliser, Observation, answer_as_data
from tests.conformance.servers import Server
from tests.conformance.waiting import eventually

Step = dict[str, Any]

# Columns of sys_invocation that must agree; times and attempt details are left out.
INVOCATION_COLUMNS = (
    "id",
    "target",
    "target_service_ty",
    "idempotency_key",
    "invoked_by",
    "invoked_by_target",
    "restarted_from",
    "pinned_service_protocol_version",
    "journal_size",
    "journal_commands_size",
    "completion_retention",
    "journal_retention",
    "status",
    "completion_result",
    "completion_failure",
)
CALL_TIMEOUT_S = 30.0


class Site(msgspec.Struct, frozen=True):
    """What scenarios share: a running server with a registered endpoint."""

    server: Server
    endpoint: Endpoint
    deployment_id: str

    @property
    def setup(self) -> Setup:
        return self.endpoint.setup

    @property
    def outside(self) -> Outside:
        return self.endpoint.outside


class World:
    """One scenario on one site. Everything it notes becomes part of its observation."""

    def __init__(self, site: Site, client: httpx.AsyncClient) -> None:
        self.site = site
        self.client = client
        self.outside = site.outside
        self._suffix = f"-{secrets.token_hex(5)}"
        self._normaliser = Normaliser(self._suffix)
        self._seen: Observation = {}

    @property
    def observation(self) -> Observation:
        return self._seen

    def key(self, name: str) -> str:
        """A key, tag or name no other scenario uses; shown without its suffix."""
        return name + self._suffix

    def note(self, step: str, value: Any) -> None:
        """Record a value under a name that is unique within the scenario."""
        step = self._normaliser.text(step)
        assert step not in self._seen, f"{step} noted twice"
        data = answer_as_data(value) if isinstance(value, httpx.Response) else value
        self._seen[step] = self._normaliser.value(data)

    # Talking to the two ports

    async def ingress(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> httpx.Response:
        return await self._request(self.site.server.ingress_url, method, path, body, options)

    async def admin(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> httpx.Response:
        return await self._request(self.site.server.admin_url, method, path, body, options)

    async def _request(
        self, base: str, method: str, path: str, body: Any, options: dict[str, Any]
    ) -> httpx.Response:
        """`body` goes as JSON, bytes as they are; `headers` adds to or replaces ours."""
        headers = (
            {} if body is None or isinstance(body, bytes) else {"content-type": "application/json"}
        )
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers |= options.pop("headers", {})
        answer = await self.client.request(
            method, base + path, content=content, headers=headers, **options
        )
        # Ids are numbered by when they came to be known, not by which messages quote them.
        self._normaliser.text(answer.headers.get("x-restate-id", ""))
        return answer

    async def run(self, step: str, target: str, *program: Step, **options: Any) -> Any:
        """Call a program, note the answer, and return its parsed body."""
        answer = await self.ingress("POST", f"/{target}", list(program), **options)
        self.note(step, answer)
        return answer.json() if answer.content else None

    async def send(self, target: str, *program: Step, query: str = "", **options: Any) -> str:
        """Send a program and return the invocation's id."""
        answer = await self.ingress("POST", f"/{target}/send{query}", list(program), **options)
        assert answer.status_code == 202, answer.text
        invocation_id: str = answer.json()["invocationId"]
        return invocation_id

    # Looking

    async def sql(self, query: str) -> list[dict[str, Any]]:
        return await self.site.server.sql(query, self.client)

    async def status(self, invocation_id: str) -> str:
        """As `sys_invocation` says, or `absent`."""
        rows = await self.sql(f"SELECT status FROM sys_invocation WHERE id = '{invocation_id}'")
        return rows[0]["status"] if rows else "absent"

    async def until(self, invocation_id: str, *statuses: str, within_s: float = 20) -> str:
        """Wait for one of these statuses."""

        async def ask() -> str:
            return await self.status(invocation_id)

        what = f"{invocation_id} {' or '.join(statuses)}"
        return await eventually(what, ask, lambda now: now in statuses, within_s)

    async def until_rows(self, what: str, query: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until a query has exactly `count` rows."""

        async def ask() -> list[dict[str, Any]]:
            return await self.sql(query)

        return await eventually(what, ask, lambda rows: len(rows) == count)

    # Noting what the server shows of an invocation

    async def note_invocation(self, step: str, invocation_id: str) -> None:
        columns = ", ".join(INVOCATION_COLUMNS)
        rows = await self.sql(f"SELECT {columns} FROM sys_invocation WHERE id = '{invocation_id}'")
        self.note(step, rows[0] if rows else "absent")

    async def note_journal(self, step: str, invocation_id: str, *, racing: bool = False) -> None:
        """Entry types and names in order; `racing` notifications after all commands, sorted."""
        rows = await self.sql(
            f"SELECT \"index\", entry_type, name FROM sys_journal WHERE id = '{invocation_id}'"
            ' ORDER BY "index"'
        )
        entries = [f"{row['entry_type']} {row.get('name', '')}".strip() for row in rows]
        if racing:
            commands = [each for each in entries if each.startswith("Command: ")]
            entries = [*commands, *sorted(each for each in entries if each not in commands)]
        self.note(step, entries)

    async def note_state(self, step: str, service: str, key: str) -> None:
        rows = await self.sql(
            f"SELECT key, value_utf8 FROM state WHERE service_name = '{service}'"
            f" AND service_key = '{key}'"
        )
        self.note(step, {row["key"]: row.get("value_utf8") for row in rows})

    async def note_events(self, step: str, invocation_id: str) -> None:
        """The kinds of events, each with the message it carries."""
        rows = await self.sql(
            "SELECT event_type, event_json FROM sys_journal_events"
            f" WHERE id = '{invocation_id}' ORDER BY appended_at"
        )
        self.note(step, [_event(row) for row in rows])

    async def finished(self, step: str, invocation_id: str) -> None:
        """Wait for the end, then note row and journal."""
        await self.until(invocation_id, "completed")
        await self.note_invocation(step, invocation_id)
        await self.note_journal(f"{step} journal", invocation_id)


def _event(row: dict[str, Any]) -> dict[str, Any]:
    event = json.loads(row["event_json"])
    cause = event.get("last_failure") or event
    fields = ("error_code", "error_message", "restate_doc_error_code", "related_command_type")
    return {"type": row["event_type"], **{name: cause[name] for name in fields if name in cause}}

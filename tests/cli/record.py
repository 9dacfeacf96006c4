"""Records an official server's answers for the fake one: `python -m tests.cli.record`.

Plays one scenario that puts invocations into every status, then keeps the admin API's JSON and
all rows of all tables in `recorded/`. Run it again when a new server version should be followed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.conformance.processes import Child, free_port
from tests.conformance.servers import Kind, Server
from tests.conformance.waiting import eventually

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
TABLES = (
    "sys_invocation",
    "sys_invocation_status",
    "sys_journal",
    "sys_journal_events",
    "sys_inbox",
    "sys_keyed_service_status",
    "sys_promise",
    "sys_service",
    "sys_deployment",
    "state",
    "sys_rules",
    "sys_vqueue_meta",
    "sys_vqueues",
)
HOSTILE_KEY = "a/b%'\x1b[31m[red]x[/red]\u202e"
REACHED = {
    "scheduled": 1,
    "pending": 1,
    "running": 1,
    "backing-off": 1,
    "suspended": 4,
    "paused": 1,
    "completed": 5,
}


class Site:
    """A server and the services of `oracle_services`, registered."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.server = Server(kind, folder / "server", env={})
        self.uri = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        self._service: Child | None = None
        self.deployment_id = ""

    async def start(self) -> None:
        """Starts both, and registers; short inactivity lets handlers suspend at once."""
        await self.server.start()
        command = ["-m", "hypercorn", "--bind", self.uri.removeprefix("http://")]
        self._service = Child(
            [sys.executable, *command, "oracle_services:app"],
            self._folder / "services.log",
            {},
            cwd=HERE,
        )
        async with httpx.AsyncClient() as http:

            async def served() -> bool:
                try:
                    return (await http.get(f"{self.uri}/health")).status_code < 500
                except httpx.TransportError:
                    return False

            await eventually("services ready", served, within_s=20)
            self.deployment_id = await self.server.register(self.uri)
            for service in ("Greeter", "CartObject", "Signup"):
                await self._admin(http, "PATCH", f"/services/{service}", inactivity_timeout="50ms")

    def stop(self) -> None:
        """Ends both."""
        if self._service:
            self._service.stop()
        self.server.stop()

    async def play(self) -> None:
        """Puts invocations into every status."""
        async with httpx.AsyncClient(base_url=self.server.ingress_url, timeout=30) as http:
            await http.post("/Greeter/greet", json="Ada")
            await http.post("/CartObject/Mary/addTicket", json="seat2B")
            await http.post("/Greeter/refuse", json="card was refused")
            await http.post(f"/CartObject/{_escaped(HOSTILE_KEY)}/addTicket", json="\x1b[2J[b]!")
            await http.post("/CartObject/Mary/hold/send", json=3600)
            await http.post("/CartObject/Mary/addTicket/send", json="seat2C")
            await http.post("/Greeter/approve/send", json="budget")
            await http.post("/Greeter/nap/send", json=3600)
            await http.post("/Greeter/grind/send", json=3600)
            await http.post("/Greeter/greet/send?delay=1h", json="later")
            await http.post("/Signup/u1/run/send", json="a@b.c")
            await http.post("/Greeter/stumble/send", json="smtp 451")
            failing = (await http.post("/Greeter/stumble/send", json="paused by hand")).json()
            path = f"/invocations/{failing['invocationId']}/pause"
            await eventually("retries", self._failed, within_s=20)
            await self._admin(http, "PATCH", path)
            await eventually("every status", self._reached, within_s=30)

    async def _failed(self) -> bool:
        rows = await self.server.sql("SELECT id FROM sys_invocation WHERE status = 'backing-off'")
        return len(rows) == 2

    async def _reached(self) -> bool:
        rows = await self.server.sql(
            "SELECT status, COUNT(1) AS n FROM sys_invocation GROUP BY status"
        )
        counts = {row["status"]: row["n"] for row in rows}
        return all(counts.get(status, 0) >= count for status, count in REACHED.items())

    async def _admin(self, http: httpx.AsyncClient, method: str, path: str, **body: Any) -> Any:
        answer = await http.request(method, self.server.admin_url + path, json=body or None)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def dump(self) -> None:
        """Writes what the server knows now."""
        async with httpx.AsyncClient() as http:
            admin = {
                path: await self._admin(http, "GET", path)
                for path in ("/version", "/services", "/deployments")
            }
            path = f"/deployments/{self.deployment_id}"
            admin[path] = await self._admin(http, "GET", path)
        tables = {name: await self.server.sql(f"SELECT * FROM {name}") for name in TABLES}
        schema = await self.server.sql(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
        )
        columns: dict[str, dict[str, str]] = {}
        for row in schema:
            if row["table_name"] in TABLES:
                columns.setdefault(row["table_name"], {})[row["column_name"]] = row["data_type"]
        now = datetime.now(UTC).isoformat()  # noqa: TID251 - the moment of recording
        RECORDED.mkdir(exist_ok=True)
        _write("admin.json", admin)
        _write("tables.json", {"now": now, "columns": columns, "rows": tables})


def _escaped(key: str) -> str:
    return "".join(f"%{byte:02X}" for byte in key.encode())


def _write(name: str, value: Any) -> None:
    text = json.dumps(value, indent=1, sort_keys=True)
    # The path of this checkout is in stack traces, and nobody's business.
    text = text.replace(str(HERE.parents[1]), "/app")
    (RECORDED / name).write_text(text + "\n", "utf-8")


async def main() -> None:
    """Plays and records."""
    with TemporaryDirectory() as folder:
        site = Site("official", Path(folder))
        try:
            await site.start()
            await site.play()
            await site.dump()
        finally:
            site.stop()


if __name__ == "__main__":
    asyncio.run(main())

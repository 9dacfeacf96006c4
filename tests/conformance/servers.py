"""A durable server under test, official or ours, behind one set of verbs.

Both kinds understand the same `RESTATE_*` variables, so a test configures them with one dict.
A server keeps its ports and its folder over `kill` and `start`, so clients can simply retry.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal

import httpx

from tests.conformance import oracles
from tests.conformance.processes import LIFETIME_S, Child, free_port
from tests.conformance.waiting import eventually

Kind = Literal["official", "rtour"]
KINDS: tuple[Kind, ...] = ("official", "rtour")
START_TIMEOUT_S = 180.0  # on a machine that others use

# Short intervals let retries and clean-up be seen within a test; both kinds get the same ones.
QUICK = {
    "RESTATE_DEFAULT_RETRY_POLICY__INITIAL_INTERVAL": "100ms",
    "RESTATE_DEFAULT_RETRY_POLICY__MAX_INTERVAL": "500ms",
    "RESTATE_WORKER__CLEANUP_INTERVAL": "1s",
}

# After a restart the official server is healthy before it can look into its partitions.
COUNT = "SELECT COUNT(*) AS count FROM sys_invocation"


def rtour_binary() -> Path:
    return Path(sys.executable).parent / "rtour"


class Server:
    """One server process with its folder; `start` may be called again after `stop` or `kill`."""

    lifetime_s = LIFETIME_S

    def __init__(self, kind: Kind, folder: Path, env: dict[str, str] | None = None) -> None:
        self.kind = kind
        self.folder = folder
        self.env = QUICK if env is None else env
        folder.mkdir(parents=True, exist_ok=True)
        self._ports = (free_port(), free_port(), free_port())
        self._child: Child | None = None

    @property
    def ingress_url(self) -> str:
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self._ports[1]}"

    @property
    def metrics_url(self) -> str:
        """The official server has a port for it, among other things."""
        _, admin, node = self._ports
        return f"http://127.0.0.1:{admin if self.kind == 'rtour' else node}/metrics"

    @property
    def ingress_port(self) -> int:
        return self._ports[0]

    async def start(self, extra_env: dict[str, str] | None = None) -> None:
        """Start, and return once both ports are healthy and every partition answers."""
        assert self._child is None, "stop or kill it first"
        if self.kind == "official":
            oracles.install()
        command = self._official() if self.kind == "official" else self._rtour()
        env = {**self._addresses(), **self.env, **(extra_env or {})}
        self._child = Child(command, self.folder / "server.log", env, lifetime_s=self.lifetime_s)
        await eventually(f"{self.kind} server ready", self._ready, within_s=START_TIMEOUT_S)

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """As a power cut would: SIGKILL, no goodbye."""
        assert self._child is not None, "not running"
        self._child.kill()
        self._child = None

    def log_tail(self, characters: int = 3000) -> str:
        return "" if self._child is None else self._child.log_tail(characters)

    async def sql(
        self, query: str, client: httpx.AsyncClient | None = None
    ) -> list[dict[str, Any]]:
        """The rows of one query; a refused query fails with the server's words."""
        if client is None:
            async with httpx.AsyncClient(timeout=30) as own:
                return await self.sql(query, own)
        answer = await self._query(client, query)
        assert answer.status_code == 200, f"{query}\n{answer.status_code} {answer.text}"
        rows: list[dict[str, Any]] = json.loads(answer.content)["rows"]
        return rows

    async def _query(self, client: httpx.AsyncClient, query: str) -> httpx.Response:
        accept = {"accept": "application/json"}
        return await client.post(f"{self.admin_url}/query", json={"query": query}, headers=accept)

    async def register(self, uri: str, **options: Any) -> str:
        """Register a deployment and return its id."""
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.post(
                f"{self.admin_url}/deployments", json={"uri": uri, **options}
            )
        assert answer.status_code in {200, 201}, answer.text
        deployment_id: str = answer.json()["id"]
        return deployment_id

    def _official(self) -> list[str]:
        data = str(self.folder / "data")
        return [str(oracles.restate_server()), "--no-logo", "--base-dir", data]

    def _rtour(self) -> list[str]:
        ingress, admin, _ = self._ports
        ports = ["--ingress-port", str(ingress), "--admin-port", str(admin), "--pg-port", "off"]
        return [str(rtour_binary()), "server", "--data", str(self.folder / "data"), *ports]

    def _addresses(self) -> dict[str, str]:
        ingress, admin, node = self._ports
        if self.kind == "rtour":
            # The official ingress answers the pages of every site.
            return {"RESTATE_LOG_FORMAT": "json", "RTOUR_INGRESS_ORIGINS": "*"}
        return {
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_BIND_PORT": str(node),
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
            "RESTATE_DEFAULT_NUM_PARTITIONS": "4",
            "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": "256MiB",
            "RESTATE_LOG_DISABLE_ANSI_CODES": "true",
            "DO_NOT_TRACK": "1",
        }

    async def _ready(self) -> bool:
        child = self._child
        assert child is not None
        assert child.running, f"the {self.kind} server ended:\n{child.log_tail()}"
        urls = (f"{self.ingress_url}/restate/health", f"{self.admin_url}/health")
        async with httpx.AsyncClient() as client:
            try:
                healthy = [(await client.get(url)).status_code == 200 for url in urls]
                return all(healthy) and (await self._query(client, COUNT)).status_code == 200
            except httpx.TransportError:
                return False

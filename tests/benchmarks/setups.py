"""The systems under measurement: a server and the services it runs, frozen while others are asked.

Every setup answers the same URLs. Those on the same SDK share one endpoint process.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import httpx

from tests.benchmarks.probes import Family
from tests.conformance import oracles
from tests.conformance.processes import Child, free_port
from tests.conformance.servers import Kind, Server
from tests.conformance.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
LIFETIME_S = 3_600

# name → (server, endpoint). The words after the SDK say what serves it.
RESTATE_LIKE: dict[str, tuple[Kind, str]] = {
    "official, Python SDK": ("official", "python"),
    "rtour, Python SDK": ("rtour", "python"),
    "official, TypeScript SDK": ("official", "typescript"),
    "rtour, TypeScript SDK": ("rtour", "typescript"),
    "rtour, rtour SDK": ("rtour", "rtour"),
    "rtour, rtour SDK on hypercorn": ("rtour", "rtour-hypercorn"),
    "official, rtour SDK": ("official", "rtour"),
}
PEERS = ("DBOS", "Temporal")
SETUPS = (*RESTATE_LIKE, *PEERS)
DEFAULT = (
    "official, Python SDK",
    "rtour, Python SDK",
    "official, TypeScript SDK",
    "rtour, TypeScript SDK",
    "rtour, rtour SDK",
    *PEERS,
)

_SERVICES = [sys.executable, "-m", "tests.benchmarks.services"]
_ENDPOINTS = {
    "python": [*_SERVICES, "restate", "hypercorn"],
    "rtour": [*_SERVICES, "rtour", "rtour"],
    "rtour-hypercorn": [*_SERVICES, "rtour", "hypercorn"],
}


class DefaultServer(Server):
    """A server as its users start it: the official one with all its partitions and memory."""

    lifetime_s = LIFETIME_S

    def _addresses(self) -> dict[str, str]:
        spared = {"RESTATE_DEFAULT_NUM_PARTITIONS", "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE"}
        return {name: value for name, value in super()._addresses().items() if name not in spared}


@dataclass
class Setup:
    """`sdk` is the services' process; None where they are in the server's."""

    name: str
    url: str
    server: Family
    sdk: Family | None
    is_peer: bool
    started_in_s: float
    idle_mb: float = 0.0
    children: list[Child] = field(default_factory=list)

    def freeze(self) -> None:
        for family in self._own():
            family.freeze()

    def thaw(self) -> None:
        for family in self._own():
            family.thaw()

    def _own(self) -> list[Family]:
        """An endpoint that others share stays awake: idle, it costs nothing."""
        return [self.server, self.sdk] if self.is_peer and self.sdk else [self.server]

    def stop(self) -> None:
        self.thaw()
        for child in self.children:
            child.stop()


def family(child: Child) -> Family:
    """The program below its `timeout`."""
    leader = child._process.pid
    (pid,) = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    return Family(int(pid))


class Workshop:
    """Starts setups in a folder, and the endpoints they need, once each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._endpoints: dict[str, tuple[Child, str]] = {}

    async def start(self, name: str) -> Setup:
        if name == "DBOS":
            return await self._dbos()
        if name == "Temporal":
            return await self._temporal()
        return await self._restate_like(name)

    def stop(self) -> None:
        for child, _ in self._endpoints.values():
            child.kill()

    async def _restate_like(self, name: str) -> Setup:
        kind, sdk = RESTATE_LIKE[name]
        endpoint, uri = await self.endpoint(sdk)
        server = DefaultServer(kind, self._folder / name.replace(" ", "_"), env={})
        began = perf_counter()
        await server.start()
        took = perf_counter() - began
        await server.register(uri)
        child = server._child
        assert child is not None
        setup = Setup(
            name, server.ingress_url, family(child), family(endpoint), False, took, children=[child]
        )
        setup.idle_mb = setup.server.resident_mb()
        return setup

    async def endpoint(self, sdk: str) -> tuple[Child, str]:
        """The services' process, and its URI."""
        if sdk not in self._endpoints:
            port = free_port()
            command, cwd = _endpoint_command(sdk)
            child = self._child([*command, str(port)], sdk, cwd)
            await _healthy(f"http://127.0.0.1:{port}", http2=True)
            self._endpoints[sdk] = child, f"http://127.0.0.1:{port}"
        return self._endpoints[sdk]

    def _child(self, command: list[str], name: str, cwd: Path = REPOSITORY) -> Child:
        # The TypeScript SDK writes two lines per invocation unless told not to.
        quiet = {"RESTATE_LOGGING": "WARN"}
        return Child(command, self._folder / f"{name}.log", quiet, cwd, LIFETIME_S)

    async def _dbos(self) -> Setup:
        port, began = free_port(), perf_counter()
        command = [sys.executable, "-m", "tests.benchmarks.peers.dbos_app"]
        child = self._child([*command, str(port), str(self._folder)], "dbos")
        return await self._peer("DBOS", port, began, child)

    async def _temporal(self) -> Setup:
        port, server_port, began = free_port(), free_port(), perf_counter()
        temporal = str(Path(sys.executable).parent / "temporal")
        command = [temporal, "server", "start-dev", "--headless", "--port", str(server_port)]
        command += ["--db-filename", str(self._folder / "temporal.db"), "--log-level", "error"]
        # By default ten updates of a workflow may be under way; a hot key has 64.
        command += ["--dynamic-config-value", "history.maxInFlightUpdates=1000"]
        server = self._child(command, "temporal")
        await eventually("temporal ready", lambda: _listens(server_port), within_s=60)
        worker = [sys.executable, "-m", "tests.benchmarks.peers.temporal_app", str(port)]
        child = self._child([*worker, f"127.0.0.1:{server_port}"], "temporal-worker")
        return await self._peer("Temporal", port, began, server, child)

    async def _peer(self, name: str, port: int, began: float, *children: Child) -> Setup:
        url = f"http://127.0.0.1:{port}"
        await _healthy(url, http2=False)
        took = perf_counter() - began
        server, *rest = map(family, children)
        sdk = rest[0] if rest else None
        setup = Setup(name, url, server, sdk, True, took, children=list(children))
        setup.idle_mb = server.resident_mb()
        return setup


def _endpoint_command(sdk: str) -> tuple[list[str], Path]:
    if sdk in _ENDPOINTS:
        return _ENDPOINTS[sdk], REPOSITORY
    cwd = oracles.typescript_services()
    shutil.copy(Path(__file__).parent / "services.ts", cwd / "bench.ts")
    return [str(oracles.node()), "--no-warnings", "bench.ts"], cwd


async def _healthy(url: str, *, http2: bool) -> None:
    async def ready() -> bool:
        async with httpx.AsyncClient(http1=not http2, http2=http2) as client:
            try:
                return (await client.get(f"{url}/health")).status_code == 200
            except httpx.TransportError:
                return False

    await eventually(f"{url} ready", ready, within_s=60)


async def _listens(port: int) -> bool:
    import asyncio

    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True

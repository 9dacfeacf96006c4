"""What a server weighs while it is given much: one server, its services, clients without mercy."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from rtour.server.transport import Endpoint, Exchange, HttpTransport, TransportLimits
from tests.conformance.processes import Child, free_port
from tests.conformance.servers import rtour_binary
from tests.conformance.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
LIVE_S = 1800
MIB = 1 << 20
# As many requests on a connection as the server takes: few sockets for many waiting callers.
CLIENT = TransportLimits(
    h2_streams_max=200, h2_requests_per_connection_max=1 << 30, ping_interval_s=3600
)


class Arena:
    """A server over a fresh folder, and the services of `bounds_services` registered there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ingress, self._admin, self._service = (free_port() for _ in range(3))
        self.ingress_url = f"http://127.0.0.1:{self._ingress}"
        self.admin_url = f"http://127.0.0.1:{self._admin}"
        self._children: list[Child] = []

    async def start(self, *flags: str, env: dict[str, str] | None = None) -> None:
        services = [sys.executable, "-m", "tests.torture.bounds_services", str(self._service)]
        self._run(services, "services.log", {})
        server = [str(rtour_binary()), "server", "--data", str(self.folder / "data")]
        server += ["--ingress-port", str(self._ingress), "--admin-port", str(self._admin)]
        self._run([*server, "--pg-port", "off", *flags], "server.log", env or {})
        await self._register(self._service)

    async def start_stuck(self) -> None:
        """A deployment of its own, whose handlers never end."""
        port = free_port()
        services = [sys.executable, "-m", "tests.torture.bounds_services", str(port), "stuck"]
        self._run(services, "stuck.log", {})
        await self._register(port)

    async def _register(self, port: int) -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            for url in (f"{self.admin_url}/health", f"http://127.0.0.1:{port}/discover"):
                await eventually(
                    f"{url} answers", lambda url=url: _answers(client, url), within_s=60
                )  # type: ignore[misc]
            body = {"uri": f"http://127.0.0.1:{port}"}
            (await client.post(f"{self.admin_url}/deployments", json=body)).raise_for_status()

    def _run(self, command: list[str], log: str, env: dict[str, str]) -> None:
        self._children.append(Child(command, self.folder / log, env, REPOSITORY, LIVE_S))

    def stop(self) -> None:
        for child in reversed(self._children):
            child.stop()

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    # --- memory ----------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The server's own process, below the `timeout` that watches it."""
        leader = self._children[1]._process.pid
        return int(Path(f"/proc/{leader}/task/{leader}/children").read_text().split()[0])

    def memory_mb(self, *, peak: bool = False) -> float:
        """Resident memory now, or the most since the last `forget_peak`."""
        wanted = "VmHWM:" if peak else "VmRSS:"
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(wanted):
                return int(line.split()[1]) / 1000
        raise AssertionError("the server is gone")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    async def noop_ms(self) -> float:
        """How long a call of nothing takes."""
        began = asyncio.get_running_loop().time()
        async with httpx.AsyncClient(timeout=60) as client:
            answer = await client.post(f"{self.ingress_url}/Bounds/noop")
        assert answer.status_code == 200, answer.text
        return (asyncio.get_running_loop().time() - began) * 1000


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code < 500
    except httpx.TransportError:
        return False


@asynccontextmanager
async def arena(folder: Path, *flags: str) -> AsyncIterator[Arena]:
    here = Arena(folder)
    try:
        await here.start(*flags)
        yield here
    finally:
        here.stop()


@asynccontextmanager
async def callers() -> AsyncIterator[HttpTransport]:
    """A client with 200 requests under way on each connection."""
    transport = HttpTransport(limits=CLIENT)
    try:
        yield transport
    finally:
        await transport.close()


async def call(
    transport: HttpTransport,
    url: str,
    path: str,
    body: bytes = b"",
    *,
    method: str = "POST",
    headers: list[tuple[str, str]] | None = None,
) -> Exchange:
    """A request under way."""
    exchange = await transport.open(
        Endpoint(url), path, headers or [], body=body, end=True, method=method
    )
    await exchange.drain_send()
    return exchange


async def answer(exchange: Exchange) -> tuple[int, int]:
    """Status and length of an answer, which is not kept."""
    head = await exchange.head()
    size = 0
    while data := await exchange.receive():
        size += len(data)
    return head.status, size

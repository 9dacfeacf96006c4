"""Many invocations that wait cost nothing but their rows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.conformance.program import op
from tests.conformance.sites import site
from tests.conformance.waiting import eventually

SLEEPERS = 10_000
MEMORY_MB_MAX = 100
HOUR_MS = 3_600_000


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def memory_mb(pid: int) -> float:
    """What the server (below its `timeout`) and its helpers take, shared pages split among them."""
    total_kb = 0
    for each in family(pid)[1:]:
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total_kb += int(line.split()[1])
    return total_kb / 1000


def connections_to(port: int) -> int:
    """Established connections to a local port, seen from either side."""
    wanted = f":{port:04X}"
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(1 for row in rows if row.split()[2].endswith(wanted) and row.split()[3] == "01")


@pytest.mark.slow
async def test_sleepers_hold_no_connection_and_little_memory(tmp_path: Path) -> None:
    """10,000 invocations suspended in sleep: no stream to the service, under 100 MB in all."""
    env = {"RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT": "0s"}
    async with site("rtour", "python", tmp_path, env) as here, httpx.AsyncClient() as client:
        url = f"{here.server.ingress_url}/Svc/run/send"
        gate = asyncio.Semaphore(64)

        async def send() -> None:
            async with gate:
                answer = await client.post(url, json=[op("sleep", ms=HOUR_MS)], timeout=60)
            assert answer.status_code == 202

        await asyncio.gather(*(send() for _ in range(SLEEPERS)))

        async def suspended() -> bool:
            rows = await here.server.sql(
                "SELECT COUNT(*) AS n FROM sys_invocation_status WHERE status = 'suspended'"
            )
            return bool(rows[0]["n"] == SLEEPERS)

        await eventually("all are suspended", suspended, within_s=120)
        child = here.server._child
        assert child is not None
        memory = memory_mb(child._process.pid)
        assert memory < MEMORY_MB_MAX
        port = int(here.endpoint.uri.rpartition(":")[2])
        idle = await client.get(f"{here.endpoint.uri}/health")
        assert idle.status_code == 200
        assert connections_to(port) <= 8, "a few pooled connections may idle"
        print(f"{memory:.0f} MB, {connections_to(port)} connections")

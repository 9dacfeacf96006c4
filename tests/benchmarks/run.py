"""`nox -s bench`: rtour beside the official server, in one run, as ratios.

Both servers run the same services in the same endpoint process, one at a time (the other is
stopped with SIGSTOP), in turns. Absolute times mean nothing on shared machines; ratios of medians
do. Both sync every commit to disk.

    nox -s bench -- --rounds 5 --seconds 3 --sdk python --json out.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import httpx

from tests.benchmarks import wrk
from tests.conformance import oracles
from tests.conformance.processes import Child, free_port
from tests.conformance.servers import KINDS, Kind, Server
from tests.conformance.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
WORKLOADS = {
    "no-op, 1 connection": ("/Bench/noop", 1, 1),
    "no-op, 64 connections": ("/Bench/noop", 64, 1),
    "three steps, 1 connection": ("/Bench/three", 1, 1),
    "three steps, 64 connections": ("/Bench/three", 64, 1),
    "counter on 2,000 keys, 64 connections": ("/Counter/{key}/add", 64, 2000),
}
# What issue 2 asks for: (figure, workload) → (better is, factor against the official server).
GOALS = {
    ("p50_ms", "no-op, 1 connection"): ("at most", 0.5),
    ("per_second", "no-op, 64 connections"): ("at least", 2.0),
}
Figures = dict[str, dict[str, dict[Kind, list[float]]]]


class DefaultServer(Server):
    """A server as its users start it: the official one with all its partitions and memory."""

    def _addresses(self) -> dict[str, str]:
        spared = {"RESTATE_DEFAULT_NUM_PARTITIONS", "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE"}
        return {name: value for name, value in super()._addresses().items() if name not in spared}


class Process:
    """A server under measurement: its CPU time and memory, by /proc."""

    def __init__(self, server: Server) -> None:
        child = server._child
        assert child is not None
        leader = child._process.pid
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        self.pid = int(children[0])

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


async def endpoint(sdk: str, folder: Path) -> tuple[Child, str]:
    port = free_port()
    if sdk == "python":
        command, cwd = [sys.executable, "-m", "tests.benchmarks.services", str(port)], REPOSITORY
    else:
        cwd = oracles.typescript_services()
        shutil.copy(Path(__file__).parent / "services.ts", cwd / "bench.ts")
        command = [str(oracles.node()), "--no-warnings", "bench.ts", str(port)]
    child = Child(command, folder / f"{sdk}.log", {}, cwd)
    url = f"http://127.0.0.1:{port}"

    async def ready() -> bool:
        async with httpx.AsyncClient(http1=False, http2=True) as client:
            try:
                return (await client.get(f"{url}/health")).status_code == 200
            except httpx.TransportError:
                return False

    await eventually("endpoint ready", ready, within_s=30)
    return child, url


def load(server: Server, path: str, connections: int, seconds: float, keys: int) -> Any:
    url = server.ingress_url + path
    if wrk.installed():
        return wrk.load(url, connections, seconds, keys)
    command = [sys.executable, "-m", "tests.benchmarks.load", url]
    command += [str(connections), str(seconds), str(keys)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


async def start(kind: Kind, folder: Path, figures: Figures) -> Server:
    server = DefaultServer(kind, folder / kind, env={})
    began = perf_counter()
    await server.start()
    note(figures, "start to ready", "seconds", kind, perf_counter() - began)
    return server


def note(figures: Figures, workload: str, figure: str, kind: Kind, value: float) -> None:
    by_kind = figures.setdefault(workload, {}).setdefault(figure, {k: [] for k in KINDS})
    by_kind[kind].append(value)


async def measure(sdk: str, rounds: int, seconds: float, figures: Figures, only: str) -> None:
    with tempfile.TemporaryDirectory(prefix="rtour-bench-") as name:
        folder = Path(name)
        services, url = await endpoint(sdk, folder)
        servers = {kind: await start(kind, folder, figures) for kind in KINDS}
        processes = {kind: Process(server) for kind, server in servers.items()}
        for kind, server in servers.items():
            await server.register(url)
            note(figures, "idle", "resident_mb", kind, processes[kind].resident_mb())
            processes[kind].freeze()
        for turn in range(rounds + 1):  # the first one warms up and does not count
            for workload, (path, connections, keys) in WORKLOADS.items():
                if only not in workload:
                    continue
                for kind in KINDS:
                    process = processes[kind]
                    process.thaw()
                    cpu = process.cpu_s()
                    report = load(servers[kind], path, connections, seconds, keys)
                    cpu = process.cpu_s() - cpu
                    process.freeze()
                    assert not report["failures"], f"{kind}: {report}"
                    if turn:
                        row = f"{workload}, {sdk} SDK"
                        note(figures, row, "p50_ms", kind, report["p50_ms"])
                        note(figures, row, "p99_ms", kind, report["p99_ms"])
                        rate = report["requests"] / report["seconds"]
                        note(figures, row, "per_second", kind, rate)
                        note(figures, row, "cpu_us", kind, cpu / report["requests"] * 1e6)
        for kind, process in processes.items():
            note(figures, "after load", "resident_mb", kind, process.resident_mb())
            process.thaw()
            servers[kind].stop()
        services.kill()


def show(figures: Figures) -> None:
    print(f"{'':52} {'figure':12} {'official':>10} {'rtour':>10} {'ratio':>7}")
    for workload, by_figure in figures.items():
        for figure, by_kind in by_figure.items():
            official, ours = (median(by_kind[kind]) for kind in KINDS)
            goal = GOALS.get((figure, workload.rpartition(",")[0]))
            mark = ""
            if goal is not None:
                met = (
                    ours / official <= goal[1]
                    if goal[0] == "at most"
                    else (ours / official >= goal[1])
                )
                mark = f"  goal: {goal[0]} {goal[1]} {'met' if met else 'NOT MET'}"
            ratio = ours / official
            print(f"{workload:52} {figure:12} {official:10.2f} {ours:10.2f} {ratio:7.2f}{mark}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--sdk", choices=["python", "typescript", "both"], default="both")
    parser.add_argument("--only", default="", help="workloads whose name contains this")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    oracles.install()
    print(f"load by {'wrk' if wrk.installed() else 'tests/benchmarks/load.py; wrk takes less CPU'}")
    figures: Figures = {}
    for sdk in ("python", "typescript") if options.sdk == "both" else (options.sdk,):
        asyncio.run(measure(sdk, options.rounds, options.seconds, figures, options.only))
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

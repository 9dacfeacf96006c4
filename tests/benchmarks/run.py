"""`nox -s bench`: rtour beside the official server, DBOS and Temporal, in one run, as ratios.

All systems get the same requests in turns, one awake at a time (the others are stopped with
SIGSTOP); those with the same SDK share one endpoint process. Absolute times mean nothing on shared
machines; ratios of medians do. Every system syncs what it acknowledges.

    nox -s bench -- --rounds 5 --seconds 1 --json docs/benchmarks/out.json --plot out.svg

A first turn that does not count warms up, and counts syncs meanwhile.

`--add FILE` puts the cells of this run beside those of an earlier one, where the machine is quiet
for minutes only: each cell has all its rounds, with all its setups, in one of the runs.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter

import httpx
import msgspec

from rtour.clock import SystemClock
from tests.benchmarks import floor, load, plot, report, results
from tests.benchmarks.loads import Load, Report
from tests.benchmarks.probes import NOTHING, Reading, SyncCounter
from tests.benchmarks.setups import DEFAULT, PEERS, RESTATE_LIKE, SETUPS, Setup, Workshop
from tests.benchmarks.workloads import Cell, cells
from tests.conformance import oracles

FIRST_TURN_S = 0.3
ASK_AGAIN_S = 0.05
DRAIN_S = 120


class RefusedError(Exception):
    """The system answered with errors, or not at all."""


async def no_ops_run(client: httpx.AsyncClient, setup: Setup) -> int:
    answer = await client.post(f"{setup.url}/Bench/count")
    return int(answer.raise_for_status().json())


async def ask(setup: Setup, cell: Cell, seconds: float, *, light: bool) -> tuple[Report, float]:
    """Send the load, and wait until accepted work is done. Returns the seconds that took, too."""
    workload = cell.workload
    wanted = Load(
        url=setup.url + workload.path,
        connections=cell.connections,
        seconds=seconds,
        keys=workload.keys,
        payload=workload.payload,
        requests=workload.requests(cell.connections, peer=setup.is_peer),
    )
    async with httpx.AsyncClient(timeout=60) as client:
        before = await no_ops_run(client, setup) if workload.deferred else 0
        try:
            said = load.run(wanted, light=light)
        except (AssertionError, subprocess.CalledProcessError) as error:
            raise RefusedError(str(error)) from error
        if said.failures or not said.requests:
            raise RefusedError(f"{said.failures} of {said.requests} requests failed")
        if not workload.deferred:
            return said, said.seconds
        async with asyncio.timeout(DRAIN_S):
            while await no_ops_run(client, setup) - before < said.requests:
                await asyncio.sleep(ASK_AGAIN_S)
        return said, monotonic() - said.began


async def measure_once(
    setup: Setup, cell: Cell, seconds: float, *, light: bool = True
) -> dict[str, float]:
    """All figures of one load on one awake setup."""
    server, sdk = setup.server.read(), setup.sdk.read() if setup.sdk else NOTHING
    said, took = await ask(setup, cell, seconds, light=light)
    server = setup.server.read().since(server)
    sdk = setup.sdk.read().since(sdk) if setup.sdk else Reading(0.0, 0)
    invocations = said.requests * cell.workload.invocations
    return {
        "p50_ms": said.p50_ms,
        "p99_ms": said.p99_ms,
        "per_second": said.requests / took,
        "server_cpu_us": server.cpu_s / invocations * 1e6,
        "sdk_cpu_us": sdk.cpu_s / invocations * 1e6,
        "server_cores": server.cpu_s / took,
        "sdk_cores": sdk.cpu_s / took,
        "written_bytes": server.written_bytes / invocations,
        "server_mb": setup.server.resident_mb(),
        "invocations": invocations,
    }


async def first_turn(setup: Setup, cell: Cell, done: results.Results) -> None:
    """Warm up: give objects their state, and count syncs, which slows perf's start down only."""
    if cell.workload.prepare:
        fill = Load(
            setup.url + cell.workload.prepare, 4, 1, cell.workload.keys, requests=cell.workload.keys
        )
        assert not load.run(fill).failures
    with SyncCounter(setup.server) as syncs:
        figures = await measure_once(setup, cell, FIRST_TURN_S, light=False)
    if syncs.count is not None:
        done.note(setup.name, cell.name, "syncs", syncs.count / figures["invocations"])


async def turn(
    number: int, setups: list[Setup], wanted: list[Cell], seconds: float, done: results.Results
) -> None:
    """Every cell on every setup, once. Who fails a cell is not asked again."""
    for cell in wanted:
        for setup in setups:
            if setup.is_peer and cell.connections not in cell.workload.peers:
                continue
            if cell.name in done.failed.get(setup.name, {}):
                continue
            setup.thaw()
            try:
                if number == 0:
                    await first_turn(setup, cell, done)
                    continue
                # A peer may answer nobody within the time, so that its last answers are waited for.
                figures = await measure_once(setup, cell, seconds, light=not setup.is_peer)
                for figure, value in figures.items():
                    done.note(setup.name, cell.name, figure, value)
            except (RefusedError, TimeoutError, httpx.HTTPError) as error:
                done.failed.setdefault(setup.name, {})[cell.name] = f"turn {number}: {error!r}"
                print(f"{setup.name} failed {cell.name}: {error!r}", file=sys.stderr)
            finally:
                setup.freeze()


async def measure(options: argparse.Namespace, done: results.Results) -> None:
    names = [name for name in SETUPS if name in options.setups]
    wanted = cells(options.only, options.connections)
    with tempfile.TemporaryDirectory(prefix="rtour-bench-", dir=options.folder) as folder:
        workshop = Workshop(Path(folder))
        setups: list[Setup] = []
        try:
            for name in names:
                setup = await workshop.start(name)
                setups.append(setup)
                done.note_once(name, "start_s", setup.started_in_s)
                done.note_once(name, "idle_mb", setup.idle_mb)
                setup.freeze()
            for number in range(options.rounds + 1):
                began = perf_counter()
                await turn(number, setups, wanted, options.seconds, done)
                print(f"turn {number}: {perf_counter() - began:.0f} s", file=sys.stderr)
                if number and options.json:  # who is ended early leaves the rounds it has
                    results.save(msgspec.structs.replace(done, rounds=number), options.json)
        finally:
            for setup in setups:
                setup.stop()
            workshop.stop()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", nargs="*", help="cells whose name contains one of these")
    parser.add_argument("--connections", type=int, nargs="*", help="instead of the cells' own")
    parser.add_argument("--setups", nargs="*", choices=[*SETUPS], default=[*DEFAULT])
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--folder", help="where the data goes; its disk is what is measured")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--add", type=Path, metavar="FILE", help="an earlier run's JSON to add to")
    parser.add_argument("--plot", type=Path, help="an SVG; needs matplotlib")
    options = parser.parse_args()
    if options.without_peers:
        options.setups = [name for name in options.setups if name not in PEERS]
    return options


def begin(options: argparse.Namespace) -> results.Results:
    """Empty results that say where and when; from now on, whoever ends us ends what we start."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder = Path(options.folder or tempfile.gettempdir())
    return results.Results(
        date=datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC).strftime("%Y-%m-%d %H:%M"),
        commit=results.commit(),
        machine=results.this_machine(median(floor.sync_s(folder)) * 1e6),
        rounds=options.rounds,
        seconds=options.seconds,
    )


def main() -> None:
    options = parse()
    if any(name in RESTATE_LIKE for name in options.setups):
        oracles.install()
    done = begin(options)
    earlier = results.load(options.add) if options.add else None
    if earlier and (differs := results.difference(earlier, done)):
        sys.exit(f"{options.add} cannot be added to: {differs}.")
    asyncio.run(measure(options, done))
    if earlier:
        done = results.added(earlier, done)
        results.save(done, options.add)
    print(report.markdown(done))
    if options.json:
        results.save(done, options.json)
    if options.plot:
        plot.draw(done, options.plot)


if __name__ == "__main__":
    main()

"""What much stored work costs new work, and what becomes of it: `python -m …growth`.

- Servers with 1,000 to 1,000,000 stored invocations, with 100,000 keys of state, with 10,000
  suspended invocations: the same loads on each, in turns, as ratios to the smallest.
- Journals of 1,000 and 10,000 steps, each replayed once: cost per step.
- A server killed with 1,000,000 stored and more than 10,000 in flight: time to ready.
- 100,000 invocations past their retention: time to forget them, and the file before and after.

`--scale 0.01` makes everything a hundred times smaller, to try it out.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

import httpx

from tests.benchmarks import growth_report, results
from tests.benchmarks.filling import Filler
from tests.benchmarks.load import run as send_load
from tests.benchmarks.loads import Load
from tests.benchmarks.results import Results
from tests.benchmarks.run import begin, measure_once
from tests.benchmarks.setups import DefaultServer, Setup, Workshop, family
from tests.benchmarks.workloads import Cell, Workload
from tests.conformance.processes import Child
from tests.conformance.waiting import eventually

STORED = (1_000, 10_000, 100_000, 1_000_000)
STATE_KEYS, SUSPENDED, IN_FLIGHT, EXPIRED = 100_000, 10_000, 10_000, 100_000
STEPS = (1_000, 10_000)
LATE_SENDS = 2_000
CELLS = (
    Cell(Workload("no-op", "/Bench/noop"), 64),
    Cell(Workload("2,000 keys", "/Counter/{key}/add", keys=2_000), 64),
)
COUNT = "SELECT COUNT(*) AS count FROM sys_invocation"
Fill = Callable[[Filler], Awaitable[None]]


class ReadyServer(DefaultServer):
    """Ready when both ports answer: counting a million rows is no part of starting."""

    async def _ready(self) -> bool:
        async with httpx.AsyncClient() as client:
            try:
                urls = (f"{self.ingress_url}/restate/health", f"{self.admin_url}/health")
                return all([(await client.get(url)).status_code == 200 for url in urls])
            except httpx.TransportError:
                return False

    async def timed_start(self) -> float:
        began = perf_counter()
        await self.start()
        return perf_counter() - began


class Place:
    """A server over a folder of its own, filled while it is stopped."""

    def __init__(self, name: str, folder: Path, env: dict[str, str] | None = None) -> None:
        self.name = name
        self.server = ReadyServer("rtour", folder / name.replace(" ", "_"), env=env or {})
        self.data = self.server.folder / "data"

    async def prepare(self, uri: str, fill: Fill) -> None:
        """Register the services, then fill."""
        await self.server.start()
        self.deployment_id = await self.server.register(uri)
        self.server.stop()
        await self.fill(fill)

    async def fill(self, fill: Fill) -> None:
        async with Filler(self.data, self.deployment_id) as filler:
            await fill(filler)

    def bytes(self) -> int:
        """What the folder takes on the disk."""
        return sum(path.stat().st_size for path in self.data.iterdir() if path.is_file())

    def setup(self, endpoint: Child) -> Setup:
        child = self.server._child
        assert child is not None
        own = (family(child), family(endpoint))
        return Setup(self.name, self.server.ingress_url, *own, is_peer=False, started_in_s=0)


def places(folder: Path, scale: float) -> dict[Place, Fill]:
    """Each with what it is filled with."""

    def of(name: str, fill: Fill) -> tuple[Place, Fill]:
        return Place(name, folder), fill

    stored = [int(size * scale) for size in STORED]
    keys, suspended = int(STATE_KEYS * scale), int(SUSPENDED * scale)
    return dict(
        [
            *(of(f"{n:,} stored", lambda filler, n=n: filler.finished(n)) for n in stored),  # type: ignore[misc]
            of(f"{keys:,} keys of state", lambda filler: filler.counted(keys)),
            of(f"{suspended:,} suspended", lambda filler: filler.suspended(suspended)),
        ]
    )


async def compare(
    known: dict[Place, Fill], uri: str, endpoint: Child, options: argparse.Namespace, done: Results
) -> None:
    """The same loads on every place, in turns."""
    setups: list[Setup] = []
    for place, fill in known.items():
        began = perf_counter()
        await place.prepare(uri, fill)
        done.note_once(place.name, "filled_s", perf_counter() - began)
        done.note_once(place.name, "filled_bytes", place.bytes())
        done.note_once(place.name, "start_s", await place.server.timed_start())
        setups.append(place.setup(endpoint))
        done.note_once(place.name, "idle_mb", setups[-1].server.resident_mb())
        setups[-1].freeze()
    for number in range(options.rounds + 1):
        for cell in CELLS:
            for setup in setups:
                setup.thaw()
                figures = await measure_once(setup, cell, options.seconds)
                setup.freeze()
                for figure, value in figures.items():
                    if number:  # the first one warms up
                        done.note(setup.name, cell.name, figure, value)
    for place, setup in zip(known, setups, strict=True):
        setup.thaw()
        place.server.stop()


async def crash(place: Place, endpoint: Child, scale: float, done: Results) -> None:
    """Kill a full server with much in flight, whose service does not answer, and start it again."""
    services = family(endpoint)
    in_flight, late = int(IN_FLIGHT * scale), int(LATE_SENDS * scale) or 1
    await place.fill(lambda filler: filler.running(in_flight))
    services.freeze()
    await place.server.start()
    sends = Load(f"{place.server.ingress_url}/Bench/noop/send", 16, 60, requests=late)
    assert not send_load(sends).failures
    place.server.kill()
    done.note_once("recovery", "in_flight", in_flight + late)
    done.note_once("recovery", "ready_s", await place.server.timed_start())
    began = perf_counter()
    services.thaw()
    await eventually("nothing is in flight", lambda: _idle(place), within_s=120)
    done.note_once("recovery", "all_run_s", perf_counter() - began)
    place.server.stop()


async def _idle(place: Place) -> bool:
    rows = await place.server.sql(
        "SELECT COUNT(*) AS count FROM sys_invocation WHERE status != 'completed'"
    )
    return bool(rows[0]["count"] == 0)


async def long_journals(
    place: Place, uri: str, endpoint: Child, done: Results, scale: float
) -> None:
    """CPU and time per step, the replay of all steps included."""

    async def nothing(_filler: Filler) -> None:
        pass

    await place.prepare(uri, nothing)
    await place.server.start()
    setup = place.setup(endpoint)
    async with httpx.AsyncClient(timeout=300) as client:
        for steps in (int(steps * scale) for steps in STEPS):
            server, sdk, began = setup.server.read(), family(endpoint).read(), perf_counter()
            answer = await client.post(f"{setup.url}/Long/run", json=steps)
            took = perf_counter() - began
            assert answer.json() == steps, answer.text
            cell = f"{steps:,} steps and replay"
            server_s = setup.server.read().since(server).cpu_s
            sdk_s = family(endpoint).read().since(sdk).cpu_s
            done.note(place.name, cell, "step_ms", took / steps * 1e3)
            done.note(place.name, cell, "server_cpu_us", server_s / steps * 1e6)
            done.note(place.name, cell, "sdk_cpu_us", sdk_s / steps * 1e6)
    place.server.stop()


async def retention(folder: Path, uri: str, scale: float, done: Results) -> None:
    """Forget what is past its retention; then store as much again."""
    count = int(EXPIRED * scale)
    place = Place("past retention", folder, {"RESTATE_WORKER__CLEANUP_INTERVAL": "1s"})
    await place.prepare(uri, lambda filler: filler.finished(count, retention_ms=1))
    done.note_once(place.name, "invocations", count)
    done.note_once(place.name, "full_bytes", place.bytes())
    await place.server.start()
    began = perf_counter()

    async def forgotten() -> bool:
        return bool((await place.server.sql(COUNT))[0]["count"] == 0)

    await eventually("all are forgotten", forgotten, within_s=120)
    done.note_once(place.name, "forgotten_s", perf_counter() - began)
    place.server.stop()
    done.note_once(place.name, "empty_bytes", place.bytes())
    await place.fill(lambda filler: filler.finished(count))
    done.note_once(place.name, "refilled_bytes", place.bytes())


async def measure(options: argparse.Namespace, done: Results) -> None:
    with tempfile.TemporaryDirectory(prefix="rtour-growth-", dir=options.folder) as name:
        folder, scale = Path(name), options.scale
        workshop = Workshop(folder)
        known = places(folder, scale)
        try:
            endpoint, uri = await workshop.endpoint("rtour")
            await compare(known, uri, endpoint, options, done)
            print("compared", file=sys.stderr)
            largest = list(known)[len(STORED) - 1]
            await crash(largest, endpoint, scale, done)
            print("recovered", file=sys.stderr)
            for sdk in ("rtour", "python"):
                place = Place(f"journal of the {sdk} SDK", folder)
                served, at = await workshop.endpoint(sdk)
                await long_journals(place, at, served, done, scale)
            print("replayed", file=sys.stderr)
            await retention(folder, uri, scale, done)
        finally:
            for place in known:
                place.server.stop()
            workshop.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--folder", help="where the data goes; its disk is what is measured")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    done = begin(options)
    asyncio.run(measure(options, done))
    print(growth_report.markdown(done))
    if options.json:
        results.save(done, options.json)


if __name__ == "__main__":
    main()

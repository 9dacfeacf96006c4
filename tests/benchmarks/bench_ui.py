"""The terminal UI over a full server: `python -m tests.benchmarks.bench_ui`.

A server with 100,000 stored invocations; `rtour ui` on a terminal of 160x50, as its users start it.
Printed: from the start of the process to the first rows, the process's memory after a tour of its
places, from a key to what it leads to, and what looking on costs while nothing changes.
Exits with 1 if the first screen or the memory misses what issue 7 asks for.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.benchmarks.filling import Filler
from tests.benchmarks.growth import Place
from tests.benchmarks.probes import Family
from tests.benchmarks.setups import Workshop
from tests.benchmarks.terminal import Terminal

SIZE = (160, 50)
PAGE = SIZE[1] - 5  # the places, the census, the titles, the keys; and one row is seen twice
FIRST_SCREEN_S, MEMORY_MB = 1.0, 150.0
IDLE_S = 10.0
IDS = "SELECT id FROM sys_invocation inv ORDER BY inv.created_at DESC, inv.id"
# What each place shows when it has read.
PLACES = {
    b"2": b"VirtualObject",
    b"3": b"Counter/k1",
    b"4": b"keep it running",
    b"6": b"Slowest handlers",
}


class Bench:
    """One UI on one server."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._failed = False

    def say(self, what: str, figure: float, unit: str, goal: float | None = None) -> None:
        missed = goal is not None and figure > goal
        self._failed |= missed
        bound = "" if goal is None else f"  (at most {goal:g}{': MISSED' if missed else ''})"
        print(f"{what:<44} {figure:>8.2f} {unit}{bound}", flush=True)

    async def run(self, rounds: int) -> bool:
        rows = await self._place.server.sql(IDS)
        ids = [str(row["id"]).encode() for row in rows]
        print(f"{len(ids):,} invocations; medians of {rounds}")
        firsts, used = [], []
        for _ in range(rounds):
            terminal = self._open()
            firsts.append(terminal.until(ids[0]) - terminal.began)
            used.append(Family(terminal.pid).read().cpu_s)
            terminal.stop()
        self.say("first screen", median(firsts), "s", FIRST_SCREEN_S)
        self.say("the quickest of them", min(firsts), "s")
        self.say("CPU of the UI up to then", median(used), "s")
        terminal = self._open()
        try:
            terminal.until(ids[0])
            self._scroll(terminal, ids, rounds)
            self._look_on(terminal)
            for key, shown in PLACES.items():
                began = terminal.press(key)
                self.say(f"to place {key.decode()}", terminal.until(shown) - began, "s")
            self.say("memory", Family(terminal.pid).resident_mb(), "MB", MEMORY_MB)
        finally:
            terminal.stop()
        return not self._failed

    def _open(self) -> Terminal:
        server = self._place.server
        env = {"RESTATE_ADMIN_URL": server.admin_url, "RESTATE_INGRESS_URL": server.ingress_url}
        env |= {"HOME": str(server.folder), "XDG_STATE_HOME": str(server.folder / "state")}
        return Terminal([sys.executable, "-m", "rtour", "ui"], SIZE, env)

    def _scroll(self, terminal: Terminal, ids: list[bytes], rounds: int) -> None:
        down, ends = [], []
        for number in range(1, 5 * rounds + 1):
            began = terminal.press(b"\x1b[6~")
            down.append(terminal.until(ids[number * PAGE]) - began)
        self.say("a page down", median(down), "s")
        self.say("the slowest page down", max(down), "s")
        for _ in range(rounds):
            began = terminal.press(b"G")
            ends.append(terminal.until(ids[-1]) - began)
            terminal.press(b"g")
            terminal.until(ids[0])
        self.say("to the end of the list", median(ends), "s")
        terminal.press(b"/")
        began = terminal.press(b"add")
        found = b"%d succeeded" % (len(ids) // 10)
        self.say("a filter of three letters", terminal.until(found) - began, "s")
        terminal.press(b"\x1b")
        terminal.until(ids[0])

    def _look_on(self, terminal: Terminal) -> None:
        """The share of a core that reading once a second takes."""
        family = Family(terminal.pid)
        before, began = family.read(), perf_counter()
        terminal.read_for(IDLE_S)
        used = family.read().since(before).cpu_s
        self.say("CPU of the UI while nothing changes", used / (perf_counter() - began) * 100, "%")


async def measure(options: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory(prefix="rtour-bench-ui-", dir=options.folder) as name:
        workshop = Workshop(Path(name))
        place = Place("ui", Path(name))

        async def fill(filler: Filler) -> None:
            await filler.counted(options.invocations // 10)
            await filler.suspended(options.invocations // 10)
            await filler.finished(options.invocations - 2 * (options.invocations // 10))

        try:
            _, uri = await workshop.endpoint("rtour")
            await place.prepare(uri, fill)
            await place.server.start()
            return await Bench(place).run(options.rounds)
        finally:
            place.server.stop()
            workshop.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--invocations", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where the data goes")
    sys.exit(0 if asyncio.run(measure(parser.parse_args())) else 1)


if __name__ == "__main__":
    main()

"""What reading costs invoking: `python -m tests.benchmarks.bench_queries`.

64 connections call a no-op on rtour's server, by turns alone and beside 20 clients that query as
fast as they are answered. All share the machine, the generators too, so the figure is what a user
with this many cores sees. Printed: the throughput beside queries over the throughput alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks import load
from tests.benchmarks.loads import Load, Report
from tests.benchmarks.setups import REPOSITORY, DefaultServer, Workshop
from tests.conformance import oracles

CONNECTIONS = 64
CLIENTS = 20


def asking(url: str, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.benchmarks.asking", url, str(CLIENTS), str(seconds)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


async def measure(rounds: int, seconds: float, sdk: str) -> None:
    with tempfile.TemporaryDirectory(prefix="rtour-bench-") as name:
        folder = Path(name)
        workshop = Workshop(folder)
        server = DefaultServer("rtour", folder / "rtour", env={})
        _, uri = await workshop.endpoint(sdk)
        await server.start()
        await server.register(uri)
        wanted = Load(f"{server.ingress_url}/Bench/noop", CONNECTIONS, seconds)
        ratios, answers = [], []
        for turn in range(rounds + 1):  # the first one warms up and does not count
            alone = load.run(wanted)
            asked = asking(server.admin_url, seconds)
            beside = load.run(wanted)
            answer = json.loads(asked.communicate(timeout=120)[0])
            assert not (alone.failures + beside.failures + answer["failures"]), answer
            if turn:
                ratios.append(rate(beside) / rate(alone))
                answers.append(answer)
        server.stop()
        workshop.stop()
    show(ratios, answers)


def rate(report: Report) -> float:
    return report.requests / report.seconds


def show(ratios: list[float], answers: list[dict[str, float]]) -> None:
    each = " ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"throughput beside queries / alone: {median(ratios):.2f} ({each})")
    for figure in ("questions", "p50_ms", "p99_ms"):
        print(f"{figure} of {CLIENTS} clients: {median(a[figure] for a in answers):.1f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--sdk", choices=["python", "typescript"], default="python")
    options = parser.parse_args()
    oracles.install()
    asyncio.run(measure(options.rounds, options.seconds, options.sdk))


if __name__ == "__main__":
    main()

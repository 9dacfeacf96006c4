"""What a stored invocation costs: CPU and commits of a no-op, by size of batch.

    python tests/benchmarks/bench_storage.py [invocations] [--steps]

An invocation is two records in two batches, as in the server: accepted with its input, ended with
its output and result. CPU is that of the whole process, loop and threads, without the records'
own making; wall time depends on the disk. `--steps` shows where a commit's CPU goes.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from rtour import ids
from rtour.engine import changes as c
from rtour.engine.model import (
    Entry,
    FromIngress,
    Invocation,
    RequestSink,
    Status,
    Target,
)
from rtour.protocol.messages import Value
from rtour.storage import plan, writer
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import SqliteStorage

RANDOM = random.Random(1)
DAY_MS = 86_400_000
TARGET = Target("Greeter", "greet")


def accepted(number: int) -> list[c.Change]:
    """The changes of the record that accepts an invocation."""
    invocation = Invocation(
        id=ids.make_invocation_id(RANDOM.getrandbits(64), RANDOM.getrandbits(128)),
        number=number,
        target=TARGET,
        status=Status.INVOKED,
        source=FromIngress(),
        created_at=number,
        modified_at=number,
        completion_retention_ms=DAY_MS,
        journal_retention_ms=DAY_MS,
        idempotency_key=f"01kavxy5wm7q8h2t4r6{number:07d}",
        sinks=(RequestSink(number),),
        attempt=1,
        journal_length=1,
        commands=1,
        running_at=number,
    )
    entry = Entry(0, 0x0400, RANDOM.randbytes(60), number)
    return [c.PutInvocation(invocation), c.AppendEntry(invocation.id, number, entry)]


def ended(invocation: Invocation, at: int) -> list[c.Change]:
    """The changes of the records that store its output and end it."""
    stored = msgspec.structs.replace(
        invocation,
        journal_length=2,
        commands=2,
        output_index=1,
        deployment_id="dp_11nGQpCRmau6ypL82KH2TnP",
        protocol_version=6,
        modified_at=at,
    )
    final = msgspec.structs.replace(
        stored, status=Status.COMPLETED, sinks=(), completed_at=at, result=Value(b'"hello"')
    )
    entry = Entry(1, 0x0401, b"\x72\x07" + b'"hello"', at)
    append = c.AppendEntry(invocation.id, invocation.number, entry)
    return [c.PutInvocation(stored), append, c.PutInvocation(final)]


def batches(total: int, size: int) -> list[list[tuple[int, list[c.Change]]]]:
    """All batches of `total` invocations: one that accepts, one that ends, and so on."""
    made = []
    sequence = 0
    for _ in range(total // size):
        starts, ends = [], []
        for _ in range(size):
            sequence += 1
            starts.append((sequence, accepted(sequence)))
        for _, changes in starts:
            sequence += 1
            assert isinstance(changes[0], c.PutInvocation)
            ends.append((sequence, ended(changes[0].invocation, sequence)))
        made += [starts, ends]
    return made


async def run(storage: SqliteStorage, work: list[list[tuple[int, list[c.Change]]]]) -> None:
    loop = asyncio.get_running_loop()
    for batch in work:
        for sequence, changes in batch:
            if sequence == changes[0].invocation.number:  # type: ignore[union-attr]
                storage.view.invocation(changes[0].invocation.id)  # type: ignore[union-attr]
            storage.write(changes, sequence=sequence, at=sequence)
        durable = loop.create_future()
        storage.commit(durable.set_result)
        error = await durable
        assert error is None, error


def measure(where: CommitIn, size: int, total: int) -> str:
    work = batches(total, size)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        storage = SqliteStorage(Path(folder), SqliteSettings(commit_in=where))
        wall, cpu = time.perf_counter(), os.times()
        asyncio.run(run(storage, work))
        wall, spent = time.perf_counter() - wall, os.times()
        storage.close()
    user, system = spent.user - cpu.user, spent.system - cpu.system
    return (
        f"{where.value:7}{size:6}{(user + system) / total * 1e6:12.0f}"
        f"{user / total * 1e6:8.0f}{system / total * 1e6:8.0f}"
        f"{wall / len(work) * 1e3:16.3f}{total / wall:9.0f}"
    )


STEPS: collections.Counter[str] = collections.Counter()


def watch_steps() -> None:
    """Time each kind of statement."""
    names = {
        sql: name for name, sql in vars(plan).items() if name.isupper() and isinstance(sql, str)
    }

    class Watched:
        """A connection or cursor with a stopwatch."""

        def __init__(self, watched: Any) -> None:
            self._watched = watched

        def __getattr__(self, name: str) -> Any:
            return getattr(self._watched, name)

        def cursor(self) -> Watched:
            return Watched(self._watched.cursor())

        def execute(self, sql: str) -> Any:
            return self._timed(sql.split(maxsplit=1)[0], lambda: self._watched.execute(sql))

        def executemany(self, sql: str, rows: object) -> Any:
            return self._timed(names[sql], lambda: self._watched.executemany(sql, rows))

        def _timed(self, name: str, call: Callable[[], Any]) -> Any:
            started = time.thread_time()
            try:
                return call()
            finally:
                STEPS[name] += time.thread_time() - started

    make = writer.Writer.__init__

    def watched(self: writer.Writer, connection: object, *rest: object) -> None:
        make(self, Watched(connection), *rest)

    writer.Writer.__init__ = watched


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("invocations", type=int, nargs="?", default=8000)
    parser.add_argument("--steps", action="store_true")
    options = parser.parse_args()
    if options.steps:
        watch_steps()
    print("commit  batch  us CPU/inv    user  kernel  ms wall/commit    inv/s")
    for where in (CommitIn.LOOP, CommitIn.THREAD):
        for size in (1, 8, 64):
            total = min(options.invocations, 1000 * size)
            STEPS.clear()
            print(measure(where, size, total))
            for name, seconds in STEPS.most_common():
                print(f"{'':8}{name:22}{seconds / total * 1e6:6.1f} us/inv")


if __name__ == "__main__":
    main()

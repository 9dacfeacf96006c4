"""Fills a storage and tells what memory that took: `python filling.py FOLDER INVOCATIONS`.

A process of its own, so that nothing else is measured.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from rtour import ids
from rtour.engine import changes as c
from rtour.engine.model import (
    Entry,
    FromIngress,
    HandlerType,
    Invocation,
    ServiceType,
    Status,
    Target,
)
from rtour.protocol.messages import Value
from rtour.storage.settings import SqliteSettings
from rtour.storage.sqlite import SqliteStorage

BATCH = 100


def peak_kib() -> int:
    """The most memory this process had. Not by getrusage: a child's begins with its parent's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("/proc/self/status has no VmHWM")


def finished(number: int) -> list[c.Change]:
    """An invocation that ended, one in a hundred asleep, and the state it left."""
    key = f"key-{number // 10}"
    scattered = number * 0x9E3779B97F4A7C15 % 2**64
    asleep = number % 100 == 0
    target = Target("Counter", "add", key, ServiceType.VIRTUAL_OBJECT, HandlerType.EXCLUSIVE)
    invocation = Invocation(
        id=ids.make_invocation_id(scattered, number),
        number=number,
        target=target,
        status=Status.SUSPENDED if asleep else Status.COMPLETED,
        source=FromIngress(),
        created_at=number,
        modified_at=number,
        completion_retention_ms=86_400_000,
        journal_retention_ms=86_400_000,
        idempotency_key=f"{scattered:026d}",
        journal_length=2,
        completed_at=None if asleep else number,
        result=None if asleep else Value(b"42"),
    )
    entries = [Entry(index, 0x0400 + index, b"x" * 60, number) for index in range(2)]
    return [
        c.PutInvocation(invocation),
        *(c.AppendEntry(invocation.id, number, entry) for entry in entries),
        c.PutState("Counter", key, b"count", str(number).encode()),
    ]


async def fill(folder: Path, invocations: int) -> None:
    """Write them, and print the peak of memory after a tenth and at the end."""
    storage = SqliteStorage(folder, SqliteSettings(sync=False))
    loop = asyncio.get_running_loop()
    for number in range(1, invocations + 1):
        storage.write(finished(number), sequence=number, at=number)
        if number % BATCH == 0:
            durable = loop.create_future()
            storage.commit(durable.set_result)
            assert await durable is None
        if number in {invocations // 10, invocations}:
            print(peak_kib(), flush=True)
    storage.close()


if __name__ == "__main__":
    asyncio.run(fill(Path(sys.argv[1]), int(sys.argv[2])))

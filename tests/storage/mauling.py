"""A data file with rows of every table, all that can be asked of it, and bits that flip."""

from __future__ import annotations

import enum
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rtour.engine import changes as c
from rtour.engine.model import (
    CallerSink,
    DocumentKind,
    InboxItem,
    Invocation,
    Promise,
    RequestSink,
    Status,
    Telling,
)
from rtour.protocol.messages import Failure, Value
from rtour.storage.failures import StorageError
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import SqliteStorage

from . import values as v

INVOCATIONS = 60
OBJECTS = 12
SETTINGS = SqliteSettings(
    commit_in=CommitIn.LOOP,
    sync=False,
    checkpoint_rows=1 << 60,
    carry_after_s=60,  # when told to
    step_bytes=4096,
)


def invocations() -> Iterator[Invocation]:
    """Of every status and kind of result, with journals of three entries."""
    for number in range(1, INVOCATIONS + 1):
        status = list(Status)[number % len(Status)]
        result = Value(b"result %d" % number) if number % 3 else Failure(409, f"no {number}")
        yield v.invocation(
            number,
            status=status,
            journal_length=3,
            idempotency_key=f"key {number}" if number % 2 else None,
            completed_at=number if status is Status.COMPLETED else None,
            result=result if status is Status.COMPLETED else None,
        )


def changes() -> Iterator[list[c.Change]]:
    """What is stored, record by record."""
    for made in invocations():
        entries = [
            v.entry(index, raw=b"entry %d/%d " % (made.number, index) * 4) for index in range(3)
        ]
        yield [c.PutInvocation(made), *v.journal(made, *entries)]
    for number in range(OBJECTS):
        item = InboxItem(1000 + number, f"inv_{number + 1}")
        yield [
            c.PutLock("Cart", f"k{number}", f"inv_{number + 1}"),
            c.PutInboxItem("Cart", f"k{number}", item),
            *(c.PutState("Cart", f"k{number}", b"n%d" % n, b"value %d" % n) for n in range(3)),
            c.PutPromise("Cart", f"k{number}", "done", Promise(Value(b"kept %d" % number))),
            c.PutTimer(v.timer(number + 5)),
            c.PutWaiter("inv_1", 1, CallerSink(f"inv_{number + 1}", number + 1, 7, 0x8012)),
            c.PutWaiter("inv_2", 2, RequestSink(1 << 60 | number)),
            c.PutTelling(Telling("inv_1", number + 1, Value(b"told %d" % number))),
            c.PutDocument(DocumentKind.DEPLOYMENT, f"dp_{number}", b'{"number": %d}' % number),
        ]


class Left(enum.Enum):
    """What a life leaves behind its second half in: a kill the last two, an end the first."""

    DATABASE = "rtour.db"
    LOG = "rtour.db-wal"
    LEDGER = "rtour.db-ledger-0"


async def fill(folder: Path, left: Left) -> None:
    """Store it all."""
    live = folder.with_name(f"{folder.name}-live")
    storage = SqliteStorage(live, SETTINGS)
    for sequence, record in enumerate(changes(), 1):
        storage.write(record, sequence=sequence, at=sequence)
        if sequence % 9 == 0:
            await (v.durable if left is Left.LEDGER else v.committed)(storage)
        if sequence == INVOCATIONS // 2:
            await storage.carried()
            storage._writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    await v.durable(storage)
    if left is Left.LOG:
        await storage.carried()
    if left is not Left.DATABASE:
        shutil.copytree(live, folder, ignore=shutil.ignore_patterns("*-shm"))
    storage.close()
    if left is Left.DATABASE:
        shutil.copytree(live, folder)
    shutil.rmtree(live)


def everything(folder: Path) -> dict[str, Any]:
    """All that the server may ask of a storage. Raises what keeps it from an answer."""
    storage = SqliteStorage(folder, SETTINGS)
    try:
        return dict(_answers(storage))
    finally:
        storage.close()


def _answers(storage: SqliteStorage) -> Iterator[tuple[str, Any]]:
    yield "recovered", storage.recover()
    yield "running", storage.running_after(0, 1 << 30)
    view = storage.view
    for number in range(1, INVOCATIONS + 2):
        found = view.invocation(f"inv_{number}")
        yield f"invocation {number}", found
        if found is not None:
            yield f"journal {number}", view.entries(found)
    for number in range(OBJECTS + 1):
        key = f"k{number}"
        yield f"lock {key}", view.lock("Cart", key)
        yield f"inbox {key}", list(view.inbox("Cart", key))
        yield f"state {key}", view.all_state("Cart", key)
        yield f"one of the state {key}", view.state("Cart", key, b"n1")
        yield f"promise {key}", view.promise("Cart", key, "done")
    for number in range(1, OBJECTS + 2):
        yield f"waiters {number}", view.waiters("inv_1", number, 1000)
        yield f"telling {number}", view.telling("inv_1", number)
    yield "timers", storage.timers_after(None, 1000)
    yield "expired", storage.expired(1 << 50, 1000)


def copied(folder: Path, copy: Path) -> None:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)


def flipped(folder: Path, copy: Path, name: str, bit: int) -> None:
    """A copy of the folder with one bit of one file the other way round."""
    copied(folder, copy)
    content = bytearray((folder / name).read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    (copy / name).write_bytes(content)


GOOD = ("right", "reported", "warned")


def outcome(folder: Path, truth: dict[str, Any]) -> str:
    """One of `GOOD`, or what was served wrongly without a word."""
    warnings = Warnings()
    logger = logging.getLogger("rtour.storage")
    logger.addHandler(warnings)
    try:
        found = everything(folder)
    except StorageError:
        return "reported"
    finally:
        logger.removeHandler(warnings)
    wrong = [what for what in truth if found.get(what) != truth[what]]
    if wrong:
        return "warned" if warnings.seen else f"served wrongly: {wrong[:3]}"
    return "right"


class Warnings(logging.Handler):
    """Whether there was one."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen = False

    def emit(self, record: logging.LogRecord) -> None:
        self.seen = True

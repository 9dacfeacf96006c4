"""Storages of any size, quickly: real commands, decided by the engine, stored by the storage.

What the server adds (sockets, a commit for every few commands, a disk that is waited for) is left
out; the rows are those that it would have stored.

    async with Filler(folder, deployment_id) as filler:
        await filler.finished(1_000_000)
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Self

from rtour import ids
from rtour.clock import SystemClock
from rtour.engine.apply import apply
from rtour.engine.commands import (
    AttemptEnded,
    AttemptSuspended,
    Command,
    Invoke,
    Record,
    StoreEntry,
)
from rtour.engine.model import FromIngress, HandlerType, ServiceType, Target
from rtour.protocol.framing import encode
from rtour.protocol.messages import Combinator, Future, Output, SetState, Sleep, Value
from rtour.protocol.messages import Command as CommandEntry
from rtour.storage.settings import SqliteSettings
from rtour.storage.sqlite import SqliteStorage

BATCH_INVOCATIONS = 2_000
DAY_MS = 86_400_000
FRAME_HEADER_BYTES = 8
NOOP = Target("Bench", "noop")
PROTOCOL = 6


class Filler:
    """Writes into a folder that no server has open; `seed` makes other ids each time."""

    def __init__(self, folder: Path, deployment_id: str, seed: int = 0) -> None:
        self.storage = SqliteStorage(folder, SqliteSettings(sync=False, checkpoint_rows=100_000))
        recovered = self.storage.recover()
        self._sequence = recovered.last_sequence
        self._clock = SystemClock()
        self._at = recovered.last_at
        self._deployment_id = deployment_id
        self._random = Random(seed or recovered.last_sequence)
        self._uncommitted = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._commit()
        self.storage.close()

    async def finished(self, count: int, retention_ms: int = DAY_MS) -> None:
        """No-ops that ran and are kept for their retention."""
        for _ in range(count):
            id_ = self._invoke(NOOP, retention_ms)
            self._store(id_, 1, Output(Value(b'"x"')))
            self._apply(AttemptEnded(id_, 1))
            await self._next()

    async def counted(self, keys: int) -> None:
        """One call of Counter/add on each of the keys k0, k1, …, which leaves state."""
        for number in range(keys):
            kind = ServiceType.VIRTUAL_OBJECT
            target = Target("Counter", "add", f"k{number}", kind, HandlerType.EXCLUSIVE)
            id_ = self._invoke(target, DAY_MS)
            self._store(id_, 1, SetState(b"value", b"1"))
            self._store(id_, 2, Output(Value(b"1")))
            self._apply(AttemptEnded(id_, 1))
            await self._next()

    async def suspended(self, count: int) -> None:
        """Invocations asleep for a day."""
        for _ in range(count):
            id_ = self._invoke(NOOP, DAY_MS)
            self._store(id_, 1, Sleep(self._at + DAY_MS, 1))
            awaiting = Future(completions=(1,), combinator=Combinator.FIRST_COMPLETED)
            self._apply(AttemptSuspended(id_, 1, awaiting, 0))
            await self._next()

    async def running(self, count: int) -> None:
        """Invocations that were accepted, and whose attempts a server has to start again."""
        for _ in range(count):
            self._invoke(NOOP, DAY_MS)
            await self._next()

    def _invoke(self, target: Target, retention_ms: int) -> str:
        random = self._random
        # As the server would stamp them: a list in the order of time finds an order.
        self._at = max(self._at, self._clock.now_ms())
        id_ = ids.make_invocation_id(random.getrandbits(64), random.getrandbits(128))
        self._apply(
            Invoke(
                id=id_,
                target=target,
                source=FromIngress(),
                body=b'"x"',
                completion_retention_ms=retention_ms,
                journal_retention_ms=retention_ms,
                idempotency_key=f"{random.getrandbits(64):026d}",
                fresh=True,
            )
        )
        return id_

    def _store(self, id_: str, index: int, entry: CommandEntry) -> None:
        frame = encode(entry)
        type_ = int.from_bytes(frame[:2], "big")
        raw = frame[FRAME_HEADER_BYTES:]
        self._apply(StoreEntry(id_, 1, index, entry, type_, raw, self._deployment_id, PROTOCOL))

    def _apply(self, command: Command) -> None:
        pending = [command]
        while pending:
            self._sequence += 1
            record = Record(self._sequence, self._at, pending.pop(0))
            decision = apply(self.storage.view, record)
            self.storage.write(decision.changes, sequence=record.sequence, at=record.at)
            pending += decision.messages

    async def _next(self) -> None:
        self._uncommitted += 1
        if self._uncommitted >= BATCH_INVOCATIONS:
            await self._commit()

    async def _commit(self) -> None:
        self._uncommitted = 0
        durable = asyncio.get_running_loop().create_future()
        self.storage.commit(durable.set_result)
        error = await durable
        assert error is None, error

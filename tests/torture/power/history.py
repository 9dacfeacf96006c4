"""Clients of whom it is known at which moment of the disk they asked, and were answered."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from tests.torture.load import Ack, Load

SIZES = {"large": 300_000, "huge": 8 << 20}
"""Of payloads: the large ones fill a volume of the ledger, a huge one goes past it."""
TURNS = {"large": 80, "huge": 2}
_AT_ONCE = 32


class Asked(msgspec.Struct):
    """A request, the disk's position when it was sent, and when it was answered."""

    path: str
    body: Any
    key: str
    at: int
    answered_at: int | None = None
    answer: Any = None

    def was_answered(self, position: int) -> bool:
        return self.answered_at is not None and self.answered_at <= position


class HistoricLoad(Load):
    """As `Load`, with large payloads besides, and a `history` of all requests."""

    def __init__(self, port: int, position: Callable[[], int]) -> None:
        super().__init__(port)
        self.history: list[Asked] = []
        self._position = position
        self._blobs: list[asyncio.Task[None]] = []

    def start(self) -> None:
        super().start()
        loop = asyncio.get_running_loop()
        self._blobs = [loop.create_task(self._digests(kind)) for kind in SIZES]

    async def abandon(self) -> None:
        """Stop in the midst of whatever it is."""
        tasks = [*self._tasks, *self._blobs]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def digested(self) -> None:
        """Until all large payloads are answered."""
        await asyncio.gather(*self._blobs)

    async def _digests(self, kind: str) -> None:
        client = self.client()
        for turn in range(TURNS[kind]):
            await self._insist(client, "/Blob/digest", content(kind, turn), f"{kind} {turn}")
        client.close()

    async def _insist(self, client: Any, path: str, body: Any, key: str) -> Any:
        asked = Asked(path, body, key, self._position())
        self.history.append(asked)
        asked.answer = await super()._insist(client, path, body, key)
        asked.answered_at = self._position()
        return asked.answer


def content(kind: str, turn: int) -> str:
    return f"{kind} {turn} ".ljust(SIZES[kind], "x")


class Aftermath:
    """The clients of a history after the power was cut at a moment of it."""

    def __init__(self, history: list[Asked], position: int) -> None:
        self._asked = [each for each in history if each.at <= position]
        self._position = position
        self.acks: list[Ack] = []
        self.late_ms: list[int] = []
        self.problems: list[str] = []

    @property
    def promised(self) -> int:
        return sum(asked.was_answered(self._position) for asked in self._asked)

    @property
    def open(self) -> int:
        return len(self._asked) - self.promised

    async def ask_again(self, port: int) -> None:
        """Those that were not answered insist; those that were get their answer again.

        Except counts, of which the checker finds the answers in the file.
        """
        load = Load(port)
        waiting = iter(self._asked)
        await asyncio.gather(*(self._ask(load, waiting) for _ in range(_AT_ONCE)))

    async def _ask(self, load: Load, waiting: Iterator[Asked]) -> None:
        client = load.client()
        for asked in waiting:
            answer = asked.answer
            was_answered = asked.was_answered(self._position)
            if not (was_answered and asked.path.startswith("/Counter/")):
                answer = await load._insist(client, asked.path, asked.body, asked.key)
            if was_answered and answer != asked.answer:
                self.problems.append(f"{asked.key} was told {asked.answer}, is told {answer}")
            self._note(asked, answer)
        client.close()

    def _note(self, asked: Asked, answer: Any) -> None:
        if asked.path == "/Alarm/ring":
            self.late_ms.append(answer)
            if answer < 0:
                self.problems.append(f"{asked.key} was {-answer} ms early")
        elif asked.path == "/Blob/digest":
            if answer != hashlib.sha256(asked.body.encode()).hexdigest():
                self.problems.append(f"{asked.key}: {answer} is not its digest")
        else:
            counter = asked.path.split("/")[2]
            self.acks.append(Ack(asked.key, counter, answer["value"], answer["effect"]))

"""Clients that insist: every operation has its idempotency key and is repeated until answered."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from itertools import count
from typing import Any

import msgspec

CONNECTIONS = 64
COUNTERS = 16
PATIENCE_S = 10.0
ALARM_MS = 300
AGAIN_S = 0.1
ANSWERED_S = 60.0


class Ack(msgspec.Struct, frozen=True):
    """What a client was promised."""

    op: str
    counter: str
    value: int
    effect: str


class Load:
    """64 connections, each busy with one operation after the other, until told to stop."""

    def __init__(
        self, port: int, connections: int = CONNECTIONS, patience_s: float = PATIENCE_S
    ) -> None:
        self.acks: list[Ack] = []
        self.late_ms: list[int] = []
        self.lost_connections = 0
        self.gave_up = 0
        """Of those, how often a client waited longer than it has patience."""
        self.refusals: Counter[int] = Counter()
        """Answers that say to come back later, by status."""
        self._patience_s = patience_s
        self._port = port
        self.connections = connections
        self._stopping = False
        self._acknowledged = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        for number in range(self.connections):
            work = self._alarms(number) if number % 16 == 15 else self._adds(number)
            self._tasks.append(asyncio.get_running_loop().create_task(work))

    def be_patient(self) -> None:
        """From the next request on."""
        self._patience_s = PATIENCE_S

    async def answered(self, count: int) -> None:
        """Waits until so many counts, of all that were ever begun, are acknowledged."""
        async with asyncio.timeout(ANSWERED_S):
            while len(self.acks) < count:
                self._acknowledged.clear()
                await self._acknowledged.wait()

    async def finish(self) -> None:
        """Begin nothing new, and wait until all that was begun is answered."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    def client(self) -> Client:
        return Client(self._port)

    async def _adds(self, connection: int) -> None:
        counter = f"k{connection % COUNTERS}"
        client = self.client()
        for turn in count():
            if self._stopping:
                break
            op = f"{connection}-{turn}"
            answer = await self._insist(client, f"/Counter/{counter}/add", op, op)
            self.acks.append(Ack(op, counter, answer["value"], answer["effect"]))
            self._acknowledged.set()
        client.close()

    async def _alarms(self, connection: int) -> None:
        client = self.client()
        for turn in count():
            if self._stopping:
                break
            op = f"alarm {connection}-{turn}"
            self.late_ms.append(await self._insist(client, "/Alarm/ring", ALARM_MS, op))
        client.close()

    async def _insist(self, client: Client, path: str, body: Any, key: str) -> Any:
        while True:
            try:
                async with asyncio.timeout(self._patience_s):
                    status, raw = await client.post(path, json.dumps(body).encode(), key)
            except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError) as error:
                self.lost_connections += 1
                self.gave_up += type(error) is TimeoutError
                client.close()
                await asyncio.sleep(AGAIN_S)
                continue
            if status == 200:
                return json.loads(raw)
            assert status in {429, 503}, f"{path}: {status} {raw!r}"
            self.refusals[status] += 1
            await asyncio.sleep(AGAIN_S)


class Client:
    """One connection of HTTP/1.1, as little of it as will do."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes, key: str) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        head = (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            f"idempotency-key: {key}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        status_line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in _split(fields)}
        raw = await reader.readexactly(int(headers["content-length"]))
        return int(status_line.split()[1]), raw

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _split(fields: list[str]) -> list[tuple[str, str, str]]:
    return [field.partition(":") for field in fields if field]

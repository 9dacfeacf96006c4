"""The rows that the tests of this folder look at."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from rtour import ids
from rtour.engine import changes as c
from rtour.engine.model import (
    DocumentKind,
    Entry,
    FromIngress,
    HandlerType,
    Invocation,
    ServiceType,
    Status,
    Target,
)
from rtour.protocol.messages import Failure, Future, Value
from rtour.storage.introspection import LiveAttempt
from rtour.storage.sqlite import SqliteStorage

AT_MS = 1_700_000_000_000
GREETER = Target("Greeter", "greet")
CART = Target("Cart", "add", "ada", ServiceType.VIRTUAL_OBJECT, HandlerType.EXCLUSIVE)


def invocation_id(number: int) -> str:
    return ids.make_invocation_id(ids.key_partition("ada"), number)


DONE, FAILED, RUNNING, RETRYING, ASLEEP, WAITING = (invocation_id(n) for n in range(1, 7))
LIVE = [
    LiveAttempt(RUNNING, in_flight=True, retry_count=1, last_start_at=AT_MS),
    LiveAttempt(RETRYING, in_flight=False, retry_count=3, last_failure="[500 Internal] smtp 451"),
]


def _invocation(number: int, status: Status, target: Target = GREETER, **more: Any) -> Invocation:
    plain = Invocation(
        id=invocation_id(number),
        number=number,
        target=target,
        status=status,
        source=FromIngress(),
        created_at=AT_MS + number * 1000,
        modified_at=AT_MS + number * 1000,
        completion_retention_ms=86_400_000,
        journal_retention_ms=0,
        journal_length=1,
    )
    return msgspec.structs.replace(plain, **more)


CHANGES: tuple[c.Change, ...] = (
    c.PutInvocation(_invocation(1, Status.COMPLETED, completed_at=AT_MS, result=Value(b'"hi"'))),
    c.PutInvocation(_invocation(2, Status.COMPLETED, result=Failure(403, "card was refused"))),
    c.PutInvocation(_invocation(3, Status.INVOKED, CART)),
    c.PutInvocation(_invocation(4, Status.INVOKED)),
    c.PutInvocation(
        _invocation(5, Status.SUSPENDED, awaiting=Future(completions=(1, 2), signals=(17,)))
    ),
    c.PutInvocation(_invocation(6, Status.INBOXED, CART)),
    c.AppendEntry(DONE, 1, Entry(0, 0x0400, b"", AT_MS)),
    c.PutState("Cart", "ada", b"tickets", b'["seat2B"]'),
    c.PutState("Cart", "ada", b"raw", b"\x00\xff"),
    c.PutState("Cart", "o'hara", b"note", "100% ä".encode()),
    c.PutDocument(
        DocumentKind.SERVICE,
        "Greeter",
        b'{"revision": 2, "public": true, "ty": "service", "deployment_id": "dp_1"}',
    ),
    c.PutDocument(
        DocumentKind.DEPLOYMENT,
        "dp_1",
        b'{"uri": "http://localhost:9080/", "created_at": 1700000000000, '
        b'"min_protocol_version": 5, "max_protocol_version": 7, '
        b'"services": [{"manifest": {"name": "Greeter"}}, {"manifest": {"name": "Cart"}}]}',
    ),
)


async def fill(storage: SqliteStorage) -> None:
    storage.write(CHANGES, sequence=10, at=AT_MS)
    durable: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
    storage.commit(durable.set_result)
    assert await durable is None
    await storage.carried()

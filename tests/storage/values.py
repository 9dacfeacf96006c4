"""Engine values for storage tests: plain ones by hand, odd ones by hypothesis."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from hypothesis import strategies as st

from rtour.engine import changes as c
from rtour.engine.model import (
    AttemptError,
    CallerSink,
    Entry,
    Event,
    EventType,
    FromIngress,
    FromRestart,
    FromService,
    FromSubscription,
    HandlerType,
    InboxItem,
    Invocation,
    Promise,
    RequestSink,
    ServiceType,
    StatePatch,
    Status,
    Target,
    Timer,
    TimerKind,
    Trace,
)
from rtour.protocol.messages import Combinator, Failure, Future, Value
from rtour.storage import Storage
from rtour.storage.sqlite import SqliteStorage

replace = msgspec.structs.replace

texts = st.text(max_size=8)
blobs = st.binary(max_size=12)
times = st.integers(0, 2**40)
maybe_time = st.none() | times

targets = st.builds(
    Target,
    service=texts,
    handler=texts,
    key=st.none() | texts,
    service_type=st.sampled_from(ServiceType),
    handler_type=st.none() | st.sampled_from(HandlerType),
)
sources = st.one_of(
    st.just(FromIngress()),
    st.builds(FromService, texts, targets),
    st.builds(FromSubscription, texts),
    st.builds(FromRestart, texts),
)
caller_sinks = st.builds(
    CallerSink, texts, st.integers(1, 99), st.integers(0, 99), st.integers(0x8000, 0xFFFF)
)
one_sink = caller_sinks | st.builds(RequestSink, st.integers(1, 2**60))
sinks = st.lists(one_sink, max_size=2)
failures = st.builds(
    Failure, st.integers(0, 999), texts, st.lists(st.tuples(texts, texts), max_size=2).map(tuple)
)
results = st.builds(Value, blobs) | failures
futures = st.builds(
    Future,
    st.lists(st.integers(0, 9), max_size=2).map(tuple),
    st.lists(st.integers(0, 9), max_size=2).map(tuple),
    st.lists(texts, max_size=2).map(tuple),
    st.lists(st.builds(Future), max_size=2).map(tuple),
    st.sampled_from(Combinator),
)
errors = st.builds(AttemptError, st.integers(0, 999), texts, texts, st.none() | texts)
events = st.builds(Event, st.sampled_from(EventType), st.integers(0, 9), times, st.none() | errors)
promises = st.builds(Promise, st.none() | results, st.lists(caller_sinks, max_size=2).map(tuple))
patches = st.builds(StatePatch, st.dictionaries(blobs, blobs, max_size=2), st.none() | texts)
timer_kinds = st.sampled_from(TimerKind)

born = st.fixed_dictionaries(
    {
        "target": targets,
        "source": sources,
        "created_at": times,
        "completion_retention_ms": st.integers(0, 50),
        "journal_retention_ms": st.integers(0, 50),
        "idempotency_key": st.none() | texts,
        "trace": st.none() | st.builds(Trace, texts, texts),
    }
)
"""What never changes of an invocation."""

grown = st.fixed_dictionaries(
    {
        "modified_at": times,
        "sinks": sinks.map(tuple),
        "attempt": st.integers(0, 9),
        "output_index": st.none() | st.integers(0, 9),
        "deployment_id": st.none() | texts,
        "protocol_version": st.none() | st.integers(5, 7),
        "awaiting": st.none() | futures,
        "pause_requested": st.booleans(),
        "inbox_sequence": st.none() | st.integers(1, 99),
        "scheduled_start_at": maybe_time,
        "scheduled_at": maybe_time,
        "inboxed_at": maybe_time,
        "running_at": maybe_time,
    }
)
"""What may change with any record; the status, journal and result go together."""

living = st.sampled_from([status for status in Status if status is not Status.COMPLETED])


def invocation(number: int = 1, **fields: object) -> Invocation:
    """An invocation that runs, unless `fields` say otherwise."""
    plain: dict[str, object] = {
        "id": f"inv_{number}",
        "target": Target("Greeter", "greet"),
        "status": Status.INVOKED,
        "source": FromIngress(),
        "created_at": 1000,
        "modified_at": 1000,
    }
    return Invocation(**{**plain, "number": number, **fields})


def entry(index: int, raw: bytes = b"raw", type_: int = 0x0404) -> Entry:
    return Entry(index, type_, raw, 1000 + index)


def inbox_item(sequence: int, patch: StatePatch | None = None) -> InboxItem:
    return InboxItem(sequence, None if patch else f"inv_{sequence}", patch)


def timer(at: int, number: int = 1) -> Timer:
    return Timer(at, number, 1, TimerKind.SLEEP, f"inv_{number}")


def journal(invocation: Invocation, *entries: Entry) -> list[c.Change]:
    return [c.AppendEntry(invocation.id, invocation.number, entry) for entry in entries]


async def durable(storage: Storage) -> None:
    """Commit what is open and wait until it is durable."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(error: BaseException | None) -> None:
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    storage.commit(settle)
    await done


async def committed(storage: Storage) -> None:
    """The same, and wait until the database has it, too, where there is one."""
    await durable(storage)
    if isinstance(storage, SqliteStorage):
        await storage.carried()


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    """What any SQLite tool would read from the file."""
    import sqlite3

    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


async def fill(storage: Storage, first: int, last: int) -> None:
    """Commit a running invocation of each number."""
    for number in range(first, last + 1):
        storage.write([c.PutInvocation(invocation(number))], sequence=number, at=number)
    await committed(storage)


def size(path: Path) -> int:
    return path.stat().st_size

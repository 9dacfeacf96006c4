"""The benchmark's steps on DBOS: `python -m tests.benchmarks.peers.dbos_app PORT FOLDER`.

DBOS is a library: the workflows, the engine and the SQLite file are in this one process. Its file
is in SQLite's default mode (rollback journal, `synchronous=FULL`), so each step that it has stored
survives a power cut: the same promise as rtour's. An accepted send is a row of a workflow that
this process runs; a delayed one waits in a DBOS queue, which is what has delays.

An object's handler is a workflow in a queue that runs one at a time for each partition, the key;
its state is a row of the application's own table, read and written in one of DBOS's transactions,
which stores with the row that the step is done. (Without the queue such a call would not wait to be
polled for, but neither would it have its key to itself.)
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SQLAlchemyDatasource

from tests.benchmarks.peers.front import Front, Handler, KeyedHandler, serve
from tests.benchmarks.services import STATE

FAN = 100
QUEUE, BY_KEY = "sends", "by key"
SOON_S = 0.01  # how often a queue is looked at, where DBOS's default is a second
SCHEMA = "CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value INTEGER, blob TEXT)"
ADD = """INSERT INTO state (key, value) VALUES (:key, 1)
ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING value"""
FILL = "INSERT OR REPLACE INTO state (key, value, blob) VALUES (:key, 0, :blob)"
executions = itertools.count(1)
executed = 0


@DBOS.step()
async def step() -> str:
    return "done"


@DBOS.workflow()
async def noop(text: str) -> str:
    global executed  # noqa: PLW0603 - the process is the benchmark
    executed = next(executions)
    return text


@DBOS.workflow()
async def three(_text: str) -> str:
    return [await step() for _ in range(3)][-1]


@DBOS.workflow()
async def nine(_text: str) -> str:
    return [await step() for _ in range(9)][-1]


@DBOS.workflow()
async def middle(text: str) -> str:
    return await noop(text)


@DBOS.workflow()
async def chain(text: str) -> str:
    return await middle(text)


@DBOS.workflow()
async def fan(text: str) -> int:
    handles = [await DBOS.start_workflow_async(noop, text) for _ in range(FAN)]
    for handle in handles:
        await handle.get_result()
    return len(handles)


class Table:
    """The application's state, with a workflow for each handler."""

    def __init__(self, url: str) -> None:
        rows = SQLAlchemyDatasource.create(url)
        with rows.engine.begin() as connection:
            connection.execute(sa.text(SCHEMA))

        @rows.transaction()
        def add_to_row(key: str) -> int:
            return int(rows.sql_session().execute(sa.text(ADD), {"key": key}).scalar_one())

        @rows.transaction()
        def fill_row(key: str) -> None:
            rows.sql_session().execute(sa.text(FILL), {"key": key, "blob": STATE})

        @rows.transaction()
        def touch_row(key: str) -> int:
            read = sa.text("SELECT blob FROM state WHERE key = :key")
            size = len(rows.sql_session().execute(read, {"key": key}).scalar_one())
            write = sa.text("UPDATE state SET value = :size WHERE key = :key")
            rows.sql_session().execute(write, {"key": key, "size": size})
            return size

        @DBOS.workflow()
        def add(key: str) -> int:
            return add_to_row(key)

        @DBOS.workflow()
        def fill(key: str) -> None:
            fill_row(key)

        @DBOS.workflow()
        def touch(key: str) -> int:
            return touch_row(key)

        self.keyed: dict[str, KeyedHandler] = {
            "/Counter/add": alone(add),
            "/Big/fill": alone(fill),
            "/Big/touch": alone(touch),
        }


def alone(handler: Any) -> KeyedHandler:
    """Run the workflow when no other of its key runs, and wait for its result."""

    async def call(key: str, _text: str) -> object:
        with SetEnqueueOptions(queue_partition_key=key):
            handle = await DBOS.enqueue_workflow_async(BY_KEY, handler, key)
        return await handle.get_result(polling_interval_sec=SOON_S)

    return call


async def count(_text: str) -> int:
    return executed


async def send(text: str, delay_s: float) -> None:
    if delay_s:
        with SetEnqueueOptions(delay_seconds=delay_s):
            await DBOS.enqueue_workflow_async(QUEUE, noop, text)
    else:
        await DBOS.start_workflow_async(noop, text)


CALLS: dict[str, Handler] = {
    "/Bench/noop": noop,
    "/Bench/three": three,
    "/Bench/nine": nine,
    "/Bench/chain": chain,
    "/Bench/fan": fan,
    "/Bench/count": count,
}


async def main(port: int, folder: str) -> None:
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
        "log_level": "WARNING",
    }
    DBOS(config=config)
    table = Table(f"sqlite:///{folder}/dbos-state.sqlite")
    DBOS.launch()
    await DBOS.register_queue_async(QUEUE, polling_interval_sec=SOON_S)
    await DBOS.register_queue_async(BY_KEY, partition_concurrency=1, polling_interval_sec=SOON_S)
    await serve(Front(CALLS, send, table.keyed), port)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

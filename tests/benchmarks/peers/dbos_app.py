"""The benchmark's steps on DBOS: `python -m tests.benchmarks.peers.dbos_app PORT FOLDER`.

DBOS is a library: the workflows, the engine and the SQLite file are in this one process. Its file
is in SQLite's default mode (rollback journal, `synchronous=FULL`), so each step that it has stored
survives a power cut: the same promise as rtour's. An accepted send is a row of a workflow that
this process runs; a delayed one waits in a DBOS queue, which is what has delays.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from dbos import DBOS, DBOSConfig, SetEnqueueOptions

from tests.benchmarks.peers.front import Front, Handler, serve

FAN = 100
QUEUE = "sends"
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
    DBOS.launch()
    await DBOS.register_queue_async(QUEUE, polling_interval_sec=0.05)
    await serve(Front(CALLS, send), port)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

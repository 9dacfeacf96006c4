"""The benchmark's steps on Temporal: `python -m tests.benchmarks.peers.temporal_app PORT SERVER`.

This process is the worker and the front; the dev server (`temporal server start-dev` with a
database file) is another. A journaled step is an activity, whose result the server has stored
before the workflow goes on: what `ctx.run` promises. (A local activity is stored only with the
end of its workflow task: if the worker dies before that, finished steps run again.)
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import uuid
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.benchmarks.peers.front import Front, Handler, serve

FAN = 100
QUEUE = "bench"
SOON = timedelta(seconds=60)
executions = itertools.count(1)
executed = 0


@activity.defn
async def step() -> str:
    return "done"


@workflow.defn
class Noop:
    @workflow.run
    async def run(self, text: str) -> str:
        global executed  # noqa: PLW0603 - the process is the benchmark
        if not workflow.unsafe.is_replaying():
            executed = next(executions)
        return text


async def _steps(number: int) -> str:
    for _ in range(number):
        text = await workflow.execute_activity(step, start_to_close_timeout=SOON)
    return text


@workflow.defn
class Three:
    @workflow.run
    async def run(self, _text: str) -> str:
        return await _steps(3)


@workflow.defn
class Nine:
    @workflow.run
    async def run(self, _text: str) -> str:
        return await _steps(9)


@workflow.defn
class Middle:
    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_child_workflow(Noop.run, text)


@workflow.defn
class Chain:
    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_child_workflow(Middle.run, text)


@workflow.defn
class Fan:
    @workflow.run
    async def run(self, text: str) -> int:
        calls = [workflow.execute_child_workflow(Noop.run, text) for _ in range(FAN)]
        return len(await asyncio.gather(*calls))


WORKFLOWS = {
    "/Bench/noop": Noop,
    "/Bench/three": Three,
    "/Bench/nine": Nine,
    "/Bench/chain": Chain,
    "/Bench/fan": Fan,
}


def calls(client: Client) -> dict[str, Handler]:
    """Each path runs its workflow and waits for the result."""

    async def count(_text: str) -> int:
        return executed

    def caller(kind: Any) -> Handler:
        async def call(text: str) -> object:
            name = uuid.uuid4().hex  # noqa: TID251 - an id, not a simulation
            return await client.execute_workflow(kind.run, text, id=name, task_queue=QUEUE)

        return call

    return {path: caller(kind) for path, kind in WORKFLOWS.items()} | {"/Bench/count": count}


async def main(port: int, server: str) -> None:
    client = await Client.connect(server)

    async def send(text: str, delay_s: float) -> None:
        name = uuid.uuid4().hex  # noqa: TID251 - an id, not a simulation
        delay = timedelta(seconds=delay_s) if delay_s else None
        await client.start_workflow(Noop.run, text, id=name, task_queue=QUEUE, start_delay=delay)

    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[*WORKFLOWS.values(), Middle],
        activities=[step],
        workflow_runner=UnsandboxedWorkflowRunner(),  # the sandbox costs, and nothing here needs it
        max_concurrent_workflow_tasks=500,
        max_concurrent_activities=500,
    )
    async with worker:
        await serve(Front(calls(client), send), port)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

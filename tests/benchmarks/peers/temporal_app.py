"""The benchmark's steps on Temporal: `python -m tests.benchmarks.peers.temporal_app PORT SERVER`.

This process is the worker and the front; the dev server (`temporal server start-dev` with a
database file) is another. A journaled step is an activity, whose result the server has stored
before the workflow goes on: what `ctx.run` promises. (A local activity is stored only with the
end of its workflow task: if the worker dies before that, finished steps run again.)

An object is a workflow that does not end, one per key, and its handlers are updates: what Temporal
calls an entity. Its state is the workflow's memory, made durable by the history of its updates; an
entity with a long history goes on as a new one with an empty history. The worker keeps entities in
its cache, so that a megabyte of state is not sent again for each update.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import uuid
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.benchmarks.peers.front import Front, Handler, KeyedHandler, serve
from tests.benchmarks.services import STATE

FAN = 100
QUEUE = "bench"
CACHED_WORKFLOWS = 5_000  # all 2,000 keys and what else runs
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


@workflow.defn
class Entity:
    """A counter and a text, changed by updates."""

    @workflow.init
    def __init__(self, value: int, blob: str) -> None:
        self._value, self._blob = value, blob

    @workflow.run
    async def run(self, _value: int, _blob: str) -> None:
        await workflow.wait_condition(
            lambda: (
                workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished()
            )
        )
        workflow.continue_as_new(args=[self._value, self._blob])

    @workflow.update
    async def add(self, _text: str) -> int:
        self._value += 1
        return self._value

    @workflow.update
    async def fill(self, text: str) -> None:
        self._blob = text

    @workflow.update
    async def touch(self, _text: str) -> int:
        self._value = len(self._blob)
        return self._value


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


def keyed(client: Client) -> dict[str, KeyedHandler]:
    """Each path updates the entity of its key, which the first one starts."""

    def caller(service: str, update: Any, sent: str | None = None) -> KeyedHandler:
        async def call(key: str, text: str) -> object:
            name = f"{service}/{key}"
            argument = text if sent is None else sent
            try:
                return await client.get_workflow_handle(name).execute_update(update, argument)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            start = WithStartWorkflowOperation(
                Entity.run,
                args=[0, ""],
                id=name,
                task_queue=QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
            return await client.execute_update_with_start_workflow(
                update, argument, start_workflow_operation=start
            )

        return call

    return {
        "/Counter/add": caller("Counter", Entity.add),
        "/Big/fill": caller("Big", Entity.fill, STATE),
        "/Big/touch": caller("Big", Entity.touch),
    }


async def main(port: int, server: str) -> None:
    client = await Client.connect(server)

    async def send(text: str, delay_s: float) -> None:
        name = uuid.uuid4().hex  # noqa: TID251 - an id, not a simulation
        delay = timedelta(seconds=delay_s) if delay_s else None
        await client.start_workflow(Noop.run, text, id=name, task_queue=QUEUE, start_delay=delay)

    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[*WORKFLOWS.values(), Middle, Entity],
        activities=[step],
        workflow_runner=UnsandboxedWorkflowRunner(),  # the sandbox costs, and nothing here needs it
        max_cached_workflows=CACHED_WORKFLOWS,
        max_concurrent_workflow_tasks=500,
        max_concurrent_activities=500,
    )
    async with worker:
        await serve(Front(calls(client), send, keyed(client)), port)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

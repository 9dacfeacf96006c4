"""What type checkers see of the public API; checked, never run. See `test_public_types.py`.

`assert_type` fails the check when the inferred type is another one; `type: ignore` comments mark
what must be an error (mypy warns about those that are not needed).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_type

import rtour
from rtour.context import ObjectContext
from rtour.sdk.futures import CallFuture, DurableFuture

greeter = rtour.Service("Greeter")
counter = rtour.VirtualObject("Counter")
signup = rtour.Workflow("Signup")


@dataclass
class Order:
    item: str


@greeter.handler()
async def greet(ctx: rtour.Context, name: str) -> str:
    return name


@greeter.handler("ping")
async def ping(ctx: rtour.Context) -> int:
    return 1


@counter.handler()
async def add(ctx: ObjectContext, amount: int) -> int:
    total = await ctx.get("total", type_hint=int)
    assert_type(total, int | None)
    ctx.set("total", amount)
    assert_type(await ctx.state_keys(), list[str])
    return amount


@counter.handler(kind="shared")
async def look(ctx: rtour.ObjectSharedContext) -> int:
    ctx.set("total", 1)  # type: ignore[attr-defined]
    return 0


@signup.main()
async def run(ctx: rtour.WorkflowContext, order: Order) -> Order:
    promise = ctx.promise("confirmed", type_hint=str)
    assert_type(await promise, str)
    assert_type(await promise.value(), str)
    assert_type(await promise.peek(), str | None)
    await promise.resolve("yes")
    await promise.resolve(1)  # type: ignore[arg-type]
    return order


async def work(number: int) -> Order:
    return Order(str(number))


def blocking() -> list[str]:
    return []


@greeter.handler()
async def everything(ctx: rtour.Context) -> None:
    # decorated handlers keep their types
    assert_type(await greet(ctx, "Ada"), str)

    # calls know their input and their result
    call = ctx.service_call(greet, "Ada")
    assert_type(call, CallFuture[str])
    assert_type(await call, str)
    assert_type(await call.invocation_id(), str)
    assert_type(await ctx.service_call(ping), int)
    assert_type(await ctx.object_call(add, "key", 1), int)
    assert_type(await ctx.object_call(add, key="key", arg=1), int)
    assert_type(await ctx.workflow_call(run, "key", Order("tea")), Order)
    ctx.service_call(greet, 1)  # type: ignore[arg-type]
    ctx.object_call(add, "key", "one")  # type: ignore[arg-type]
    ctx.object_call(add, 1)  # type: ignore[call-overload]
    ctx.service_send(greet, "Ada", send_delay=timedelta(minutes=1))
    ctx.service_send(greet, 1)  # type: ignore[arg-type]
    assert_type(await ctx.attach_workflow(run, "key"), Order)
    assert_type(await ctx.workflow_output(run, "key"), Order | None)
    assert_type(await ctx.generic_call("S", "h", b""), bytes)

    # runs know what their action returns, awaited or not
    assert_type(ctx.run_typed("work", work, number=1), DurableFuture[Order])
    assert_type(await ctx.run_typed("work", work, number=1), Order)
    assert_type(await ctx.run_typed("blocking", blocking), list[str])
    assert_type(await ctx.run("blocking", blocking), list[str])
    assert_type(await ctx.time(), float)

    # futures
    assert_type(await ctx.sleep(timedelta(seconds=1)), None)
    assert_type(await ctx.awakeable(type_hint=int)[1], int)
    assert_type(await ctx.service_call(ping).map(str), str)
    assert_type(await ctx.service_call(ping).or_timeout(timedelta(seconds=1)), int)
    assert_type(await asyncio.gather(ctx.service_call(ping), call), tuple[int, str])
    assert_type(await rtour.all_succeeded(ctx.service_call(ping)), list[int])
    assert_type(await rtour.race(ctx.service_call(ping)), int)


async def outside() -> None:
    async with rtour.create_client("http://localhost:8080") as client:
        assert_type(await client.service_call(greet, "Ada"), str)
        assert_type(await client.service_call(ping), int)
        assert_type(await client.object_call(add, "key", 1), int)
        assert_type(await client.workflow_attach(run, "key"), Order)
        assert_type(await client.workflow_output(run, "key"), Order | None)
        await client.object_call(add, "key", "one")  # type: ignore[arg-type]
    with rtour.create_sync_client("http://localhost:8080") as sync_client:
        assert_type(sync_client.object_call(add, "key", 1), int)


def errors(error: rtour.TerminalError) -> None:
    assert_type(error.status_code, int)
    assert_type(error.metadata, dict[str, str] | None)
    cancelled: rtour.TerminalError = rtour.CancelledError()
    del cancelled

"""The test harness: users' tests against a real server in this process."""

from __future__ import annotations

from datetime import timedelta

import pytest

import rtour
from rtour.sdk.ingress import HttpError

counter = rtour.VirtualObject("Counter")
attempts: list[str] = []


@counter.handler()
async def add(ctx: rtour.ObjectContext, amount: int) -> int:
    attempts.append("add")
    total = (await ctx.get("total", type_hint=int) or 0) + amount
    ctx.set("total", await ctx.run_typed("total", lambda: total))
    await ctx.sleep(timedelta(milliseconds=1))
    return total


@counter.handler()
async def fail(ctx: rtour.ObjectContext) -> None:
    raise ValueError("always")


app = rtour.app([counter])


async def test_handlers_run_on_a_real_server() -> None:
    """Calls, state and timers, without Docker and without a file."""
    async with rtour.create_test_harness(app) as env:
        assert await env.client.object_call(add, "it's", 2) == 2
        assert await env.client.object_call(add, "it's", 3) == 5
        assert await env.state_of("Counter", "it's") == {"total": 5}


async def test_always_replay() -> None:
    """Each wait ends an attempt: the handler is replayed, and its effects are not repeated."""
    attempts.clear()
    async with rtour.create_test_harness(app, always_replay=True) as env:
        assert await env.client.object_call(add, "k", 2) == 2
        assert await env.state_of("Counter", "k") == {"total": 2}
    assert len(attempts) == 3


async def test_disabled_retries() -> None:
    """A failing handler fails its caller at once."""
    async with rtour.create_test_harness(app, disable_retries=True) as env:
        with pytest.raises(HttpError, match="always"):
            await env.client.object_call(fail, "k")

"""The test harness: users' tests against a real server in this process."""

from __future__ import annotations

import asyncio
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


@counter.handler()
async def nap(ctx: rtour.ObjectContext, days: int) -> str:
    for _ in range(days):
        await ctx.sleep(timedelta(days=1))
    return "awake"


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


async def test_time_is_skipped() -> None:
    """A day, and then to what is waited for next, whenever the handler comes to wait for it."""
    async with rtour.create_test_harness(app) as env:
        napping = asyncio.get_running_loop().create_task(env.client.object_call(nap, "k", 2))
        await env.skip()
        await env.skip()
        assert await napping == "awake"
        await env.client.object_send(add, "k", 1, send_delay=timedelta(days=1))
        assert await env.state_of("Counter", "k") == {}
        await env.skip(timedelta(days=1))
        assert await env.client.object_call(add, "k", 1) == 2


async def test_nothing_to_skip_to_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than waited for without end."""
    monkeypatch.setattr("rtour.sdk.testing.SKIP_WITHIN_S", 0.05)
    async with rtour.create_test_harness(app) as env:
        with pytest.raises(RuntimeError, match="nothing waits"):
            await env.skip()


async def test_automatic_skips() -> None:
    """Three days pass while the caller waits a moment."""
    async with rtour.create_test_harness(app, auto_skip=True) as env:
        assert await env.client.object_call(nap, "k", 3) == "awake"

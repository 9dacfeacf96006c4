"""The benchmark's services on the official Python SDK, served by hypercorn: `python -m … PORT`."""

from __future__ import annotations

import asyncio
import sys

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

bench = restate.Service("Bench")
counter = restate.VirtualObject("Counter")


@bench.handler()
async def noop(_ctx: restate.Context, text: str) -> str:
    """Nothing but the way there and back."""
    return text


@bench.handler()
async def three(ctx: restate.Context, text: str) -> str:
    """Three journaled steps."""
    for step in range(3):
        text = await ctx.run_typed(f"step {step}", lambda: "done")
    return text


@counter.handler()
async def add(ctx: restate.ObjectContext, _text: str) -> int:
    """One read and one write of state, under the object's lock."""
    value = (await ctx.get("value", type_hint=int) or 0) + 1
    ctx.set("value", value)
    return value


if __name__ == "__main__":
    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    asyncio.run(serve(restate.app([bench, counter]), config))  # type: ignore[arg-type]

"""Services on the official Python SDK under hypercorn: `python -m tests.torture.services PORT LOG`.

Every side effect appends a line to LOG, outside of the journal: the only witness that the server's
file cannot influence.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

COUNTER = restate.VirtualObject("Counter")
ALARM = restate.Service("Alarm")
BLOB = restate.Service("Blob")

_numbers = itertools.count(1)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def witness(what: str) -> str:
    """Leave a line in the log; its text is unique."""
    line = f"{what}#{next(_numbers)}"
    with Path(sys.argv[2]).open("a") as log:
        log.write(line + "\n")
    return line


@COUNTER.handler()
async def add(ctx: restate.ObjectContext, op: str) -> dict[str, Any]:
    """Count one operation, with a side effect between reading and writing."""

    async def act() -> str:
        return witness(op)

    value = (await ctx.get("value", type_hint=int) or 0) + 1
    effect = await ctx.run_typed("effect", act)
    ctx.set("value", value)
    return {"value": value, "effect": effect}


@ALARM.handler()
async def ring(ctx: restate.Context, after_ms: int) -> int:
    """Sleep, and answer how late it became; less than nothing would be early."""

    async def now() -> int:
        return _now_ms()

    asked = await ctx.run_typed("asked", now)
    await ctx.sleep(timedelta(milliseconds=after_ms))
    woke = await ctx.run_typed("woke", now)
    return woke - asked - after_ms


@BLOB.handler()
async def digest(ctx: restate.Context, text: str) -> str:
    """What only somebody who has all of a large payload can say."""
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    asyncio.run(serve(restate.app([COUNTER, ALARM, BLOB]), config))

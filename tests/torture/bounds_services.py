"""Services that are large, slow or many: `python -m tests.torture.bounds_services PORT [stuck]`."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import rtour
from rtour.serde import BytesSerde

BOUNDS = rtour.Service("Bounds")
STUCK = rtour.Service("Stuck")
LEDGER = rtour.VirtualObject("Ledger")
HOUR = timedelta(hours=1)
MEBIBYTE = 1 << 20


@BOUNDS.handler(input_serde=BytesSerde(), output_serde=BytesSerde(), accept="*/*")
async def echo(_ctx: rtour.Context, data: bytes) -> bytes:
    """As much out as in."""
    return data


@BOUNDS.handler(output_serde=BytesSerde())
async def much(ctx: rtour.Context, mebibytes: int) -> bytes:
    """So much of a step, then a replay of it, and as much as an answer."""
    kept = await ctx.run("much", lambda: b"x" * (mebibytes * MEBIBYTE), serde=BytesSerde())
    await ctx.sleep(timedelta(milliseconds=1))
    return kept


@BOUNDS.handler()
async def noop(_ctx: rtour.Context) -> str:
    """Nothing but the way there and back."""
    return "done"


@BOUNDS.handler()
async def slow(_ctx: rtour.Context) -> str:
    """A fifth of a second of somebody else's time."""
    await asyncio.sleep(0.2)
    return "done"


@STUCK.handler()
async def hang(_ctx: rtour.Context) -> None:
    """Take a slot, and never give it back."""
    await asyncio.Event().wait()


@BOUNDS.handler()
async def hold(ctx: rtour.Context) -> None:
    """Keep callers waiting."""
    await ctx.sleep(HOUR)


@LEDGER.handler()
async def write(ctx: rtour.ObjectContext, entries: int) -> int:
    """Write a journal, suspend with it, and be replayed."""
    for number in range(entries):
        ctx.set("last", number)
    await ctx.sleep(timedelta(milliseconds=1))
    return entries


@LEDGER.handler()
async def grow(ctx: rtour.ObjectContext, mebibytes: int) -> None:
    """State of this size, a key for each MiB."""
    for number in range(mebibytes):
        ctx.set(f"k{number}", b"x" * MEBIBYTE, serde=BytesSerde())


@LEDGER.handler()
async def touch(ctx: rtour.ObjectContext) -> int:
    """Be called with all the state there is."""
    return await ctx.get("last", type_hint=int) or 0


if __name__ == "__main__":
    services = [STUCK] if sys.argv[2:] else [BOUNDS, LEDGER]
    rtour.serve(rtour.app(services), host="127.0.0.1", port=int(sys.argv[1]))

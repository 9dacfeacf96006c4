"""The benchmark's services, on either Python SDK: `python -m … restate|rtour hypercorn|rtour PORT`.

The two SDKs have the same names, so both run the same handlers. `rtour` as the second word serves
by rtour's own server (what `rtour serve` does), which only rtour's SDK can use.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import sys
from typing import Any

from tests.benchmarks.loads import text

STATE = text(1_000_000)
FAN = 100


def build(sdk: Any) -> list[Any]:
    """Bench, Counter, Big and Long on the given SDK."""
    return [_bench(sdk), _counter(sdk), _big(sdk), _long(sdk)]


def _done() -> str:
    return "done"


def _bench(sdk: Any) -> Any:
    bench = sdk.Service("Bench")
    executions = itertools.count(1)
    executed = 0

    @bench.handler()
    async def noop(_ctx, text: str) -> str:
        """Nothing but the way there and back."""
        nonlocal executed
        executed = next(executions)
        return text

    @bench.handler()
    async def count(_ctx) -> int:
        """How many no-ops this process has run: tells when accepted work is done."""
        return executed

    async def steps(ctx, number: int) -> str:
        text = ""
        for step in range(number):
            text = await ctx.run_typed(f"step {step}", _done)
        return text

    @bench.handler()
    async def three(ctx, _text: str) -> str:
        """Three journaled steps."""
        return await steps(ctx, 3)

    @bench.handler()
    async def nine(ctx, _text: str) -> str:
        """Nine journaled steps."""
        return await steps(ctx, 9)

    @bench.handler()
    async def middle(ctx, text: str) -> str:
        return await ctx.service_call(noop, arg=text)

    @bench.handler()
    async def chain(ctx, text: str) -> str:
        """A call of a call: three invocations, each waiting for the next."""
        return await ctx.service_call(middle, arg=text)

    @bench.handler()
    async def fan(ctx, text: str) -> int:
        """A hundred calls at once, all awaited."""
        calls = [ctx.service_call(noop, arg=text) for _ in range(FAN)]
        await sdk.gather(*calls)
        return len(calls)

    return bench


def _counter(sdk: Any) -> Any:
    counter = sdk.VirtualObject("Counter")

    @counter.handler()
    async def add(ctx, _text: str) -> int:
        """One read and one write of state, under the object's lock."""
        value = (await ctx.get("value", type_hint=int) or 0) + 1
        ctx.set("value", value)
        return value

    return counter


def _big(sdk: Any) -> Any:
    big = sdk.VirtualObject("Big")

    @big.handler()
    async def fill(ctx, _text: str) -> None:
        """Give the object a megabyte of state."""
        ctx.set("blob", STATE)

    @big.handler()
    async def touch(ctx, _text: str) -> int:
        """Read the megabyte, write a few bytes beside it."""
        size = len(await ctx.get("blob", type_hint=str) or "")
        ctx.set("size", size)
        return size

    return big


def _long(sdk: Any) -> Any:
    long = sdk.Service("Long")
    failed: set[bytes] = set()

    @long.handler()
    async def run(ctx, steps: int) -> int:
        """As many steps as asked for, then all of them again, from the journal."""
        for _ in range(steps):
            await ctx.run_typed("step", _done)
        if ctx.request().id not in failed:
            failed.add(ctx.request().id)
            raise RuntimeError("Fails once, so that the whole journal is replayed.")
        return steps

    return long


def main() -> None:
    sdk_name, server, port = sys.argv[1:]
    sdk = importlib.import_module(sdk_name)
    app = sdk.app(build(sdk))
    if server == "rtour":
        sdk.serve(app, host="127.0.0.1", port=int(port))
        return
    import hypercorn.asyncio
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    asyncio.run(hypercorn.asyncio.serve(app, config))


if __name__ == "__main__":
    main()

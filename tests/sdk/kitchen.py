"""Services that use every method of a context, on either SDK: `build(restate)`, `build(rtour)`.

Both SDKs must give the same answers and write the same journals, so nothing here may depend on
which one it is.
"""

from __future__ import annotations

from datetime import timedelta
from types import ModuleType
from typing import Any

MS = timedelta(milliseconds=1)


def build(sdk: ModuleType) -> list[Any]:
    """The services, made with the given SDK."""
    kitchen, answerer = sdk.Service("Kitchen"), sdk.Service("Answerer")
    pantry, lazy_pantry = sdk.VirtualObject("Pantry"), _lazy_object(sdk)
    order = sdk.Workflow("Order")
    handlers = {
        **_answerer(sdk, answerer),
        **_pantry(sdk, pantry, "pantry"),
        **_pantry(sdk, lazy_pantry, "lazy"),
        **_order(sdk, order),
    }
    _steps(sdk, kitchen)
    _facts(kitchen)
    _calls(sdk, kitchen, handlers)
    _waits(sdk, kitchen, handlers)
    _endings(sdk, kitchen, handlers)
    return [kitchen, answerer, pantry, lazy_pantry, order]


def _lazy_object(sdk: ModuleType) -> Any:
    return sdk.VirtualObject("LazyPantry", enable_lazy_state=True)


def _answerer(sdk: ModuleType, service: Any) -> dict[str, Any]:
    @service.handler()
    async def double(ctx, number):
        return number * 2

    @service.handler()
    async def reply(ctx, letter):
        kind, target = letter["kind"], letter["target"]
        if kind == "awakeable":
            ctx.resolve_awakeable(target, letter["value"])
        elif kind == "bad-awakeable":
            ctx.reject_awakeable(target, "no luck", 503)
        elif kind == "signal":
            ctx.resolve_signal(target, "bell", letter["value"])
        elif kind == "bad-signal":
            ctx.reject_signal(target, "bell", "broken bell", 502)

    @service.handler()
    async def whisper(ctx):
        return ctx.request().headers.get("x-mood", "none")

    @service.handler()
    async def fail(ctx):
        raise sdk.TerminalError("kaput", 418, {"why": "teapot"})

    @service.handler()
    async def dawdle(ctx):
        await ctx.sleep(timedelta(hours=1), name="nap")
        return "awake"

    return {"double": double, "reply": reply, "whisper": whisper, "fail": fail, "dawdle": dawdle}


def _pantry(sdk: ModuleType, object_: Any, prefix: str) -> dict[str, Any]:
    @object_.handler()
    async def store(ctx, items):
        for name, value in items.items():
            ctx.set(name, value)
        return sorted(await ctx.state_keys())

    @object_.handler()
    async def walk(ctx):
        """Every state operation, in one invocation."""
        seen = [ctx.key(), await ctx.get("missing"), await ctx.get("jam")]
        ctx.set("jam", {"jars": 2})
        ctx.set("nothing", None)
        seen += [await ctx.get("jam"), await ctx.get("nothing"), sorted(await ctx.state_keys())]
        ctx.clear("jam")
        seen += [await ctx.get("jam")]  # the official SDK still lists its key
        ctx.clear_all()
        seen += [await ctx.state_keys(), await ctx.get("other")]
        ctx.set("last", 1)
        return seen

    @object_.handler(kind="shared")
    async def look(ctx, name):
        return await ctx.get(name)

    return {f"{prefix}.store": store, f"{prefix}.walk": walk, f"{prefix}.look": look}


def _order(sdk: ModuleType, workflow: Any) -> dict[str, Any]:
    @workflow.main()
    async def run(ctx, dish):
        ctx.set("dish", dish)
        before = await ctx.promise("tip").peek()
        paid = await ctx.promise("paid")
        try:
            await ctx.promise("served")
        except sdk.TerminalError as error:
            return [
                ctx.key(),
                await ctx.get("dish"),
                before,
                paid,
                error.message,
                error.status_code,
            ]

    @workflow.handler()
    async def pay(ctx, amount):
        await ctx.promise("paid").resolve(amount)
        try:
            await ctx.promise("paid").resolve(amount + 1)
        except sdk.TerminalError as error:
            return error.status_code

    @workflow.handler()
    async def spill(ctx):
        await ctx.promise("served").reject("spilled", 410)
        return await ctx.promise("paid").value()

    return {"run": run, "pay": pay, "spill": spill}


def _steps(sdk: ModuleType, kitchen: Any) -> None:
    async def slow(word: str = "async") -> str:
        return word

    def blocking(left: int, right: int) -> int:
        return left + right

    @kitchen.handler()
    async def steps(ctx):
        """Runs of every kind."""
        one = await ctx.run_typed("async", slow)
        two = await ctx.run_typed("kwargs", blocking, left=1, right=2)
        three = await ctx.run_typed("positional", blocking, sdk.RunOptions(), 3, 4)
        four = await ctx.run("old", slow, args=("old",))
        five = await ctx.run_typed("lambda", lambda: {"a": [1, None, 2.5, "ä"]})
        first, second = ctx.run_typed("x", slow), ctx.run_typed("y", slow)
        await sdk.gather(first, second)
        return [one, two, three, four, five, await first, await second]

    @kitchen.handler()
    async def broken_steps(ctx):
        """Runs that fail for good, at once and after their retries."""

        def hopeless() -> None:
            raise sdk.TerminalError("hopeless", 402)

        def flaky() -> None:
            raise ValueError("flaky")

        outcomes = []
        quick = sdk.RunOptions(max_attempts=2, initial_retry_interval=10 * MS)
        for name, action, options in [
            ("hopeless", hopeless, sdk.RunOptions()),
            ("flaky", flaky, quick),
        ]:
            try:
                await ctx.run_typed(name, action, options)
            except sdk.TerminalError as error:
                outcomes.append([error.status_code, error.message])
        return outcomes


def _facts(kitchen: Any) -> None:
    @kitchen.handler()
    async def chance(ctx):
        """Randomness is the same in every attempt: a sleep in the middle forces a second one."""
        before = [ctx.random().random(), str(ctx.uuid())]
        kept = await ctx.run_typed("keep", lambda: before)
        now = await ctx.time()
        await ctx.sleep(10 * MS)
        return [kept == before, isinstance(now, float), str(ctx.uuid()) != before[1]]

    @kitchen.handler()
    async def request(ctx, body):
        got = ctx.request()
        return [got.id[:5], got.headers.get("x-mood"), got.body.decode(), body]


def _calls(sdk: ModuleType, kitchen: Any, to: dict[str, Any]) -> None:
    @kitchen.handler()
    async def calls(ctx):
        answers = [
            await ctx.service_call(to["double"], arg=2),
            await ctx.service_call(to["whisper"], arg=None, headers={"x-mood": "calm"}),
            await ctx.object_call(to["pantry.store"], key="calls", arg={"tea": 1}),
            await ctx.object_call(to["pantry.look"], "calls", "tea"),
            (await ctx.generic_call("Answerer", "double", b"21")).decode(),
        ]
        first = ctx.service_call(to["double"], arg=5, idempotency_key=f"once-{ctx.request().id}")
        again = ctx.service_call(to["double"], arg=6, idempotency_key=f"once-{ctx.request().id}")
        answers += [await first, await again, await first.invocation_id() != ""]
        return answers

    @kitchen.handler()
    async def sends(ctx):
        one = ctx.service_send(to["double"], arg=1)
        two = ctx.object_send(to["pantry.store"], key="sends", arg={"a": 1}, send_delay=1 * MS)
        three = ctx.generic_send("Answerer", "double", b"3")
        ids = [await handle.invocation_id() for handle in (one, two, three)]
        return [await ctx.attach_invocation(id_) for id_ in ids[:2]] + [len(set(ids))]

    @kitchen.handler()
    async def failing_call(ctx):
        try:
            await ctx.service_call(to["fail"], arg=None)
        except sdk.TerminalError as error:
            return [error.status_code, error.message]

    @kitchen.handler()
    async def workflow(ctx, key):
        result = ctx.workflow_call(to["run"], key=key, arg="soup")
        payment = await ctx.workflow_call(to["pay"], key=key, arg=7)
        spilled = await ctx.workflow_call(to["spill"], key=key, arg=None)
        return [payment, spilled, await result]


def _waits(sdk: ModuleType, kitchen: Any, to: dict[str, Any]) -> None:
    def letter(kind: str, target: str, value: Any = None) -> dict[str, Any]:
        return {"kind": kind, "target": target, "value": value}

    @kitchen.handler()
    async def awakeables(ctx):
        good, good_future = ctx.awakeable()
        bad, bad_future = ctx.awakeable()
        ctx.service_send(to["reply"], arg=letter("awakeable", good, {"n": 1}))
        ctx.service_send(to["reply"], arg=letter("bad-awakeable", bad))
        value = await good_future
        try:
            await bad_future
        except sdk.TerminalError as error:
            return [value, error.status_code, error.message]

    @kitchen.handler()
    async def signals(ctx):
        me = ctx.request().id
        ctx.service_send(to["reply"], arg=letter("signal", me, "ding"))
        rung = await ctx.signal("bell")
        ctx.service_send(to["reply"], arg=letter("bad-signal", me))
        try:
            await ctx.signal("bell")
        except sdk.TerminalError as error:
            return [rung, error.status_code, error.message]

    @kitchen.handler()
    async def combinators(ctx):
        never, _ = ctx.awakeable(), None
        call = ctx.service_call(to["double"], arg=4)
        name, value = await sdk.select(call=call, never=never[1])
        timer = await sdk.select(never=never[1], timeout=ctx.sleep(5 * MS))
        runs = [ctx.run_typed(f"r{n}", lambda n=n: n) for n in range(3)]
        values = [await done for done in await sdk.gather(*runs)]
        later = [ctx.sleep(MS), ctx.sleep(2 * MS)]
        completed, pending = await sdk.wait_completed(*later)
        count = 0
        async for _ in sdk.as_completed(*later):
            count += 1
        return [name, value, timer[0], values, len(completed) + len(pending), count]


def _endings(sdk: ModuleType, kitchen: Any, to: dict[str, Any]) -> None:
    @kitchen.handler()
    async def cancelling(ctx):
        """A callee that is cancelled, seen by its caller."""
        call = ctx.service_call(to["dawdle"], arg=None)
        await call.cancel_invocation()
        send = ctx.service_send(to["dawdle"], arg=None)
        target = await send.invocation_id()
        ctx.cancel_invocation(target)
        outcomes = []
        for future in (call, ctx.attach_invocation(target)):
            try:
                await future
            except sdk.TerminalError as error:
                outcomes.append(error.status_code)
        return outcomes

    @kitchen.handler()
    async def terminal(ctx):
        raise sdk.TerminalError("enough", 422)

    @kitchen.handler()
    async def patient(ctx):
        """Can be cancelled: compensates, then ends."""
        calls = [ctx.service_call(to["dawdle"], arg=None) for _ in range(2)]
        try:
            await sdk.gather(*calls)
        except sdk.TerminalError as error:
            undone = await ctx.run_typed("undo", lambda: "undone")
            raise sdk.TerminalError(f"{undone} after {error.status_code}", 499) from error

    @kitchen.handler()
    async def relay(ctx):
        """Two halves around a wait, for a change of SDK in the middle."""
        mine = str(ctx.uuid())
        kept = await ctx.run_typed("first", lambda: mine)
        doubled = await ctx.service_call(to["double"], arg=8)
        _, future = ctx.awakeable()
        word = await future
        last = await ctx.run_typed("second", lambda: str(doubled))
        return [kept == mine, last, word]

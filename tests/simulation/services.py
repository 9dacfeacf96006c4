"""The services of a simulated world: real SDK handlers, and the outside that they act upon.

Counter   (object)    a log of the operations that were counted; answers its length
Register  (object)    a value to write, swap and read
Ledger    (object)    notes what one-way messages say
Room      (object)    is held for a while; operators cancel and kill who holds it
Teller    (service)   moves from counter to counter, and leaves notes
Errands   (service)   naps, waits, fans out, fails
Crowd     (service)   follows others to their end
Gate      (workflow)  opens once, by a promise
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, Protocol

import rtour
from rtour.sdk.endpoint import Endpoint
from tests.simulation.faults import Faults

COUNTERS = "http://counters/"
ERRANDS = "http://errands/"
NAPS = (300, 70, 40, 20, 0)
LONGEST_MS = 5_000  # of all sleeps and delays that anybody asks for


class Host(Protocol):
    """What services know of the world."""

    @property
    def faults(self) -> Faults: ...

    def chance(self, probability: float) -> bool: ...


class Outside:
    """Where side effects go. Each is told apart by its number, and may kill its process."""

    def __init__(self, host: Host, random: Random) -> None:
        self.effects: dict[int, str] = {}
        self.random = random
        self.die: Callable[[str], None] = lambda _uri: None
        self._host = host

    def effect(self, what: str, process: str) -> Callable[[], Any]:
        """A side effect for `ctx.run`: its number says which execution was kept."""

        async def act() -> int:
            if self.random.random() < 0.3:
                await asyncio.sleep(self.random.uniform(0, 0.2))
            number = len(self.effects) + 1
            self.effects[number] = what
            if self._host.chance(self._host.faults.dies_after_effect):
                self.die(process)
            return number

        return act

    def may_raise(self) -> None:
        """A handler's bug of the passing kind."""
        if self._host.chance(self._host.faults.handler_raises):
            raise RuntimeError("a passing trouble")


def ms(number: float) -> timedelta:
    return timedelta(milliseconds=number)


def build(outside: Outside) -> dict[str, Endpoint]:
    """The services by the address of their process."""
    counter, ledger = _counter(outside), _ledger(outside)
    return {
        COUNTERS: Endpoint().bind(counter, ledger, _register(outside), _room(outside)),
        ERRANDS: Endpoint().bind(
            _teller(outside), _errands(outside), _crowd(outside), _gate(outside)
        ),
    }


# --- objects -------------------------------------------------------------------------------------


def _counter(outside: Outside) -> rtour.VirtualObject:
    counter = rtour.VirtualObject("Counter")

    @counter.handler()
    async def add(ctx: rtour.ObjectContext, ask: dict[str, Any]) -> dict[str, Any]:
        outside.may_raise()
        log = await ctx.get("log", type_hint=list[str]) or []
        if ask.get("pause_ms"):
            await ctx.sleep(ms(ask["pause_ms"]))
        number = None
        if ask.get("effect"):
            number = await ctx.run("effect", outside.effect(ask["op"], COUNTERS), type_hint=int)
        outside.may_raise()
        ctx.set("log", [*log, ask["op"]])
        return {"value": len(log) + 1, "effect": number}

    @counter.handler(kind="shared")
    async def get(ctx: rtour.ObjectSharedContext) -> int:
        return len(await ctx.get("log", type_hint=list[str]) or [])

    return counter


def _register(outside: Outside) -> rtour.VirtualObject:
    register = rtour.VirtualObject("Register", enable_lazy_state=True)

    @register.handler()
    async def write(ctx: rtour.ObjectContext, value: str) -> None:
        outside.may_raise()
        ctx.set("value", value)

    @register.handler()
    async def swap(ctx: rtour.ObjectContext, ask: dict[str, Any]) -> bool:
        found = await ctx.get("value", type_hint=str)
        if ask.get("pause_ms"):
            await ctx.sleep(ms(ask["pause_ms"]))
        if found != ask["old"]:
            return False
        ctx.set("value", ask["new"])
        return True

    @register.handler(kind="shared")
    async def read(ctx: rtour.ObjectSharedContext) -> str | None:
        outside.may_raise()
        return await ctx.get("value", type_hint=str)

    return register


def _ledger(outside: Outside) -> rtour.VirtualObject:
    ledger = rtour.VirtualObject("Ledger")

    @ledger.handler()
    async def note(ctx: rtour.ObjectContext, line: str) -> None:
        lines = await ctx.get("lines", type_hint=list[str]) or []
        outside.may_raise()
        ctx.set("lines", [*lines, line])

    return ledger


def _room(outside: Outside) -> rtour.VirtualObject:
    room = rtour.VirtualObject("Room")

    @room.handler()
    async def hold(ctx: rtour.ObjectContext, for_ms: int) -> str:
        for turn in range(2):
            await ctx.sleep(ms(for_ms))
            await ctx.run(f"turn {turn}", outside.effect("hold", COUNTERS))
        return ctx.key()

    @room.handler(kind="shared")
    async def follow(ctx: rtour.ObjectSharedContext, id_: str) -> Any:
        """Who waits for a holder is killed and cancelled, too."""
        return await ctx.attach_invocation(id_, type_hint=Any)

    return room


# --- services ------------------------------------------------------------------------------------


def _teller(outside: Outside) -> rtour.Service:
    teller = rtour.Service("Teller")

    @teller.handler()
    async def move(ctx: rtour.Context, ask: dict[str, Any]) -> dict[str, Any]:
        op = ask["op"]
        number = await ctx.run("begin", outside.effect(op, ERRANDS), type_hint=int)
        _send(ctx, "Ledger", "note", f"{op} begun", key="book")
        taken = await _call(ctx, "Counter", "add", {"op": f"{op} from"}, key=ask["from"])
        outside.may_raise()
        _send(ctx, "Ledger", "note", f"{op} later", key="book", delay_ms=ask["later_ms"])
        given = await _call(ctx, "Counter", "add", {"op": f"{op} to", "effect": 1}, key=ask["to"])
        _send(ctx, "Ledger", "note", f"{op} done", key="book")
        return {"effect": number, "values": [taken["value"], given["value"]]}

    return teller


def _call(ctx: rtour.Context, service: str, handler: str, body: Any, key: str | None = None) -> Any:
    async def answer() -> Any:
        raw = await ctx.generic_call(service, handler, _json(body), key=key)
        return json.loads(raw)

    return answer()


def _send(
    ctx: rtour.Context, service: str, handler: str, body: Any, *, key: str, delay_ms: int = 0
) -> None:
    ctx.generic_send(
        service, handler, _json(body), key=key, send_delay=ms(delay_ms) if delay_ms else None
    )


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


def _errands(outside: Outside) -> rtour.Service:
    errands = rtour.Service("Errands")

    @errands.handler()
    async def nap(ctx: rtour.Context, for_ms: int) -> int:
        await ctx.sleep(ms(for_ms))
        return for_ms

    @errands.handler()
    async def wait(ctx: rtour.Context, op: str) -> str:
        """An awakeable that another invocation resolves, later."""
        id_, value = ctx.awakeable(type_hint=str)
        ctx.generic_send("Errands", "wake", _json([id_, op]), send_delay=ms(500))
        return await value

    @errands.handler()
    async def wake(ctx: rtour.Context, ask: list[str]) -> None:
        await ctx.run("about to wake", outside.effect(ask[1], ERRANDS))
        ctx.resolve_awakeable(ask[0], ask[1])

    @errands.handler()
    async def spread(ctx: rtour.Context, op: str) -> list[int]:
        """Calls, runs and sleeps side by side."""
        naps = [ctx.service_call(nap, arg=delay) for delay in NAPS]
        runs = [ctx.run(f"run {i}", outside.effect(op, ERRANDS), type_hint=int) for i in range(2)]
        outside.may_raise()
        await rtour.gather(*naps, *runs, ctx.sleep(ms(50)))
        outside.may_raise()
        await rtour.select(nap=ctx.service_call(nap, arg=LONGEST_MS), time=ctx.sleep(ms(80)))
        return [*[await one for one in naps], *[await one for one in runs]]

    @errands.handler()
    async def refuse(ctx: rtour.Context, op: str) -> None:
        await ctx.run("before", outside.effect(op, ERRANDS))
        raise rtour.TerminalError(op, 418)

    return errands


def _crowd(outside: Outside) -> rtour.Service:
    crowd = rtour.Service("Crowd")

    @crowd.handler()
    async def follow(ctx: rtour.Context, id_: str) -> Any:
        outside.may_raise()
        return await ctx.attach_invocation(id_, type_hint=Any)

    @crowd.handler()
    async def lead(ctx: rtour.Context, ask: list[int]) -> list[Any]:
        """A nap of which nothing is kept, and those who wait for its end, if they come in time."""
        for_ms, followers = ask
        led = ctx.generic_call("Errands", "nap", _json(for_ms))
        id_ = await led.invocation_id()
        calls = [ctx.service_call(follow, arg=id_) for _ in range(followers)]
        answers: list[Any] = [json.loads(await led)]
        for call in calls:
            try:
                answers.append(await call)
            except rtour.TerminalError as error:
                answers.append(f"{error.status_code} {error.message}")
        return answers

    return crowd


def _gate(outside: Outside) -> rtour.Workflow:
    gate = rtour.Workflow("Gate")

    @gate.main()
    async def run(ctx: rtour.WorkflowContext, op: str) -> list[str]:
        ctx.set("by", op)
        await ctx.run("built", outside.effect(op, ERRANDS))
        return [op, await ctx.promise("open", type_hint=str)]

    @gate.handler()
    async def open(ctx: rtour.WorkflowSharedContext, op: str) -> None:  # noqa: A001
        outside.may_raise()
        await ctx.promise("open", type_hint=str).resolve(op)

    return gate

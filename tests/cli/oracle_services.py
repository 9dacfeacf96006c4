"""Services on the official Python SDK that put invocations into every state the CLI can show.

Served by hypercorn in `oracle`-marked tests; the recorded answers in `recorded/` come from them.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import restate
from restate import (
    Context,
    ObjectContext,
    ObjectSharedContext,
    TerminalError,
    WorkflowContext,
    WorkflowSharedContext,
)

greeter = restate.Service("Greeter")
cart = restate.VirtualObject("CartObject")
signup = restate.Workflow("Signup")


@greeter.handler()
async def greet(ctx: Context, name: str) -> str:
    """One journaled step, then the greeting."""
    return await ctx.run_typed("compose", lambda: f"Hello {name}")


@greeter.handler()
async def ping(ctx: Context) -> str:
    """Takes nothing."""
    return "pong"


@greeter.handler()
async def refuse(ctx: Context, reason: str) -> str:
    """Fails for good."""
    raise TerminalError(reason, status_code=403)


@greeter.handler()
async def stumble(ctx: Context, reason: str) -> str:
    """Fails for now, over and over."""
    raise RuntimeError(reason)


@greeter.handler()
async def approve(ctx: Context, subject: str) -> str:
    """Waits for somebody outside."""
    name, answer = ctx.awakeable()
    await ctx.run_typed("ask", lambda: name)
    return await answer


@greeter.handler()
async def nap(ctx: Context, seconds: int) -> str:
    """Sleeps durably."""
    await ctx.sleep(timedelta(seconds=seconds))
    return "rested"


@greeter.handler()
async def grind(ctx: Context, seconds: int) -> str:
    """Runs one long step."""

    async def work() -> str:
        await asyncio.sleep(seconds)
        return "ground"

    return await ctx.run_typed("work", work)


@cart.handler("addTicket")
async def add_ticket(ctx: ObjectContext, seat: str) -> bool:
    """Keeps the seat; the key is locked meanwhile."""
    tickets = await ctx.get("tickets", type_hint=list) or []
    tickets.append(seat)
    ctx.set("tickets", tickets)
    await ctx.service_call(greet, arg=seat)
    return True


@cart.handler("hold")
async def hold(ctx: ObjectContext, seconds: int) -> str:
    """Holds the lock of its key while it sleeps."""
    await ctx.sleep(timedelta(seconds=seconds))
    return "released"


@cart.handler("peek", kind="shared")
async def peek(ctx: ObjectSharedContext) -> list:
    """Reads beside the lock."""
    return await ctx.get("tickets", type_hint=list) or []


@signup.main()
async def run(ctx: WorkflowContext, email: str) -> str:
    """Waits for the click."""
    clicked = await ctx.promise("clicked", type_hint=str).value()
    return f"{email} {clicked}"


@signup.handler()
async def click(ctx: WorkflowSharedContext, secret: str) -> None:
    """The click."""
    await ctx.promise("clicked", type_hint=str).resolve(secret)


app = restate.app([greeter, cart, signup])

"""A saga: several bookings that stand or fall together.

Each step leaves behind how to undo it. When a later step ends in a terminal error, or somebody
cancels the invocation, the undo list is worked off in reverse; a crash in between only delays it.

    rtour serve app.py
    rtour deployments register localhost:9080
    rtour call Trips/book '{"traveller": "Ada", "city": "Turin", "nights": 3}'
    rtour call Trips/book '{"traveller": "Ada", "city": "Atlantis", "nights": 3}'
"""

from collections.abc import Awaitable, Callable
from typing import TypedDict

import rtour

UNKNOWN_CITIES = {"Atlantis"}


class Trip(TypedDict):
    """What is wanted."""

    traveller: str
    city: str
    nights: int


trips = rtour.Service("Trips")
ledger = rtour.VirtualObject("Ledger")


@trips.handler()
async def book(ctx: rtour.Context, trip: Trip) -> str:
    """Flight, hotel and guide, or none of them."""
    undo: list[Callable[[], Awaitable[None]]] = []
    try:
        for step in ("flight", "hotel", "guide"):
            # First how to undo it, then the step: a step that fails half-way is undone, too.
            undo.append(_cancelling(ctx, trip["traveller"], step))
            if step == "guide" and trip["city"] in UNKNOWN_CITIES:
                raise rtour.TerminalError(f"nobody guides in {trip['city']}", status_code=404)
            await ctx.object_call(add, key=trip["traveller"], arg=step)
    except rtour.TerminalError:
        for each in reversed(undo):
            await each()
        raise
    return f"{trip['nights']} nights in {trip['city']}"


def _cancelling(ctx: rtour.Context, traveller: str, step: str) -> Callable[[], Awaitable[None]]:
    async def cancel() -> None:
        await ctx.object_call(remove, key=traveller, arg=step)

    return cancel


@ledger.handler()
async def add(ctx: rtour.ObjectContext, item: str) -> None:
    """Stands for somebody else's booking system."""
    items = await ctx.get("items", type_hint=list[str]) or []
    ctx.set("items", [*items, item])


@ledger.handler()
async def remove(ctx: rtour.ObjectContext, item: str) -> None:
    """Undoes `add`, and may be asked for what was never added: compensations must bear that."""
    items = await ctx.get("items", type_hint=list[str]) or []
    ctx.set("items", [each for each in items if each != item])


@ledger.handler("items", kind="shared")
async def items_of(ctx: rtour.ObjectSharedContext) -> list[str]:
    """What is booked."""
    return await ctx.get("items", type_hint=list[str]) or []


app = rtour.app([trips, ledger])

"""A seat's ticket: one virtual object for each seat, the key is the seat's name.

Its status goes from AVAILABLE (nothing stored) to RESERVED and on to SOLD, or back.
"""

from rtour import ObjectContext, VirtualObject

ticket = VirtualObject("TicketObject")


@ticket.handler()
async def reserve(ctx: ObjectContext) -> bool:
    status = await ctx.get("status", type_hint=str) or "AVAILABLE"
    if status != "AVAILABLE":
        return False
    ctx.set("status", "RESERVED")
    return True


@ticket.handler()
async def unreserve(ctx: ObjectContext) -> None:
    status = await ctx.get("status", type_hint=str)
    if status != "SOLD":
        ctx.clear("status")


@ticket.handler("markAsSold")
async def mark_as_sold(ctx: ObjectContext) -> None:
    status = await ctx.get("status", type_hint=str)
    if status == "RESERVED":
        ctx.set("status", "SOLD")

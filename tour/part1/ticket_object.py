"""A seat's ticket: one virtual object for each seat, the key is the seat's name."""

from rtour import ObjectContext, VirtualObject

ticket = VirtualObject("TicketObject")


@ticket.handler()
async def reserve(ctx: ObjectContext) -> bool:
    return True


@ticket.handler()
async def unreserve(ctx: ObjectContext) -> None:
    return None


@ticket.handler("markAsSold")
async def mark_as_sold(ctx: ObjectContext) -> None:
    return None

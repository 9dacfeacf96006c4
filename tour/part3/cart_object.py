"""A user's cart: one virtual object for each user, the key is the user's name."""

from datetime import timedelta

from rtour import ObjectContext, VirtualObject

from .checkout_service import Order, handle
from .ticket_object import mark_as_sold, reserve, unreserve

RESERVED_FOR = timedelta(minutes=15)

cart = VirtualObject("CartObject")


@cart.handler("addTicket")
async def add_ticket(ctx: ObjectContext, ticket_id: str) -> bool:
    reserved = await ctx.object_call(reserve, key=ticket_id, arg=None)
    if reserved:
        tickets = await ctx.get("tickets", type_hint=list[str]) or []
        ctx.set("tickets", [*tickets, ticket_id])
        ctx.object_send(expire_ticket, key=ctx.key(), arg=ticket_id, send_delay=RESERVED_FOR)
    return reserved


@cart.handler()
async def checkout(ctx: ObjectContext) -> bool:
    tickets = await ctx.get("tickets", type_hint=list[str]) or []
    if not tickets:
        return False
    order = Order(user_id=ctx.key(), tickets=tickets)
    paid = await ctx.service_call(handle, arg=order)
    if paid:
        for ticket_id in tickets:
            ctx.object_send(mark_as_sold, key=ticket_id, arg=None)
        ctx.clear("tickets")
    return paid


@cart.handler("expireTicket")
async def expire_ticket(ctx: ObjectContext, ticket_id: str) -> None:
    tickets = await ctx.get("tickets", type_hint=list[str]) or []
    if ticket_id in tickets:
        ctx.set("tickets", [each for each in tickets if each != ticket_id])
        ctx.object_send(unreserve, key=ticket_id, arg=None)

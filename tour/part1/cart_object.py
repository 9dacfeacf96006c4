"""A user's cart: one virtual object for each user, the key is the user's name."""

from rtour import ObjectContext, VirtualObject

from .checkout_service import Order, handle
from .ticket_object import reserve, unreserve

cart = VirtualObject("CartObject")


@cart.handler("addTicket")
async def add_ticket(ctx: ObjectContext, ticket_id: str) -> bool:
    reserved = await ctx.object_call(reserve, key=ticket_id, arg=None)
    return reserved


@cart.handler()
async def checkout(ctx: ObjectContext) -> bool:
    order = Order(user_id=ctx.key(), tickets=["seat2B"])
    paid = await ctx.service_call(handle, arg=order)
    return paid


@cart.handler("expireTicket")
async def expire_ticket(ctx: ObjectContext, ticket_id: str) -> None:
    ctx.object_send(unreserve, key=ticket_id, arg=None)

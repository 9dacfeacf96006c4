"""The theatre: carts reserve seats, a reservation expires, a checkout pays.

Written for these tests after the tour's scenario. Two switches come from outside: seats that
expire soon instead of after a quarter of an hour, and users whose payments fail.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import restate

from tests.conformance.services.python import outside

RESERVED_FOR = timedelta(minutes=15)
SOON = timedelta(seconds=1)
PRICE = 40

cart = restate.VirtualObject("CartObject")
ticket = restate.VirtualObject("TicketObject")
checkout = restate.Service("CheckoutService")


@ticket.handler("reserve")
async def reserve(ctx: restate.ObjectContext) -> bool:
    """Take the seat if it is free."""
    if (await ctx.get("status", type_hint=str) or "AVAILABLE") != "AVAILABLE":
        return False
    ctx.set("status", "RESERVED")
    return True


@ticket.handler("unreserve")
async def unreserve(ctx: restate.ObjectContext) -> None:
    """Free the seat, unless it is sold."""
    if await ctx.get("status", type_hint=str) != "SOLD":
        ctx.clear("status")


@ticket.handler("markAsSold")
async def mark_as_sold(ctx: restate.ObjectContext) -> None:
    if await ctx.get("status", type_hint=str) == "RESERVED":
        ctx.set("status", "SOLD")


@cart.handler("addTicket")
async def add_ticket(ctx: restate.ObjectContext, ticket_id: str) -> bool:
    """Reserve a seat and put it in the cart; it leaves again when nobody pays in time."""
    if not await ctx.object_call(reserve, key=ticket_id, arg=None):
        return False
    ctx.set("tickets", [*(await ctx.get("tickets", type_hint=list[str]) or []), ticket_id])
    delay = SOON if outside.switched_on(f"expires-soon {ticket_id}") else RESERVED_FOR
    ctx.object_send(expire_ticket, key=ctx.key(), arg=ticket_id, send_delay=delay)
    return True


@cart.handler("checkout")
async def check_out(ctx: restate.ObjectContext) -> bool:
    """Pay for what is in the cart; on success the seats are sold and the cart is empty."""
    tickets = await ctx.get("tickets", type_hint=list[str]) or []
    if not tickets:
        return False
    order = {"userId": ctx.key(), "tickets": tickets}
    if not await ctx.service_call(handle, arg=order):
        return False
    for ticket_id in tickets:
        await ctx.object_call(mark_as_sold, key=ticket_id, arg=None)
    ctx.clear("tickets")
    return True


@cart.handler("expireTicket")
async def expire_ticket(ctx: restate.ObjectContext, ticket_id: str) -> None:
    """Take one seat out of the cart, if it is still there, and free it."""
    tickets = await ctx.get("tickets", type_hint=list[str]) or []
    if ticket_id in tickets:
        ctx.set("tickets", [other for other in tickets if other != ticket_id])
        ctx.object_send(unreserve, key=ticket_id, arg=None)


@checkout.handler("handle")
async def handle(ctx: restate.Context, order: dict[str, Any]) -> bool:
    """Charge once, however often the payment has to be tried, then send the mail."""
    user = order["userId"]
    payment_id = await ctx.run_typed("payment_id", lambda: f"{user}/{len(order['tickets'])}")

    def pay() -> int:
        outside.effect(f"payment-attempts {user}", payment_id)
        if outside.switched_on(f"payment-fails {user}"):
            raise RuntimeError("The payment service is down")
        outside.effect(f"payments {user}", payment_id)
        return PRICE * len(order["tickets"])

    amount = await ctx.run_typed("payment", pay)
    await ctx.run_typed("mail", lambda: outside.effect(f"mails {user}", str(amount)))
    return True


ALL: list[restate.Service | restate.VirtualObject | restate.Workflow] = [cart, ticket, checkout]

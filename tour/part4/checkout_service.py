"""The checkout: a plain service, each request on its own."""

from typing import TypedDict

from rtour import Context, Service

from ..auxiliary import email_client, payment_client

PRICE = 40


class Order(TypedDict):
    """Who buys which seats."""

    user_id: str
    tickets: list[str]


checkout = Service("CheckoutService")


@checkout.handler()
async def handle(ctx: Context, order: Order) -> bool:
    amount = PRICE * len(order["tickets"])
    # The same in every attempt, so that the provider knows a repeated request when it sees one.
    payment_key = str(ctx.uuid())

    async def pay() -> bool:
        return await payment_client.call(payment_key, amount)

    paid = await ctx.run_typed("payment", pay)
    notify = email_client.payment_succeeded if paid else email_client.payment_failed
    await ctx.run_typed("notify", notify, user_id=order["user_id"])
    return paid

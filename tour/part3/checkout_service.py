"""The checkout: a plain service, each request on its own."""

from typing import TypedDict

from rtour import Context, Service


class Order(TypedDict):
    """Who buys which seats."""

    user_id: str
    tickets: list[str]


checkout = Service("CheckoutService")


@checkout.handler()
async def handle(ctx: Context, order: Order) -> bool:
    return True

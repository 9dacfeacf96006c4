"""Refunds: a human at the box office decides, however long that takes."""

from rtour import Context, Service

refunds = Service("RefundService")


@refunds.handler()
async def request(ctx: Context, ticket_id: str) -> str:
    return "refunded"

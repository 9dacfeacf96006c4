"""Refunds: a human at the box office decides, however long that takes."""

from rtour import Context, Service

from ..auxiliary import email_client

refunds = Service("RefundService")


@refunds.handler()
async def request(ctx: Context, ticket_id: str) -> str:
    answer_to, decision = ctx.awakeable(type_hint=bool)
    question = f"Shall we take back {ticket_id}?"
    await ctx.run_typed(
        "ask the box office", email_client.ask_box_office, question=question, answer_to=answer_to
    )
    return "refunded" if await decision else "refused"

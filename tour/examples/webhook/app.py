"""A durable webhook: each event counts once, in order, however often its sender repeats it.

Point the sender at `/Webhook/receive/send`: the event is stored before the answer goes out, so
the sender is never kept waiting and no event is lost. Events of one account go through one virtual
object, one at a time.

    rtour serve app.py
    rtour deployments register localhost:9080
    curl localhost:8080/Webhook/receive/send --json '{"id": "ev1", "account": "ada", "cents": 500}'
    curl localhost:8080/Webhook/receive/send --json '{"id": "ev1", "account": "ada", "cents": 500}'
    rtour call Account/ada/balance
"""

from typing import TypedDict

import rtour

REMEMBERED = 1000


class Event(TypedDict):
    """What the sender posts."""

    id: str
    account: str
    cents: int


webhook = rtour.Service("Webhook")
account = rtour.VirtualObject("Account")


@webhook.handler()
async def receive(ctx: rtour.Context, event: Event) -> None:
    """Checks the event and hands it to its account."""
    if not event.get("id") or not event.get("account"):
        raise rtour.TerminalError("an event has an id and an account", status_code=400)
    ctx.object_send(apply, key=event["account"], arg=event)


@account.handler()
async def apply(ctx: rtour.ObjectContext, event: Event) -> bool:
    """Books an event; false if it was booked before."""
    seen = await ctx.get("seen", type_hint=list[str]) or []
    if event["id"] in seen:
        return False
    ctx.set("seen", [*seen, event["id"]][-REMEMBERED:])
    ctx.set("balance", (await ctx.get("balance", type_hint=int) or 0) + event["cents"])
    return True


@account.handler(kind="shared")
async def balance(ctx: rtour.ObjectSharedContext) -> int:
    """In cents."""
    return await ctx.get("balance", type_hint=int) or 0


app = rtour.app([webhook, account])

"""Checks of part 2: calls that are made later, and which work blocks which."""

from __future__ import annotations

from datetime import timedelta

from rtour.client.model import Invocation

from ..guide.look import Look, words
from ..guide.verdict import NotYet
from .calling import seat_is_told

RESERVED_FOR = timedelta(minutes=15)
TOLERANCE = timedelta(seconds=30)
HINT = (
    "ctx.object_send(expire_ticket, key=ctx.key(), arg=ticket_id, send_delay=timedelta(minutes=15))"
)


async def scheduling(look: Look) -> None:
    """A reservation ends after 15 minutes, by a call that is made then."""
    seat, user = look.fresh("seat"), look.fresh("user")
    path = f"CartObject/{user}/addTicket"
    id_ = await look.send(path, seat)
    await _not_asleep(look, id_)
    await look.result(id_, path)
    target = f"CartObject/{user}/expireTicket"
    sends = await look.entries(id_, "OneWayCall", target)
    if not sends:
        raise NotYet(
            f"addTicket schedules {target}",
            f"its journal: {words(await look.journal(id_))}",
            "A message may have a delay: object_send takes send_delay. The cart's key is "
            "ctx.key(), the argument is the ticket.",
            HINT,
        )
    called = (await look.of_handler(target))[0]
    delay = _delay(called)
    if abs(delay - RESERVED_FOR) > TOLERANCE:
        raise NotYet(
            "expireTicket is due in 15 minutes",
            "it is due at once" if not delay else f"it is due in {delay.total_seconds():.0f} s",
            "Give the message a send_delay." if not delay else "Set it to 15 minutes.",
            HINT,
        )
    look.done(f"{target} is due in 15 minutes; addTicket has ended, so the cart is free meanwhile")
    look.done(f"the engine keeps it as {called.id}, whatever restarts")
    await look.skip(RESERVED_FOR)
    await look.result(called.id, target)
    look.done("15 minutes were skipped, and expireTicket was called")
    await seat_is_told(look, called.id, seat)


async def _not_asleep(look: Look, id_: str) -> None:
    """A handler that sleeps for 15 minutes would have to be waited for."""
    if await look.asleep(id_):
        await look.client.admin.operate("kill", id_)
        raise NotYet(
            "addTicket schedules a message and ends",
            "it sleeps, and keeps the user's cart locked until it wakes",
            "Do not sleep in a virtual object: send a message that is due later.",
            HINT,
        )


def _delay(called: Invocation) -> timedelta:
    due = called.scheduled_start_at
    return timedelta(0) if due is None else due - called.created_at


async def objects(look: Look) -> None:
    """A plain service was called without a key; two carts were used at the same time."""
    calls = await look.of_handler("CheckoutService/handle")
    if not any(call.done and call.invoked_by == "ingress" for call in calls):
        raise NotYet(
            "a request to CheckoutService/handle from outside",
            "so far only carts have called it",
            "A plain service has no key, so the path is /CheckoutService/handle.",
        )
    look.done("CheckoutService/handle was called, without a key")
    for user in ("Mary", "Joe"):
        if not await look.of_handler(f"CartObject/{user}/addTicket"):
            raise NotYet(
                f"a ticket in {user}'s cart",
                f"CartObject/{user}/addTicket was never called",
                f"curl localhost:{look.theatre.ports[0]}/CartObject/{user}/addTicket "
                "--json '\"seat3A\"'",
            )
        look.done(f"{user} has a cart, a virtual object with its own lock and state")
    await _one_at_a_time(look)


async def _one_at_a_time(look: Look) -> None:
    """Five requests at one key are worked on one after the other."""
    seat = look.fresh("seat")
    ids = [await look.send(f"TicketObject/{seat}/unreserve") for _ in range(5)]
    for id_ in ids:
        await look.result(id_, f"TicketObject/{seat}/unreserve")
    ended = {each.id: each.completed_at for each in await look.client.query.invocations_by_id(ids)}
    if ids != sorted(ids, key=lambda id_: str(ended[id_])):
        raise NotYet("one key does one thing after the other", f"they ended in disorder: {ended}")
    look.done(f"five requests to TicketObject/{seat} at once: worked on one after the other")

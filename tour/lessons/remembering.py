"""Checks of part 3: state in carts and seats."""

from __future__ import annotations

import json
from typing import Any

from rtour.client.model import Invocation

from ..guide.look import Look, words
from ..guide.verdict import NotYet
from .scheduling import RESERVED_FOR

SET_HINT = 'ctx.set("tickets", [*tickets, ticket_id])'


async def state(look: Look) -> None:
    """The cart keeps its tickets, and checkout uses them."""
    user, one, two = look.fresh("user"), look.fresh("seat"), look.fresh("seat")
    await _added(look, user, [one])
    await _added(look, user, [one, two])
    look.done("the cart keeps every ticket that was added")
    answer = await look.call(f"CartObject/{user}/checkout")
    orders = await look.entries(answer.id, "Call", "CheckoutService/handle")
    tickets = json.loads(orders[0].value or b"{}").get("tickets") if orders else None
    if tickets != [one, two]:
        raise NotYet(
            f"checkout orders {[one, two]}",
            f"it orders {tickets}",
            'Get "tickets" in checkout, too, and put them into the order.',
        )
    look.done("checkout orders what is in the cart")
    left = await look.state("CartObject", user)
    if left.get("tickets"):
        raise NotYet(
            "the cart is empty after checkout",
            f"it holds {left['tickets']}",
            'When it is paid for: ctx.clear("tickets").',
        )
    look.done("the cart is empty afterwards")
    await _empty_cart(look)


async def _added(look: Look, user: str, expected: list[str]) -> None:
    answer = await look.call(f"CartObject/{user}/addTicket", expected[-1])
    held = await look.state("CartObject", user)
    kept = held.get("tickets")
    if kept == expected:
        return
    journal = await look.journal(answer.id)
    wrote = any(entry.kind == "SetState" for entry in journal)
    seen = f"the state of CartObject/{user} is {json.dumps(kept)}"
    hints = ['await ctx.get("tickets", type_hint=list[str]) or [] reads them.', SET_HINT]
    if not wrote:
        seen += f", and its journal has no SetState: {words(journal)}"
        hints.insert(0, "Changing the list in memory changes nothing: only ctx.set stores it.")
    elif kept is None:
        others = ", ".join(sorted(held)) or "nothing"
        seen += f": it has set {others}"
        hints.insert(0, 'The name is "tickets", in all handlers of the cart.')
    elif kept == expected[-1:]:
        seen += ": the new ticket has replaced the others"
        hints.insert(0, "Get the list first, add to it, then set it.")
    raise NotYet(f"CartObject/{user} keeps tickets = {json.dumps(expected)}", seen, *hints)


async def _empty_cart(look: Look) -> None:
    user = look.fresh("user")
    answer = await look.call(f"CartObject/{user}/checkout")
    if answer.value is not False or await look.entries(answer.id, "Call"):
        raise NotYet(
            "checking out an empty cart answers false and orders nothing",
            f"it answered {json.dumps(answer.value)}: {words(await look.journal(answer.id))}",
            "if not tickets: return False",
        )
    look.done("an empty cart is not checked out")


async def inspecting(look: Look) -> None:
    """Nina's cart was filled while the learner watched its state."""
    calls = await look.of_handler("CartObject/Nina/addTicket")
    for call in calls:
        sets = await look.entries(call.id, "SetState")
        if sets:
            now = (await look.state("CartObject", "Nina")).get("tickets")
            look.done(f"Nina's cart was filled by {call.id}")
            look.done(f"it holds {json.dumps(now)} now" if now else "it is empty again by now")
            return
    raise NotYet(
        "a ticket in Nina's cart since carts have state",
        await _nina(look, calls),
        "Add one as in the lesson, and look: rtour kv get CartObject Nina",
    )


async def _nina(look: Look, calls: list[Invocation]) -> str:
    """Why her cart is empty."""
    for call in calls:
        answers = [entry.outcome for entry in await look.entries(call.id, "Output")]
        if any(answer is not None and answer.value == b"false" for answer in answers):
            return f"Nina was refused her seat in {call.id}: somebody has it already"
    others = await look.invocations(
        "inv.target_service_name = 'CartObject'", "lower(inv.target_service_key) = 'nina'"
    )
    wrong = next((each.target for each in others if each.target_service_key != "Nina"), None)
    also = f"; {wrong.rpartition('/')[0]} has, but that is another cart" if wrong else ""
    return f"CartObject/Nina has not written any state{also}"


async def expiring(look: Look) -> None:
    """An expired ticket leaves the cart, and only seats that the cart holds are freed."""
    user, one, two = look.fresh("user"), look.fresh("seat"), look.fresh("seat")
    for seat in (one, two):
        await look.call(f"CartObject/{user}/addTicket", seat)
    answer = await look.call(f"CartObject/{user}/expireTicket", one)
    kept = (await look.state("CartObject", user)).get("tickets")
    if kept != [two]:
        raise NotYet(
            f"after {one} has expired the cart holds only {two}",
            f"it holds {json.dumps(kept)}",
            "Get the tickets, take this one out, and set the rest.",
            'ctx.set("tickets", [each for each in tickets if each != ticket_id])',
        )
    if not await look.entries(answer.id, "OneWayCall", f"TicketObject/{one}/unreserve"):
        raise NotYet(
            f"expireTicket still tells TicketObject/{one}",
            f"its journal: {words(await look.journal(answer.id))}",
            "Send to unreserve when the ticket was in the cart.",
        )
    look.done("an expired ticket leaves the cart, and its seat is told")
    await look.skip(RESERVED_FOR)

    async def empty() -> bool:
        return not (await look.state("CartObject", user)).get("tickets")

    if not await look.until(empty):
        raise NotYet(
            f"15 minutes later the cart of {user} is empty",
            f"it holds {json.dumps((await look.state('CartObject', user)).get('tickets'))}",
            "addTicket schedules expireTicket, as in the lesson on scheduling.",
        )
    look.done("15 minutes were skipped, and the rest of the cart has left, too")
    stranger = look.fresh("seat")
    answer = await look.call(f"CartObject/{user}/expireTicket", stranger)
    if await look.entries(answer.id, "OneWayCall"):
        raise NotYet(
            "a ticket that is not in the cart is left alone",
            f"{stranger} was never in it, and was unreserved all the same",
            "After a checkout the ticket belongs to the user: look into the cart first.",
            "if ticket_id in tickets:",
        )
    look.done("a ticket that is no longer in the cart is left alone")


async def tickets(look: Look) -> None:
    """A seat goes from available to reserved to sold, and belongs to one user at a time."""
    seat = look.fresh("seat")
    await _step(look, seat, "reserve", True, "RESERVED")
    await _step(look, seat, "reserve", False, "RESERVED")
    await _step(look, seat, "unreserve", None, None)
    await _step(look, seat, "markAsSold", None, None)
    await _step(look, seat, "reserve", True, "RESERVED")
    await _step(look, seat, "markAsSold", None, "SOLD")
    await _step(look, seat, "unreserve", None, "SOLD")
    await _step(look, seat, "reserve", False, "SOLD")
    look.done("a sold seat stays sold")
    await _race(look)
    await _taken(look)
    await _runs_out(look)
    await _sells(look)


async def _step(look: Look, seat: str, handler: str, answer: Any, status: str | None) -> None:
    before = (await look.state("TicketObject", seat)).get("status")
    got = await look.call(f"TicketObject/{seat}/{handler}")
    after = (await look.state("TicketObject", seat)).get("status")
    if after == "AVAILABLE":
        after = None
    if after != status or (handler == "reserve" and got.value is not answer):
        shown = f"{handler} of a seat that is {before or 'AVAILABLE'}"
        answers = f"answers {json.dumps(answer)} and " if handler == "reserve" else ""
        raise NotYet(
            f"{shown} {answers}leaves it {status or 'AVAILABLE'}",
            f"it answered {json.dumps(got.value)} and left it {after or 'AVAILABLE'}",
            'The status is kept under the name "status"; not set means AVAILABLE. '
            "Is ctx.get awaited?",
            f"Look at {handler}: which statuses may it start from, and which does it set?",
        )
    look.done(f"{handler}: {before or 'AVAILABLE'} → {after or 'AVAILABLE'}")


async def _race(look: Look) -> None:
    seat = look.fresh("seat")
    path = f"TicketObject/{seat}/reserve"
    ids = [await look.send(path) for _ in range(5)]
    won = sum([await look.result(id_, path) is True for id_ in ids])
    if won != 1:
        raise NotYet("of five who reserve a seat at once, one gets it", f"{won} got it")
    look.done("of five who reserved one seat at once, one got it")


async def _taken(look: Look) -> None:
    seat, first, second = look.fresh("seat"), look.fresh("user"), look.fresh("user")
    await look.call(f"CartObject/{first}/addTicket", seat)
    answer = await look.call(f"CartObject/{second}/addTicket", seat)
    cart = (await look.state("CartObject", second)).get("tickets")
    if answer.value is not False or cart:
        raise NotYet(
            "a taken seat is refused, and does not get into the second cart",
            f"addTicket answered {json.dumps(answer.value)}, the cart holds {json.dumps(cart)}",
            "In addTicket, fill the cart only `if reserved:`."
            if cart
            else "addTicket returns what reserve has answered: return reserved",
        )
    look.done("a taken seat does not get into another cart")


async def _runs_out(look: Look) -> None:
    seat, first, second = look.fresh("seat"), look.fresh("user"), look.fresh("user")
    await look.call(f"CartObject/{first}/addTicket", seat)
    await look.skip(RESERVED_FOR)

    async def free() -> bool:
        return "status" not in await look.state("TicketObject", seat)

    await look.until(free)
    answer = await look.call(f"CartObject/{second}/addTicket", seat)
    if answer.value is not True:
        raise NotYet(
            "after 15 minutes a seat can be had again",
            f"addTicket of another user answered {json.dumps(answer.value)}",
            "addTicket schedules expireTicket, and that sends to unreserve.",
        )
    look.done("15 minutes were skipped: the seat was free again, and somebody else has it")


async def _sells(look: Look) -> None:
    seat, user = look.fresh("seat"), look.fresh("user")
    await look.call(f"CartObject/{user}/addTicket", seat)
    await look.call(f"CartObject/{user}/checkout")

    async def sold() -> bool:
        return (await look.state("TicketObject", seat)).get("status") == "SOLD"

    if not await look.until(sold, patience_s=2.0):
        status = (await look.state("TicketObject", seat)).get("status")
        raise NotYet(
            "checkout marks the seats as sold",
            f"{seat} is {status or 'AVAILABLE'} after checkout",
            "In checkout, when it is paid for, send to markAsSold of each ticket.",
            "ctx.object_send(mark_as_sold, key=ticket_id, arg=None)",
        )
    look.done("checkout marks the seats as sold")

"""Checks of part 1: registering, invoking, calling, sending."""

from __future__ import annotations

import json

from rtour.client.journal import JournalEntry
from rtour.client.model import Invocation

from ..guide.look import Look, words
from ..guide.verdict import NotYet

SERVICES = ("CartObject", "TicketObject", "CheckoutService")
ADD_TICKET = ("inv.target_service_name = 'CartObject'", "inv.target_handler_name = 'addTicket'")


async def getting_started(look: Look) -> None:
    """The engine knows the learner's services."""
    known = {service.name for service in await look.client.admin.services()}
    registered = look.theatre.service_url in [
        deployment.endpoint.rstrip("/") for deployment in await look.client.admin.deployments()
    ]
    port = look.theatre.ports[2]
    for name in SERVICES:
        if name not in known:
            raise NotYet(
                f"the engine knows {name}",
                f"it knows {', '.join(sorted(known)) or 'no service at all'}",
                f"Your app has named the others: is {name} in the list in app.py?"
                if registered
                else "Registering tells the engine where your services are; it then asks them "
                "what they offer.",
                f"rtour deployments register localhost:{port} --yes{' --force' * registered}",
            )
        look.done(f"the engine knows {name}")


async def http(look: Look) -> None:
    """Mary's cart was called from outside."""
    for handler in ("addTicket", "checkout"):
        target = f"CartObject/Mary/{handler}"
        calls = await look.invocations(*_carts(handler), "inv.invoked_by = 'ingress'")
        hers = [call for call in calls if call.target == target]
        if not any(call.completion_result == "success" for call in hers):
            raise NotYet(
                f"a request to {target}, and an answer",
                _what_came_of(hers, calls),
                "The path is /Service/key/handler, with small and capital letters as they are. "
                "The body is JSON: a string needs its own double quotes inside the single quotes "
                "of the shell.",
                "Run the two curl commands of the lesson as they stand.",
            )
        look.done(f"{target} was called over HTTP and has answered")


def _carts(handler: str) -> tuple[str, str]:
    return ADD_TICKET[0], f"inv.target_handler_name = '{handler}'"


def _what_came_of(hers: list[Invocation], calls: list[Invocation]) -> str:
    if hers:
        last = hers[0]
        return f"{last.id} is {last.outcome}: {last.completion_failure or last.last_failure}"
    if calls:
        return f"only {calls[0].target} was called: that is somebody else's cart"
    return "no such request has reached the engine"


async def calls(look: Look) -> None:
    """The handler addTicket calls reserve and waits for it."""
    seat, user = look.fresh("seat"), look.fresh("user")
    answer = await look.call(f"CartObject/{user}/addTicket", seat)
    journal = await look.journal(answer.id)
    target = f"TicketObject/{seat}/reserve"
    call = _the_call(journal, target)
    look.done(f"addTicket called {target}: entry {call.index} of its journal")
    output = next(entry for entry in journal if entry.kind == "Output")
    if call.completed_by is None or call.completed_by > output.index:
        raise NotYet(
            "addTicket waits for the answer of reserve",
            "it ended before the answer was there: the call was made, but not awaited",
            "A call gives a future. It is worth its value only after `await`.",
            "reserved = await ctx.object_call(reserve, key=ticket_id, arg=None)",
        )
    look.done(f"the answer came back as entry {call.completed_by}, before addTicket ended")
    if answer.value is not True:
        raise NotYet(
            "addTicket answers true, as reserve does",
            f"it answered {json.dumps(answer.value)}",
            "Return what reserve has answered.",
        )


def _the_call(journal: list[JournalEntry], target: str) -> JournalEntry:
    hints = (
        "Import reserve from .ticket_object; the context makes the call.",
        "reserved = await ctx.object_call(reserve, key=ticket_id, arg=None)",
    )
    found = [entry for entry in journal if entry.kind == "Call"]
    if not found and any(entry.kind == "OneWayCall" for entry in journal):
        raise NotYet(
            f"addTicket calls {target} and waits",
            "it sends a message (a OneWayCall) and never learns the answer",
            "object_send does not wait. The one that waits is object_call.",
            hints[1],
        )
    if not found:
        raise NotYet(f"addTicket calls {target}", f"its journal: {words(journal)}", *hints)
    if found[0].target != target:
        raise NotYet(
            f"addTicket calls {target}",
            f"it calls {found[0].target}",
            "One virtual object for each seat: the key is the id of the ticket.",
            hints[1],
        )
    return found[0]


async def messages(look: Look) -> None:
    """The handler expireTicket sends a message; checkout calls the plain service."""
    seat, user = look.fresh("seat"), look.fresh("user")
    await look.call(f"CartObject/{user}/addTicket", seat)
    await _expire_sends(look, user, seat)
    await look.call(f"CartObject/{user}/addTicket", seat)
    path = f"CartObject/{user}/checkout"
    answer = await look.call(path)
    found = await _orders(look, answer.id)
    order = json.loads(found[0].value or b"null")
    if not isinstance(order, dict) or order.get("user_id") != user or not order.get("tickets"):
        raise NotYet(
            f'an order such as {{"user_id": "{user}", "tickets": ["seat2B"]}}',
            f"the order was {json.dumps(order)}",
            "The user is the key of the cart: ctx.key().",
        )
    look.done("checkout hands the user and the tickets to CheckoutService/handle")


async def _orders(look: Look, checkout_id: str) -> list[JournalEntry]:
    """The call that a checkout has made to the plain service, and waited for."""
    target, expected = "CheckoutService/handle", "checkout calls CheckoutService/handle and waits"
    hint = 'await ctx.service_call(handle, arg=Order(user_id=ctx.key(), tickets=["seat2B"]))'
    journal = await look.journal(checkout_id)
    found = [entry for entry in journal if (entry.kind, entry.target) == ("Call", target)]
    if not found and any(entry.target == target for entry in journal):
        raise NotYet(
            expected,
            "it sends a message (a OneWayCall) and never learns the answer",
            "service_send does not wait. The one that waits is service_call.",
            hint,
        )
    if not found:
        raise NotYet(
            expected,
            f"its journal: {words(journal)}",
            "A plain service has no key: ctx.service_call takes the handler and its argument.",
            hint,
        )
    output = next(entry for entry in journal if entry.kind == "Output")
    if found[0].completed_by is None or found[0].completed_by > output.index:
        raise NotYet(
            expected,
            "it ended before the answer was there: the call was made, but not awaited",
            "A call gives a future. It is worth its value only after `await`.",
            hint,
        )
    return found


async def _expire_sends(look: Look, user: str, seat: str) -> None:
    answer = await look.call(f"CartObject/{user}/expireTicket", seat)
    await seat_is_told(look, answer.id, seat)


async def seat_is_told(look: Look, id_: str, seat: str) -> None:
    """An expireTicket tells the seat's object, without waiting."""
    target = f"TicketObject/{seat}/unreserve"
    hint = "ctx.object_send(unreserve, key=ticket_id, arg=None)"
    sends = await look.entries(id_, "OneWayCall")
    if not sends and await look.entries(id_, "Call"):
        raise NotYet(
            f"expireTicket sends a message to {target}",
            "it calls, and so waits for something whose answer it does not need",
            "A message is sent with object_send, and there is nothing to await.",
            hint,
        )
    if not sends:
        raise NotYet(
            f"expireTicket sends a message to {target}",
            f"its journal: {words(await look.journal(id_))}",
            "Import unreserve from .ticket_object and send to it.",
            hint,
        )
    if sends[0].target != target:
        raise NotYet(
            f"expireTicket sends to {target}",
            f"it sends to {sends[0].target}",
            "The key is the ticket's id, not the user.",
            hint,
        )
    look.done(f"expireTicket sent a message to {target} and did not wait")

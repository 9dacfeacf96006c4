"""What learners get wrong: changes to a solution, and the words that name the cause."""

from __future__ import annotations

from typing import NamedTuple


class Wrong(NamedTuple):
    """In `file`, `old` becomes `new`; the verdict then says `cause`."""

    lesson: str
    name: str
    file: str
    old: str
    new: str
    cause: str
    run: bool = False
    """Whether the lesson's commands are run, too."""


CART, TICKET, CHECKOUT = "cart_object.py", "ticket_object.py", "checkout_service.py"
RESERVE = "await ctx.object_call(reserve, key=ticket_id, arg=None)"
ADDED = 'ctx.set("tickets", [*tickets, ticket_id])'
NEW_KEY = 'await ctx.run_typed("payment key", new_key)'
PAY = 'await ctx.run_typed("payment", pay)'

SWALLOW = """\
        try:
            return await payment_client.call(payment_key, amount)
        except Exception:
            return False
"""

WRONG = (
    Wrong("calls", "never calls", CART, RESERVE, "True", "its journal: Input → Output"),
    Wrong(
        "calls",
        "sends",
        CART,
        RESERVE,
        RESERVE.replace("await ctx.object_call", "bool(ctx.object_send") + ")",
        "it sends a message",
    ),
    Wrong(
        "calls",
        "forgets the await",
        CART,
        RESERVE,
        RESERVE.replace("await ", "bool(") + ")",
        "made, but not awaited",
    ),
    Wrong(
        "calls", "wrong key", CART, "key=ticket_id", "key=ctx.key()", "it calls TicketObject/user-"
    ),
    Wrong(
        "messages",
        "calls instead",
        CART,
        "ctx.object_send(unreserve",
        "await ctx.object_call(unreserve",
        "waits for something whose answer it does not need",
    ),
    Wrong(
        "messages",
        "wrong key",
        CART,
        "unreserve, key=ticket_id",
        "unreserve, key=ctx.key()",
        "it sends to TicketObject/user-",
    ),
    Wrong(
        "messages",
        "wrong user",
        CART,
        "user_id=ctx.key()",
        'user_id="Mary"',
        'the order was {"user_id": "Mary"',
    ),
    Wrong("scheduling", "no delay", CART, ", send_delay=RESERVED_FOR", "", "it is due at once"),
    Wrong("scheduling", "five seconds", CART, "minutes=15", "seconds=5", "it is due in 5 s"),
    Wrong(
        "scheduling",
        "sleeps",
        CART,
        "        ctx.object_send(expire_ticket",
        "        await ctx.sleep(RESERVED_FOR)\n        ctx.object_send(expire_ticket",
        "keeps the user's cart locked",
    ),
    Wrong(
        "state", "never sets", CART, ADDED, "tickets.append(ticket_id)", "only ctx.set stores it"
    ),
    Wrong(
        "state", "replaces", CART, "[*tickets, ticket_id]", "[ticket_id]", "has replaced the others"
    ),
    Wrong(
        "state",
        "never clears",
        CART,
        '        ctx.clear("tickets")',
        "        pass",
        "the cart is empty after checkout",
    ),
    Wrong(
        "state",
        "hard-coded order",
        CART,
        "tickets=tickets)",
        'tickets=["seat2B"])',
        "it orders ['seat2B']",
    ),
    Wrong(
        "state",
        "sells nothing",
        CART,
        "    if not tickets:\n        return False\n",
        "",
        "checking out an empty cart",
    ),
    Wrong(
        "expiring-tickets",
        "always frees",
        CART,
        "    if ticket_id in tickets:",
        "    if True:",
        "was never in it, and was unreserved all the same",
    ),
    Wrong(
        "expiring-tickets",
        "keeps it",
        CART,
        '        ctx.set("tickets", [each for each in tickets if each != ticket_id])\n',
        "",
        "holds only",
    ),
    Wrong(
        "expiring-tickets",
        "empties the cart",
        CART,
        '        ctx.set("tickets", [each for each in tickets if each != ticket_id])\n',
        '        ctx.clear("tickets")\n',
        "it holds null",
    ),
    Wrong(
        "expiring-tickets",
        "is not told",
        CART,
        "            ctx.object_send(expire_ticket, key=ctx.key(), arg=ticket_id, "
        "send_delay=RESERVED_FOR)\n".removeprefix("    "),
        "",
        "15 minutes later the cart of",
    ),
    Wrong(
        "ticket-object",
        "reserves without looking",
        TICKET,
        '    if status != "AVAILABLE":\n        return False\n',
        "",
        "reserve of a seat that is RESERVED answers false",
    ),
    Wrong(
        "ticket-object",
        "frees sold seats",
        TICKET,
        '    if status != "SOLD":\n        ctx.clear("status")',
        '    ctx.clear("status")',
        "unreserve of a seat that is SOLD",
    ),
    Wrong(
        "ticket-object",
        "sells free seats",
        TICKET,
        '    if status == "RESERVED":\n        ctx.set',
        "    if True:\n        ctx.set",
        "markAsSold of a seat that is AVAILABLE",
    ),
    Wrong(
        "ticket-object",
        "adds taken seats",
        CART,
        "    if reserved:\n        tickets",
        "    if True:\n        tickets",
        "a taken seat is refused",
    ),
    Wrong(
        "journaling-actions",
        "outside a run",
        CHECKOUT,
        'await ctx.run_typed("payment key", new_key)',
        "new_key()",
        "its journal: Input → Output",
    ),
    Wrong(
        "journaling-actions",
        "always the same",
        CHECKOUT,
        "secrets.token_hex(8)",
        '"key"',
        "two checkouts have the same",
    ),
    Wrong(
        "journaling-actions",
        "made from the order",
        CHECKOUT,
        "secrets.token_hex(8)",
        'str(len(order["tickets"]))',
        "two checkouts have the same",
    ),
    Wrong(
        "exactly-once-payment",
        "random key outside a run",
        CHECKOUT,
        "str(ctx.uuid())",
        "__import__('secrets').token_hex(8)",
        "The key is made anew in every attempt",
    ),
    Wrong(
        "exactly-once-payment",
        "payment outside a run",
        CHECKOUT,
        PAY,
        "await pay()",
        "the answer of the provider is in the journal",
    ),
    Wrong(
        "exactly-once-payment",
        "wrong price",
        CHECKOUT,
        'PRICE * len(order["tickets"])',
        "PRICE",
        "two seats cost $80",
    ),
    Wrong(
        "exactly-once-payment",
        "swallows the failure",
        CHECKOUT,
        "        return await payment_client.call(payment_key, amount)\n",
        SWALLOW,
        "Let the exception of the payment client pass",
    ),
    Wrong(
        "finishing-checkout",
        "always good news",
        CHECKOUT,
        "email_client.payment_succeeded if paid else email_client.payment_failed",
        "email_client.payment_succeeded",
        "email_client.payment_failed",
    ),
    Wrong(
        "finishing-checkout",
        "mail outside a run",
        CHECKOUT,
        'await ctx.run_typed("notify", notify, user_id=order["user_id"])',
        'notify(order["user_id"])',
        "the mail is sent inside a run",
    ),
    Wrong(
        "finishing-checkout",
        "says paid when it is not",
        CHECKOUT,
        "    return paid",
        "    return True",
        "answers false when the card is declined",
    ),
    Wrong(
        "durable-execution",
        "fails before the call",
        CART,
        f"    reserved = {RESERVE}\n",
        f'    raise RuntimeError("Failing")\n    reserved = {RESERVE}\n',
        "fails before anything is in its journal",
        run=True,
    ),
    Wrong(
        "durable-execution",
        "fails for good",
        CART,
        'raise RuntimeError("Failing")',
        'raise __import__("rtour").TerminalError("Failing")',
        "A TerminalError is not retried",
        run=True,
    ),
    Wrong(
        "durable-execution",
        "does not fail",
        CART,
        '    raise RuntimeError("Failing")\n',
        "",
        "did not fail: it has answered",
        run=True,
    ),
    Wrong(
        "idempotency-keys",
        "makes the key outside a run",
        CHECKOUT,
        NEW_KEY,
        "new_key()",
        "A key that is made outside a run is another one in every attempt",
        run=True,
    ),
    Wrong(
        "idempotency-keys",
        "forgets the await",
        CHECKOUT,
        NEW_KEY,
        NEW_KEY.removeprefix("await "),
        "it was not awaited",
        run=True,
    ),
    Wrong(
        "idempotency-keys",
        "fails for good",
        CHECKOUT,
        "raise RuntimeError(",
        "raise __import__('rtour').TerminalError(",
        "A TerminalError is not retried",
        run=True,
    ),
    Wrong(
        "idempotency-keys",
        "does not fail",
        CHECKOUT,
        '    raise RuntimeError("Something happened")\n',
        "",
        "did not fail: it has answered",
        run=True,
    ),
    Wrong(
        "crashing",
        "random key outside a run",
        CHECKOUT,
        "str(ctx.uuid())",
        "__import__('secrets').token_hex(8)",
        "The key is made anew in every attempt",
    ),
    Wrong("crashing", "never pays", CHECKOUT, PAY, "True", "the provider was never asked"),
    Wrong(
        "crashing",
        "says it was declined",
        CHECKOUT,
        "return paid",
        "return False",
        "answered False",
    ),
    Wrong("recap", "five seconds", CART, "minutes=15", "seconds=5", "it is due in 5 s"),
    Wrong(
        "recap", "never sets", CART, ADDED, "tickets.append(ticket_id)", "only ctx.set stores it"
    ),
    Wrong("recap", "wrong price", CHECKOUT, '* len(order["tickets"])', "", "two seats cost $80"),
)

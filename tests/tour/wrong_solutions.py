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
PAY = 'await ctx.run_typed("payment", pay)'

ASK = """\
await ctx.run_typed(
        "ask the box office", email_client.ask_box_office, question=question, answer_to=answer_to
    )"""
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
        "awakeables",
        "does not wait",
        "refund_service.py",
        "if await decision else",
        "if decision else",
        "makes it refused",
    ),
    Wrong(
        "awakeables",
        "asks outside a run",
        "refund_service.py",
        ASK,
        "email_client.ask_box_office(question, answer_to)",
        "the question is sent inside a run",
    ),
    Wrong(
        "awakeables",
        "turns the answer round",
        "refund_service.py",
        '"refunded" if await decision else "refused"',
        '"refused" if await decision else "refunded"',
        "makes it refunded",
    ),
    Wrong(
        "workflows",
        "does not wait",
        "membership_workflow.py",
        'await ctx.promise("code", type_hint=str).value()',
        "code",
        "it has ended already",
    ),
    Wrong(
        "workflows",
        "takes any code",
        "membership_workflow.py",
        "    if entered != code:",
        "    if False:",
        "with a wrong code fails",
    ),
    Wrong(
        "workflows",
        "keeps no status",
        "membership_workflow.py",
        '    ctx.set("status", "waiting for the code")\n',
        "",
        "status tells that it waits",
    ),
    Wrong(
        "sagas",
        "undoes nothing",
        "group_booking.py",
        "            await ctx.object_call(unreserve, key=ticket_id, arg=None)\n",
        "            pass\n",
        "is still reserved",
    ),
    Wrong(
        "sagas",
        "takes what it gets",
        "group_booking.py",
        '                raise TerminalError(f"{ticket_id} is taken.", status_code=409)\n',
        "                continue\n",
        "answers within",
    ),
    Wrong(
        "sagas",
        "forgets to tell",
        "group_booking.py",
        "        raise\n",
        "        return False\n",
        "fails",
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
        "no addTicket is being retried",
        run=True,
    ),
    Wrong(
        "durable-execution",
        "does not fail",
        CART,
        '    raise RuntimeError("Failing")\n',
        "",
        "no addTicket is being retried",
        run=True,
    ),
    Wrong(
        "testing",
        "other names",
        "test_theatre.py",
        "test-",
        "mine-",
        "nobody has reserved a seat whose name begins with test-",
        run=True,
    ),
    Wrong(
        "testing",
        "one user twice",
        "test_theatre.py",
        "test-bob-",
        "test-ada-",
        "no seat of the tests was wanted by two users",
        run=True,
    ),
    Wrong(
        "testing",
        "two seats",
        "test_theatre.py",
        'f"test-bob-{self.mark}", seat',
        'f"test-bob-{self.mark}", f"{seat}-2"',
        "no seat of the tests was wanted by two users",
        run=True,
    ),
)

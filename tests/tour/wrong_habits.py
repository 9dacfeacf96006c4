"""What people who know asyncio get wrong by habit, and the words that name the cause."""

from __future__ import annotations

from tests.tour.wrong_solutions import ADDED, CART, CHECKOUT, NEW_KEY, RESERVE, TICKET, Wrong

MEMBERSHIP, GROUP, REFUND = "membership_workflow.py", "group_booking.py", "refund_service.py"
GET_TICKETS = '        tickets = await ctx.get("tickets", type_hint=list[str]) or []\n'
ORDERED = """\
    paid = await ctx.service_call(handle, arg=order)
    return paid
"""
SCHEDULES = "        ctx.object_send(expire_ticket"

HABITS = (
    Wrong(
        "calls",
        "calls the function itself",
        CART,
        RESERVE,
        "await reserve(ctx)",
        "the context makes the call",
    ),
    Wrong(
        "messages",
        "orders without waiting",
        CART,
        ORDERED,
        "    ctx.service_call(handle, arg=order)\n    return True\n",
        "the call was made, but not awaited",
    ),
    Wrong(
        "messages",
        "orders by message",
        CART,
        ORDERED,
        "    ctx.service_send(handle, arg=order)\n    return True\n",
        "service_send does not wait",
    ),
    Wrong(
        "messages",
        "awaits a message",
        CART,
        "ctx.object_send(unreserve",
        "await ctx.object_send(unreserve",
        "There is nothing to await in a message",
    ),
    Wrong(
        "scheduling",
        "sleeps outside of the context",
        CART,
        SCHEDULES,
        f"        await __import__('asyncio').sleep(900)\n{SCHEDULES}",
        "ctx.sleep, and not asyncio.sleep",
    ),
    Wrong(
        "scheduling",
        "gives seconds as a number",
        CART,
        "send_delay=RESERVED_FOR",
        "send_delay=900",
        "A duration is a timedelta",
    ),
    Wrong(
        "state",
        "forgets the await of a get",
        CART,
        GET_TICKETS,
        GET_TICKETS.replace("await ", ""),
        "An await is missing",
    ),
    Wrong(
        "state",
        "takes it that there is a list",
        CART,
        GET_TICKETS,
        GET_TICKETS.replace(" or []", ""),
        "NoneType",
    ),
    Wrong("state", "awaits a set", CART, ADDED, f"await {ADDED}", "take that await away"),
    Wrong(
        "state",
        "calls it otherwise",
        CART,
        ADDED,
        ADDED.replace('"tickets"', '"ticket"'),
        "it has set ticket",
    ),
    Wrong(
        "ticket-object",
        "forgets the await of a get",
        TICKET,
        'await ctx.get("status", type_hint=str) or "AVAILABLE"',
        'ctx.get("status", type_hint=str) or "AVAILABLE"',
        "Is ctx.get awaited?",
    ),
    Wrong(
        "ticket-object",
        "says yes to everybody",
        CART,
        "    return reserved",
        "    return True",
        "addTicket returns what reserve has answered",
    ),
    Wrong(
        "journaling-actions",
        "calls what is to be run",
        CHECKOUT,
        NEW_KEY,
        NEW_KEY.replace("new_key)", "new_key())"),
        "A run takes the function itself",
    ),
    Wrong(
        "exactly-once-payment",
        "forgets the await inside the run",
        CHECKOUT,
        "return await payment_client",
        "return payment_client",
        "An await is missing",
    ),
    Wrong(
        "exactly-once-payment",
        "makes the key inside the run of the payment",
        CHECKOUT,
        "payment_client.call(payment_key",
        "payment_client.call(__import__('secrets').token_hex(8)",
        "before the payment",
    ),
    Wrong(
        "finishing-checkout",
        "sells what is not paid",
        CART,
        "    if paid:",
        "    if True:",
        "only `if paid:`",
    ),
    Wrong(
        "awakeables",
        "waits before it asks",
        REFUND,
        "    question =",
        "    await decision\n    question =",
        "First ask, then await",
    ),
    Wrong(
        "workflows",
        "makes another code in every attempt",
        MEMBERSHIP,
        "ctx.random()",
        "__import__('random')",
        "is it from ctx.random()?",
    ),
    Wrong(
        "workflows",
        "keeps no promise",
        MEMBERSHIP,
        '    await ctx.promise("code", type_hint=str).resolve(code)',
        "    return None",
        "confirm keeps the promise",
    ),
    Wrong(
        "sagas",
        "frees what it never had",
        GROUP,
        "            if not await ctx.object_call(reserve",
        "            held.append(ticket_id)\n            if not await ctx.object_call(reserve",
        "the booking has undone what it had not done",
    ),
)

"""The lessons in order. Each has its text beside it, `<slug>.md`."""

from __future__ import annotations

from ..guide.lesson import Edit, Lesson
from . import beyond, calling, failing, paying, remembering, scheduling, watching

CART, TICKET, CHECKOUT = "cart_object.py", "ticket_object.py", "checkout_service.py"
MEMBERSHIP, TESTS = "membership_workflow.py", "test_theatre.py"

ONLY_CALLS = (
    Edit(
        CART,
        """\
    order = Order(user_id=ctx.key(), tickets=["seat2B"])
    paid = await ctx.service_call(handle, arg=order)
    return paid
""",
        "    return True\n",
    ),
    Edit(CART, "    ctx.object_send(unreserve, key=ticket_id, arg=None)\n", "    return None\n"),
    Edit(CART, "from .checkout_service import Order, handle\n", ""),
    Edit(CART, "import reserve, unreserve", "import reserve"),
)
EXPIRE_UNSEEN = Edit(
    CART,
    """\
    tickets = await ctx.get("tickets", type_hint=list[str]) or []
    if ticket_id in tickets:
        ctx.set("tickets", [each for each in tickets if each != ticket_id])
        ctx.object_send(unreserve, key=ticket_id, arg=None)
""",
    "    ctx.object_send(unreserve, key=ticket_id, arg=None)\n",
)
SELLS_NOTHING = (
    Edit(
        CART,
        """\
        for ticket_id in tickets:
            ctx.object_send(mark_as_sold, key=ticket_id, arg=None)
""",
        "",
    ),
    Edit(CART, "import mark_as_sold, reserve", "import reserve"),
)
FAIL_AFTER_RESERVE = Edit(
    CART, "    return reserved\n", '    raise RuntimeError("Failing")\n    return reserved\n'
)
IMPORT_SECRETS = Edit(CHECKOUT, "from typing", "import secrets\nfrom typing")
MAKE_KEY = Edit(
    CHECKOUT,
    "    return True\n",
    """\
    def new_key() -> str:
        return secrets.token_hex(8)

    payment_key = await ctx.run_typed("payment key", new_key)
    print("my payment key is", payment_key)
    return True
""",
)
FAIL_AFTER_KEY = Edit(
    CHECKOUT, "    return True\n", '    raise RuntimeError("Something happened")\n    return True\n'
)
NO_MAIL = (
    Edit(CHECKOUT, "import email_client, payment_client", "import payment_client"),
    Edit(
        CHECKOUT,
        "    notify = email_client.payment_succeeded if paid else email_client.payment_failed\n"
        '    await ctx.run_typed("notify", notify, user_id=order["user_id"])\n',
        "",
    ),
)
SLEEP_FIRST = (
    Edit(MEMBERSHIP, "from rtour", "from datetime import timedelta\n\nfrom rtour"),
    Edit(
        MEMBERSHIP,
        '    ctx.set("status", "waiting',
        '    await ctx.sleep(timedelta(seconds=1))\n    ctx.set("status", "waiting',
    ),
)
KEPT = (IMPORT_SECRETS, MAKE_KEY)

LESSONS: tuple[Lesson, ...] = (
    Lesson("getting-started", calling.getting_started),
    Lesson("invoking-over-http", calling.http),
    Lesson("calls", calling.calls, "part1", [CART], ONLY_CALLS),
    Lesson("messages", calling.messages, "part1", [CART]),
    Lesson("durable-execution", failing.durable_execution, "part1", [CART], [FAIL_AFTER_RESERVE]),
    Lesson("debugging", failing.debugging, "part1", [CART], before=3),
    Lesson("scheduling", scheduling.scheduling, "part2", [CART]),
    Lesson("objects-and-services", scheduling.objects),
    Lesson("state", remembering.state, "part3", [CART], (EXPIRE_UNSEEN, *SELLS_NOTHING)),
    Lesson("inspecting-state", remembering.inspecting),
    Lesson("expiring-tickets", remembering.expiring, "part3", [CART], SELLS_NOTHING),
    Lesson("ticket-object", remembering.tickets, "part3", [CART, TICKET]),
    Lesson("journaling-actions", paying.journaling, "part3", [CHECKOUT], KEPT),
    Lesson("idempotency-keys", paying.keys, "part3", [CHECKOUT], (*KEPT, FAIL_AFTER_KEY), KEPT),
    Lesson("exactly-once-payment", paying.payment, "part4", [CHECKOUT], NO_MAIL),
    Lesson("finishing-checkout", paying.finishing, "part4", [CHECKOUT]),
    Lesson("crashing", paying.crashing, "part4", [CHECKOUT]),
    Lesson("idempotent-requests", paying.requests),
    Lesson("tracing", watching.tracing),
    Lesson("recap", watching.recap, "part4", [CART, TICKET, CHECKOUT]),
    Lesson("awakeables", beyond.awakeables, "part5", ["refund_service.py"]),
    Lesson("workflows", beyond.workflows, "part5", [MEMBERSHIP]),
    Lesson("sagas", beyond.sagas, "part5", ["group_booking.py"]),
    Lesson("changing-code", beyond.changing, "part5", [MEMBERSHIP], SLEEP_FIRST, (), 1),
    Lesson("testing", beyond.testing, "part5", [TESTS]),
)

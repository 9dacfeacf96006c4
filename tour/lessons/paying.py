"""Checks of part 4: what is done outside the engine, exactly once."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from rtour.client.journal import JournalEntry
from rtour.client.model import Invocation

from ..guide.look import Look, reason, words
from ..guide.verdict import NotYet
from .calling import ADD_TICKET
from .failing import again_and_again, instead

PRICE = 40
CLI_KEY_LENGTH = 26
PRINTS, SAID_LINES = "payment key is", 50
PAID_HINT = "In checkout, mark the seats as sold and clear the cart only `if paid:`."
RUN_HINT = 'payment_key = await ctx.run_typed("payment key", new_key)'


async def _bought(look: Look, seats: int = 1) -> tuple[str, list[str]]:
    """A fresh user with that many seats in the cart."""
    user = look.fresh("user")
    taken = [look.fresh("seat") for _ in range(seats)]
    for seat in taken:
        await look.call(f"CartObject/{user}/addTicket", seat)
    return user, taken


async def _handled(look: Look, checkout_id: str) -> Invocation:
    """The CheckoutService/handle that a checkout has called."""
    children = await look.client.query.children([checkout_id])
    for child in children:
        if child.target == "CheckoutService/handle":
            return child
    raise NotYet("checkout calls CheckoutService/handle", "it did not")


async def journaling(look: Look) -> None:
    """The handler handle keeps something random in its journal."""
    values = []
    for _ in range(2):
        user, _ = await _bought(look)
        answer = await look.call(f"CartObject/{user}/checkout")
        handled = await _handled(look, answer.id)
        runs = await look.entries(handled.id, "Run")
        if not runs:
            raise NotYet(
                "handle keeps a payment key in its journal",
                f"its journal: {words(await look.journal(handled.id))}",
                "ctx.run_typed takes a name and a function, and keeps what the function returns.",
                RUN_HINT,
            )
        values.append(_value(runs[0]))
    if None in values:
        raise NotYet("the result of the run is kept", "it has no result", "Await the run.")
    look.done(f"a run is in the journal, with its result: {text(values[0])}")
    if values[0] == values[1]:
        raise NotYet(
            "each checkout has a payment key of its own",
            f"two checkouts have the same: {text(values[0])}",
            "Let the function make a new one each time: secrets.token_hex(8).",
        )
    look.done("another checkout has another one")
    _printed(look, text(values[1]).strip('"'))


def _printed(look: Look, key: str) -> None:
    """The service has said the key, and not the future of it."""
    said = look.theatre.said(SAID_LINES)
    if any(key in line for line in said):
        look.done("your service has printed it")
        return
    told = [line for line in said if PRINTS in line] or ["nothing of a payment key"]
    hint = f'print("my {PRINTS}", payment_key)'
    await_it = "A run gives a future, and `await` makes the value. Is the run awaited?"
    raise NotYet(
        f"your service prints: my {PRINTS} {key}",
        f"it has printed: {told[-1]}",
        *([await_it, RUN_HINT] if "uture" in told[-1] else [hint]),
    )


def _value(run: JournalEntry) -> bytes | None:
    return run.outcome.value if run.outcome else None


def text(value: bytes | None) -> str:
    """A journaled value, for the learner."""
    return (value or b"").decode("utf-8", "replace")


async def keys(look: Look) -> None:
    """A failing handle has the same key in each attempt."""
    failing = await look.until(lambda: _failing_handle(look), patience_s=3.0)
    if not failing:
        raise NotYet(
            "a CheckoutService/handle that fails after making its key, and is retried",
            *await instead(look, await look.of_handler("CheckoutService/handle")),
            'Print the key, and below it raise RuntimeError("Something happened").',
            "Then check out a cart that has a ticket in it.",
        )
    run = next(iter(await look.entries(failing.id, "Run")), None)
    if run is None:
        raise NotYet(
            "the key is in the journal before the failure",
            f"{failing.id} failed with no run in its journal",
            "A key that is made outside a run is another one in every attempt. Make it inside "
            "a run, await that, and raise below it.",
            RUN_HINT,
        )
    if _value(run) is None:
        raise NotYet(
            "the key is in the journal before the failure",
            f"{failing.id} failed before its run had a result: it was not awaited",
            "Await the run, and raise below it.",
            RUN_HINT,
        )
    how = "until it was ended" if failing.done else reason(failing)
    look.done(f"handle has failed in one attempt after another: {how}")
    look.done(f"every attempt had the same key, entry {run.index} of its journal")


async def _failing_handle(look: Look) -> Invocation | None:
    """One that is or was retried, and best one that has kept something."""
    found = await look.of_handler("CheckoutService/handle")
    retried = [
        each
        for each in found
        if each.completion_result == "failure" and await look.client.query.events(each.id)
    ]
    for each in retried:
        if await look.entries(each.id, "Run"):
            return each
    return again_and_again([each for each in found if not each.done]) or next(iter(retried), None)


async def payment(look: Look) -> None:
    """The provider fails twice, and still charges once."""
    await _nothing_stuck(look)
    user, _ = await _bought(look, seats=2)
    calls, charges = len(look.outside.lines("payment-calls")), len(look.outside.lines("charges"))
    with look.outside.order("payments-to-fail", "2"):
        answer = await look.call(f"CartObject/{user}/checkout")
    made = look.outside.since("payment-calls", calls)
    if not made:
        raise NotYet(
            "handle asks the payment provider",
            "the provider was never asked",
            "From ..auxiliary import payment_client; its call wants the key and the amount.",
            'paid = await ctx.run_typed("payment", pay)',
        )
    _same_key(look, made)
    _amount(look, made)
    if len(made) < 3 or answer.value is not True:
        raise NotYet(
            "checkout goes on until the provider has answered, and is then true",
            f"the provider was asked {len(made)} times, checkout answered {answer.value}",
            "Let the exception of the payment client pass: the engine tries again.",
        )
    look.done("the provider did not answer twice, and was asked a third time")
    charged = look.outside.since("charges", charges)
    if len(charged) != 1:
        raise NotYet("the user is charged once", f"there are {len(charged)} charges")
    look.done(f"the user was charged once: ${charged[0]['amount']}")
    handled = await _handled(look, answer.id)
    if not any(_value(run) == b"true" for run in await look.entries(handled.id, "Run")):
        raise NotYet(
            "the answer of the provider is in the journal",
            f"the journal: {words(await look.journal(handled.id))}",
            "Ask the provider inside a ctx.run_typed: after a crash the answer is still known.",
        )
    look.done("the answer of the provider is in the journal")


async def _nothing_stuck(look: Look) -> None:
    """Checkouts of earlier lessons that fail would keep their carts locked."""
    stuck = [each for each in await look.of_handler("CheckoutService/handle") if not each.done]
    failing = again_and_again(stuck)
    if failing is not None:
        raise NotYet(
            "no checkout of an earlier lesson fails any more",
            f"{failing.id}: {reason(failing)}",
            "rtour invocations cancel --kill CheckoutService --yes",
        )


def _same_key(look: Look, made: list[dict[str, Any]]) -> None:
    names = {call["key"] for call in made}
    if len(names) != 1:
        raise NotYet(
            "every attempt uses the same payment key",
            f"{len(made)} attempts used {len(names)} keys: {', '.join(sorted(names))}",
            "The key is made anew in every attempt: it is not in the journal.",
            "Make it with ctx.uuid(), or inside a run of its own, before the payment.",
        )
    look.done(f"all {len(made)} attempts used the key {made[0]['key']}")


def _amount(look: Look, made: list[dict[str, Any]]) -> None:
    if made[0]["amount"] != 2 * PRICE:
        raise NotYet(
            f"two seats cost ${2 * PRICE}",
            f"the provider was asked for ${made[0]['amount']}",
            f"${PRICE} a seat: {PRICE} * len(order['tickets'])",
        )
    look.done(f"two seats cost ${2 * PRICE}")


async def finishing(look: Look) -> None:
    """The user is told how it went, and only paid seats are sold."""
    user, seats = await _bought(look)
    mails = len(look.outside.lines("mails"))
    answer = await look.call(f"CartObject/{user}/checkout")
    _told(look, user, mails, "paid for", "payment_succeeded")
    handled = await _handled(look, answer.id)
    runs = await look.entries(handled.id, "Run")
    if len(runs) < 2:
        raise NotYet(
            "the mail is sent inside a run of its own",
            f"there is one run only: {words(await look.journal(handled.id))}",
            "Outside of a run, a retry sends it again. Inside the run of the payment, so does "
            "a payment that is tried again.",
            'await ctx.run_typed("notify", notify, user_id=order["user_id"])',
        )
    look.done("the mail is sent inside a run, so that a retry does not repeat it")
    await _status(look, seats[0], "SOLD")
    poor, seats = await _bought(look)
    mails = len(look.outside.lines("mails"))
    with look.outside.order("cards-declined"):
        answer = await look.call(f"CartObject/{poor}/checkout")
    if answer.value is not False:
        raise NotYet(
            "checkout answers false when the card is declined",
            f"it said {json.dumps(answer.value)}",
            "handle returns what the payment has answered, and checkout what handle has.",
        )
    _told(look, poor, mails, "could not charge", "payment_failed")
    await _status(look, seats[0], "RESERVED")
    if not (await look.state("CartObject", poor)).get("tickets"):
        raise NotYet(
            "the cart keeps its tickets when the card is declined",
            "it is empty",
            PAID_HINT,
        )
    look.done("a declined card leaves cart and seat as they were")


def _told(look: Look, user: str, mails: int, words_: str, function: str) -> None:
    texts = [mail["text"] for mail in look.outside.since("mails", mails) if mail["to"] == user]
    if not any(words_ in text for text in texts):
        raise NotYet(
            f"a mail tells {user} how the payment went",
            f"mails to {user}: {texts or 'none'}",
            f"That is email_client.{function}, with the user's id.",
        )
    look.done(f"a mail told {user}: {texts[-1]}")


async def _status(look: Look, seat: str, status: str) -> None:
    async def reached() -> bool:
        return (await look.state("TicketObject", seat)).get("status") == status

    if not await look.until(reached, patience_s=2.0):
        now = (await look.state("TicketObject", seat)).get("status")
        raise NotYet(f"the seat is {status}", f"it is {now or 'AVAILABLE'}", PAID_HINT)
    look.done(f"the seat is {status}")


async def crashing(look: Look) -> None:
    """Service and server are killed in the middle of a payment, and nobody notices."""
    user, _ = await _bought(look)
    calls, charges = len(look.outside.lines("payment-calls")), len(look.outside.lines("charges"))

    async def asked(times: int) -> bool:
        return len(look.outside.since("payment-calls", calls)) >= times

    with look.outside.order("payments-hang"):
        id_ = await look.send(f"CartObject/{user}/checkout")

        async def asked_or_done() -> bool:
            invocation = await look.client.query.invocation(id_)
            return await asked(1) or (invocation is not None and invocation.done)

        await look.until(asked_or_done)
        if not await asked(1):
            raise NotYet(
                "handle asks the payment provider",
                "the provider was never asked",
                "Finish the lessons on payment first.",
            )
        look.done("a checkout is under way, and its payment hangs")
        await look.theatre.crash_service()
        await _asked_again(look, asked, 2, "the service")
        if not look.theatre.ephemeral:
            await look.theatre.crash_server()
            await _asked_again(look, asked, 3, "the engine")
    value = await look.result(id_, f"CartObject/{user}/checkout")
    made = look.outside.since("payment-calls", calls)
    _same_key(look, made)
    charged = look.outside.since("charges", charges)
    if value is not True or len(charged) != 1:
        raise NotYet(
            "the checkout ends well and is charged once",
            f"it answered {value} and was charged {len(charged)} times",
            "The payment belongs inside a run, with a key that is in the journal.",
        )
    look.done(f"the checkout ended well, and was charged once: ${charged[0]['amount']}")


async def _asked_again(
    look: Look, asked: Callable[[int], Awaitable[bool]], times: int, what: str
) -> None:
    if not await look.until(lambda: asked(times)):
        raise NotYet(
            f"the payment is asked for again once {what} is back",
            f"the provider was asked {times - 1} times",
            "Does it still run? The logs are in .tour/, beside your files.",
        )
    look.done(f"{what} was killed (kill -9) and came back: the payment was asked for again")


async def requests(look: Look) -> None:
    """A request that is repeated with its idempotency key is one request."""
    found = await look.invocations(*ADD_TICKET, "inv.idempotency_key IS NOT NULL")
    # `rtour send` makes a key of 26 letters for each request: those are not the learner's.
    mine = [each for each in found if len(each.idempotency_key or "") != CLI_KEY_LENGTH]
    mine = [each for each in mine if not (each.target_service_key or "").startswith("user-")]
    if not mine:
        raise NotYet(
            "an addTicket with an idempotency key",
            "no request has carried one",
            "It is a header: -H 'idempotency-key: …'",
        )
    look.done(f"{mine[0].target} was asked with the key {mine[0].idempotency_key}")
    user, seat, key = look.fresh("user"), look.fresh("seat"), look.fresh("key")
    path = f"CartObject/{user}/addTicket"
    first = await look.call(path, seat, idempotency_key=key)
    again = await look.call(path, seat, idempotency_key=key)
    if first.id != again.id:
        raise NotYet("the same key gives the same invocation", f"{first.id} and {again.id}")
    look.done(f"asked twice with one key: one invocation, {first.id}, and one answer")
    without = await look.call(path, seat)
    answer = json.dumps(without.value)
    look.done(f"asked without a key: another invocation, and it answers {answer}")

"""Checks of the lessons beyond the theatre: waiting for humans, undoing, changing, testing."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

from rtour.client.journal import JournalEntry
from rtour.client.model import Invocation

from ..guide.look import Look, words
from ..guide.verdict import NotYet
from .failing import RECENT, ended_by_hand

TIME_TO_THINK = timedelta(minutes=2)
CODE_HINTS = (
    "The code must be the same when the handler runs again: is it from ctx.random()?",
    "And confirm keeps the promise that run waits for:",
    'await ctx.promise("code", type_hint=str).resolve(code)',
)
SEND_HINT = 'await ctx.run_typed("send code", email_client.send_code, user_id=email, code=code)'
SAGA_HINTS = (
    "Keep a list of what is reserved. A taken seat and a cancellation raise TerminalError.",
    "except TerminalError: await ctx.object_call(unreserve, …) for each, then raise",
)


async def _mail(look: Look, before: int, field: str) -> dict[str, Any] | None:
    async def sent() -> dict[str, Any] | None:
        mails = look.outside.since("mails", before)
        return next((mail for mail in mails if mail.get(field)), None)

    return await look.until(sent, patience_s=3.0)


async def awakeables(look: Look) -> None:
    """A refund waits for the box office, which answers over HTTP."""
    for decision, expected in ((True, "refunded"), (False, "refused")):
        before = len(look.outside.lines("mails"))
        id_ = await look.send("RefundService/request", look.fresh("seat"))
        mail = await _mail(look, before, "answer_to")
        if mail is None:
            raise NotYet(
                "the box office is asked, and told where to answer",
                f"no such mail; the journal: {words(await look.journal(id_))}",
                "answer_to, decision = ctx.awakeable(type_hint=bool)",
                "First ask, then await the decision.",
                "Give answer_to to email_client.ask_box_office, inside a run.",
            )
        look.done(f"the box office was asked to answer to {mail['answer_to']}")
        # The mail may be there before its run is in the journal.
        if not await look.until(partial(look.entries, id_, "Run"), patience_s=2.0):
            raise NotYet(
                "the question is sent inside a run",
                "it is sent outside: a retry would send it again",
                'await ctx.run_typed("ask the box office", email_client.ask_box_office, …)',
            )
        if decision:
            await look.theatre.crash_service()
            look.done("the service was killed meanwhile: the refund still waits")
        await look.client.ingress.resolve_awakeable(
            mail["answer_to"], json.dumps(decision).encode()
        )
        value = await look.result(id_, "RefundService/request")
        if value != expected:
            raise NotYet(
                f"the answer {json.dumps(decision)} makes it {expected}",
                f"it is {json.dumps(value)}",
                'return "refunded" if await decision else "refused"',
            )
        look.done(f"answered {json.dumps(decision)}: {value}")


async def workflows(look: Look) -> None:
    """Membership waits for a code, tells where it stands, and runs once for each user."""
    user, id_, code = await _signing_up(look)
    status = await look.call(f"MembershipWorkflow/{user}/status")
    if status.value in (None, "unknown"):
        raise NotYet(
            "status tells that it waits",
            f"it says {json.dumps(status.value)}",
            'run stores it: ctx.set("status", …); status reads it with ctx.get.',
        )
    look.done(f"while it waits its status is {status.value!r}")
    again = await look.send(f"MembershipWorkflow/{user}/run", f"{user}@example.com")
    if again != id_:
        raise NotYet("a workflow runs once for each key", "it ran twice")
    look.done("a second run with the same key is the first one")
    await look.theatre.crash_service()
    look.done("the service was killed meanwhile: the workflow still waits")
    await look.call(f"MembershipWorkflow/{user}/confirm", code)
    value = await look.result(id_, f"MembershipWorkflow/{user}/run", *CODE_HINTS)
    status = await look.call(f"MembershipWorkflow/{user}/status")
    if value != "member" or status.value != "member":
        raise NotYet(
            "the right code makes a member",
            f"run answered {value!r}, status says {status.value!r}",
        )
    look.done("the right code makes a member")
    user, id_, code = await _signing_up(look)
    await look.call(f"MembershipWorkflow/{user}/confirm", f"not {code}")
    failure = await look.failure(id_, f"MembershipWorkflow/{user}/run with a wrong code")
    look.done(f"a wrong code ends it for good: {failure.message}")


async def _signing_up(look: Look) -> tuple[str, str, str]:
    user, before = look.fresh("user"), len(look.outside.lines("mails"))
    id_ = await look.send(f"MembershipWorkflow/{user}/run", f"{user}@example.com")
    mail = await _mail(look, before, "code")
    if mail is None:
        raise NotYet(
            "run sends a code",
            f"no such mail; the journal: {words(await look.journal(id_))}",
            "Make a code with ctx.random(), and send it inside a run with email_client.send_code.",
        )
    await _waiting(look, id_)
    look.done("run has sent a code and waits for it")
    return user, id_, str(mail["code"])


async def _waiting(look: Look, id_: str) -> None:
    """It waits for the code, and has sent it before that."""

    async def ended() -> bool:
        invocation = await look.client.query.invocation(id_)
        return invocation is not None and invocation.done

    async def waits_or_ended() -> bool:
        return bool(await look.entries(id_, "GetPromise")) or await ended()

    await look.until(waits_or_ended, patience_s=2.0)
    if await ended():
        raise NotYet(
            "run waits until the code was entered",
            "it has ended already",
            'entered = await ctx.promise("code", type_hint=str).value()',
            'In confirm: await ctx.promise("code", type_hint=str).resolve(code)',
        )
    runs = await look.entries(id_, "Run")
    if not runs:
        raise NotYet(
            "the code is sent inside a run",
            "it is sent outside: a retry would send it again",
            SEND_HINT,
        )
    for wait in await look.entries(id_, "GetPromise"):
        if any(run.index < wait.index and not _by(run, wait) for run in runs):
            raise NotYet(
                "the code is sent before run waits for it",
                "it waits already while it sends: the run was made, but not awaited",
                "Without the await nobody hears of it if the sending fails.",
                SEND_HINT,
            )


def _by(step: JournalEntry, later: JournalEntry) -> bool:
    """Whether a step had its result when a later one was made: it was awaited."""
    return step.completed_by is not None and step.completed_by < later.index


async def sagas(look: Look) -> None:
    """A group gets all seats or none, also when the booking is cancelled."""
    free, taken = look.fresh("seat"), look.fresh("seat")
    await look.call(f"TicketObject/{taken}/reserve")
    group = {"leader": look.fresh("user"), "tickets": [free, taken]}
    id_ = await look.send("GroupBooking/book", group)
    if await look.asleep(id_):
        await look.client.admin.operate("kill", id_)
        raise NotYet(
            "a taken seat ends the booking",
            f"{taken} was taken, and book goes on all the same: it gives the leader time to think",
            *await _unheard(look, id_),
            *SAGA_HINTS,
        )
    failure = await look.failure(id_, "GroupBooking/book with a taken seat", *SAGA_HINTS)
    look.done(f"a taken seat ends the booking: {failure.message}")
    await _free(look, free, "the seats that it had are free again")
    if not await _reserved(look, taken):
        raise NotYet(
            "the taken seat stays with whoever has it",
            f"{taken} is free now: the booking has undone what it had not done",
            "Put a seat into the list only when reserve has said yes.",
            *SAGA_HINTS,
        )
    look.done("the taken seat stays with whoever has it")
    await _undone(look, id_)
    one, two = look.fresh("seat"), look.fresh("seat")
    id_ = await look.send("GroupBooking/book", {**group, "tickets": [one, two]})
    await _thinking(look, id_, two)
    await look.client.admin.operate("cancel", id_)
    failure = await look.failure(id_, "a cancelled GroupBooking/book", *SAGA_HINTS)
    look.done(f"cancelled while it waited: {failure.message}")
    for seat in (one, two):
        await _free(look, seat, f"{seat} is free again")
    await _sold(look, group)


async def _thinking(look: Look, id_: str, seat: str) -> None:
    """It holds its seats, and waits."""
    reserved = await look.until(lambda: _reserved(look, seat), patience_s=3.0)
    slept = await look.asleep(id_)
    invocation = await look.client.query.invocation(id_)
    if reserved and invocation is not None and not invocation.done:
        return
    hint = "Call reserve for one ticket after the other, then sleep two minutes."
    raise NotYet(
        "book reserves every seat and then waits a while",
        f"the journal: {words(await look.journal(id_))}",
        "The sleep was made, but not awaited: await ctx.sleep(…)" if slept else hint,
    )


async def _unheard(look: Look, id_: str) -> list[str]:
    """Why a refusal was not heard, if the calls were not waited for."""
    asleep = await look.entries(id_, "Sleep")
    calls = [each for each in await look.entries(id_, "Call") if _handler(each) == "reserve"]
    if asleep and not all(_by(call, asleep[0]) for call in calls):
        return ["Await each call of reserve: a future is always true, whatever the answer."]
    return []


async def _undone(look: Look, id_: str) -> None:
    """What was called to undo has answered before the end. A message needs no answer."""
    (output,) = await look.entries(id_, "Output")
    calls = [each for each in await look.entries(id_, "Call") if _handler(each) == "unreserve"]
    if not all(_by(call, output) for call in calls):
        raise NotYet(
            "book ends when all is undone",
            "it has ended before unreserve has answered: the call was made, but not awaited",
            "Without the await nobody hears of it if the undoing fails.",
            "await ctx.object_call(unreserve, key=ticket_id, arg=None)",
        )


def _handler(call: JournalEntry) -> str:
    return (call.target or "").rpartition("/")[2]


async def _sold(look: Look, group: dict[str, Any]) -> None:
    """Nobody has cancelled, and the time to think is over."""
    seats = [look.fresh("seat"), look.fresh("seat")]
    id_ = await look.send("GroupBooking/book", {**group, "tickets": seats})
    await look.asleep(id_)
    await look.skip(TIME_TO_THINK)
    value = await look.result(id_, "GroupBooking/book, two minutes later,")

    async def sold() -> bool:
        states = [await look.state("TicketObject", seat) for seat in seats]
        return all(state.get("status") == "SOLD" for state in states)

    if value is not True or not await look.until(sold, patience_s=2.0):
        statuses = [(await look.state("TicketObject", seat)).get("status") for seat in seats]
        raise NotYet(
            "after two minutes the seats are sold, and book answers true",
            f"it answered {json.dumps(value)}, and the seats are {statuses}",
            "After the sleep: ctx.object_send(mark_as_sold, key=ticket_id, arg=None) for each.",
        )
    look.done("two minutes were skipped: the seats are sold")


async def _reserved(look: Look, seat: str) -> bool:
    return (await look.state("TicketObject", seat)).get("status") == "RESERVED"


async def _free(look: Look, seat: str, text: str) -> None:
    async def free() -> bool:
        return not await _reserved(look, seat)

    calls = await look.of_handler(f"TicketObject/{seat}/reserve")
    if not calls or not await look.until(free, patience_s=3.0):
        raise NotYet(
            text,
            f"{seat} is still reserved" if calls else f"{seat} was never reserved",
            *SAGA_HINTS,
        )
    look.done(text)


async def changing(look: Look) -> None:
    """A workflow met code that its journal does not fit, and went on when it fitted again."""
    rows = await look.client.query.rows(
        "SELECT id FROM sys_journal_events WHERE event_json LIKE '%RT0016%'"
    )
    if not rows:
        raise NotYet(
            "an invocation whose journal does not fit the code",
            *await _fitting(look),
            "Start a workflow, let it wait, put a ctx.sleep above its first step, wake it.",
        )
    ids = sorted({str(row["id"]) for row in rows})
    look.done(f"{' and '.join(ids)} met code that the journal does not fit (RT0016)")

    async def ended() -> list[Invocation]:
        found = await look.client.query.invocations_by_id(ids)
        return [each for each in found if each.done]

    done = await look.until(ended) or []
    by_itself = next((each for each in done if not ended_by_hand(each)), None)
    if by_itself is None:
        raise NotYet(
            "it goes on once the code fits again",
            f"{done[0].id} was ended by hand: {done[0].completion_failure}"
            if done
            else "it still fails",
            "Take the change back; the next retry finds code that fits.",
            "If you have ended it: begin again with another user, and let that one live.",
        )
    look.done(f"the change was taken back, and {by_itself.id} went on to its end")


async def _fitting(look: Look) -> list[str]:
    """Why no journal has met code that it does not fit, and what to do."""
    runs = await look.invocations(
        "inv.target_service_name = 'MembershipWorkflow'", "inv.target_handler_name = 'run'"
    )
    waiting = next((each for each in runs if not each.done), None)
    if waiting is not None:
        return [
            f"{waiting.target} still waits: it has not met the new code",
            "Put the sleep in, save, and wake it: call confirm of the same user, with any code.",
        ]
    for each in runs[:RECENT]:
        if await look.entries(each.id, "Sleep"):
            return [
                f"every journal fits: {each.id} slept, but not where its journal has another step",
                "Put it before a step that the workflow has made already, once it has begun.",
            ]
    return ["every journal fits"]


async def testing(look: Look) -> None:
    """A test has found that a seat is sold once only."""
    rows = await look.invocations(
        "inv.target_service_name = 'TicketObject'",
        "inv.target_handler_name = 'reserve'",
        "inv.target_service_key LIKE 'test-%'",
    )
    if not rows:
        raise NotYet(
            "the tests ran against this engine",
            "nobody has reserved a seat whose name begins with test-",
            "python -m unittest tour.app.test_theatre",
        )
    look.done(f"tests have reserved {len(rows)} times")
    callers: dict[str, set[str]] = {}
    for row in rows:
        callers.setdefault(str(row.target_service_key), set()).add(str(row.invoked_by_target))
    contested = [seat for seat, users in callers.items() if len(users) > 1]
    if not contested:
        raise NotYet(
            "a test in which two users want one seat",
            "no seat of the tests was wanted by two users",
            "Add the same seat to a second user's cart, and assert that the answer is False.",
        )
    look.done(f"{contested[0]} was wanted by two users")

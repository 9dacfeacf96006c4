"""Checks of the lessons on failing: retried from the journal, then found and ended."""

from __future__ import annotations

from rtour.client.model import Invocation

from ..guide.look import Look, reason
from ..guide.verdict import NotYet
from .calling import ADD_TICKET

END_HINT = "rtour invocations cancel --kill CartObject --yes"
# How far back to look for what the learner has just tried.
RECENT = 10


async def durable_execution(look: Look) -> None:
    """A failing addTicket is retried, and its call to reserve is not made again."""
    failing = await look.until(lambda: _retrying(look), patience_s=3.0)
    if not failing:
        raise NotYet(
            "an addTicket that fails after the call, and is retried",
            *await instead(look, await look.invocations(*ADD_TICKET)),
            'Below the call, put: raise RuntimeError("Failing"). Save the file.',
            "Then send Mary another ticket. It does not answer, so send it: "
            "rtour send CartObject/Mary/addTicket '\"seat2B\"'",
        )
    call = next((e for e in await look.journal(failing.id) if e.kind == "Call"), None)
    if call is None or call.completed_by is None:
        raise NotYet(
            "the failure comes after the call to reserve",
            f"{failing.id} fails before anything is in its journal",
            "Raise below the awaited call, not above it.",
        )
    look.done(f"{failing.target} has failed {failing.retry_count} times: {reason(failing)}")
    children = await look.client.query.children([failing.id])
    made = sum(each.target == call.target for each in children)
    if made != 1:
        raise NotYet("reserve is called once", f"it was called {made} times")
    look.done("each attempt took the answer of reserve from the journal: reserve ran once")


async def _retrying(look: Look) -> Invocation | None:
    return again_and_again(await _unfinished(look))


def again_and_again(found: list[Invocation]) -> Invocation | None:
    """One that has failed more than once."""
    return next((each for each in found if (each.retry_count or 0) > 1 and each.last_failure), None)


async def _unfinished(look: Look) -> list[Invocation]:
    return await look.invocations(*ADD_TICKET, "inv.status != 'completed'")


async def instead(look: Look, found: list[Invocation]) -> list[str]:
    """What the newest of a handler did instead of being retried, and what to do about it."""
    if not found:
        return ["it was not called"]
    last = found[0]
    if not last.done:
        return [f"{last.id} is {last.status}, and has not failed yet"]
    if last.completion_result == "success":
        return [f"{last.id} did not fail: it has answered, and none is being retried"]
    seen = f"{last.id} failed once and for good: {last.completion_failure}"
    if ended_by_hand(last):
        return [f"{last.id} was ended before this check: {last.completion_failure}"]
    return [seen, "A TerminalError is not retried: it ends the invocation. Raise another one."]


def ended_by_hand(invocation: Invocation) -> bool:
    """Whether it was killed or cancelled, rather than ending by its own code."""
    failure = (invocation.completion_failure or "").lower()
    return failure.endswith(("killed", "cancelled", "canceled"))


async def debugging(look: Look) -> None:
    """The failing invocation was found and ended, and the code is whole again."""
    failed = await look.invocations(*ADD_TICKET, "inv.completion_result = 'failure'")
    ended = [each for each in failed if ended_by_hand(each)]
    if not ended:
        raise NotYet("the failing addTicket is cancelled or killed", *await _not_ended(look))
    look.done(f"{ended[0].id} was ended: {ended[0].completion_failure}")
    left = [each for each in await _unfinished(look) if each.last_failure]
    if left:
        raise NotYet(
            "no addTicket fails any more",
            f"{left[0].id} is {left[0].status} after {left[0].retry_count} attempts",
            f"There may be more than one: {END_HINT}",
        )
    path = f"CartObject/{look.fresh('user')}/addTicket"
    id_ = await look.send(path, look.fresh("seat"))
    if failing := await _failing(look, id_):
        await look.client.admin.operate("kill", id_)
        raise NotYet(
            "addTicket answers again",
            f"it still fails: {reason(failing)}",
            "Take the raise out of add_ticket, and save the file.",
        )
    value = await look.result(id_, path)
    if value is not True:
        raise NotYet("addTicket answers true again", f"it answered {value}")
    look.done("addTicket answers again")


async def _failing(look: Look, id_: str) -> Invocation | None:
    """It, if it has failed; the waiting ends, too, when it has answered."""

    async def settled() -> Invocation | None:
        found = await look.client.query.invocation(id_)
        return found if found is not None and (found.done or found.last_failure) else None

    found = await look.until(settled)
    return None if found is None or found.done else found


async def _not_ended(look: Look) -> list[str]:
    """Why nothing was ended by hand so far, and what to do."""
    left = again_and_again(await _unfinished(look))
    if left is not None:
        cancelled = any(entry.signal == 1 for entry in await look.client.query.journal(left.id))
        told = "It was told to cancel, but fails before it gets to hear it: kill it."
        show = "rtour invocations list shows it; its id begins with inv_."
        seen = f"{left.id} is still tried again and again: {reason(left)}"
        return [seen, told if cancelled else show, END_HINT]
    again = "Make it fail once more, and end it while it does."
    for each in (await look.invocations(*ADD_TICKET))[:RECENT]:
        if each.completion_result == "success" and await look.client.query.events(each.id):
            mended = "has got through: the code was mended before it was ended"
            return [f"{each.id} has failed, and then {mended}", again, END_HINT]
    return ["no addTicket is failing, and none was ended", again, END_HINT]

"""Why an invocation is not finished, in one sentence, from data.

    reason = await explain(client.query, invocation, now)
    print(reason.sentence)      # It waits for its key CartObject/Mary, held by inv_… (hold) …
    print(reason.next)          # rtour why inv_…

One function per status; the terminal UI shows the same words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from rtour.client.awaited import awaited, awakeables
from rtour.client.journal import CANCEL_SIGNAL, JournalEntry, open_entries
from rtour.client.model import Invocation
from rtour.client.query import Query, quote
from rtour.client.times import ago, duration

# A holder that waits for a key whose holder waits …: deep enough to find the culprit.
MAX_HOPS = 5


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, the command that helps, and the invocation that is to blame (often another)."""

    sentence: str
    next: str | None = None
    blamed: str


async def explain(query: Query, invocation: Invocation, now: datetime) -> Reason:
    """Why `invocation` is not finished; or that it is."""
    teller = _TELLERS.get(invocation.status, _unknown)
    return await teller(query, invocation, now)


async def _completed(_: Query, invocation: Invocation, now: datetime) -> Reason:
    at = invocation.completed_at or invocation.modified_at
    when = f" {ago(at, now)}" if at else ""
    if invocation.completion_result == "failure":
        failure = invocation.completion_failure or "no message"
        return _reason(
            invocation,
            f"It is finished: it failed for good{when} with {failure}.",
            f"rtour invocations describe {invocation.id}",
        )
    return _reason(invocation, f"It is finished: it succeeded{when}.")


async def _scheduled(_: Query, invocation: Invocation, now: datetime) -> Reason:
    at = invocation.scheduled_start_at
    when = f"{ago(at, now)}, at {_iso(at)}" if at else "later"
    return _reason(invocation, f"It was sent with a delay and starts {when}.")


async def _pending(query: Query, invocation: Invocation, now: datetime) -> Reason:
    key = _key(invocation)
    holder = await _holder(query, invocation)
    ahead = await _ahead(query, invocation)
    queue = f"; {ahead} more in line before it" if ahead else ""
    if holder is None:
        sentence = f"It is next in line for its key {key}, which is being handed over{queue}."
        return _reason(invocation, sentence)
    since = holder.running_at or holder.created_at
    head = (
        f"It waits for its key {key}, held by {holder.id} ({holder.target_handler_name},"
        f" {holder.status}) for {duration(now - since)}{queue}."
    )
    return await _blame(query, head, holder, now)


async def _ready(_: Query, invocation: Invocation, now: datetime) -> Reason:
    since = duration(now - (invocation.modified_at or invocation.created_at))
    return _reason(
        invocation,
        f"It is ready to run, since {since}, and waits for the server to start an attempt.",
        "rtour services status",
    )


async def _running(query: Query, invocation: Invocation, now: datetime) -> Reason:
    where = invocation.last_attempt_deployment_id or invocation.pinned_deployment_id
    started = invocation.last_start_at or invocation.running_at
    since = (
        f", attempt {invocation.retry_count or 1} since {duration(now - started)}"
        if started
        else ""
    )
    head = f"It is running{since}, on {where or 'its deployment'}"
    journal = await query.journal(invocation.id, heads=True)
    waits = await _waits(query, invocation, open_entries(journal), now)
    if waits:
        return _reason(invocation, f"{head}, and waits for {_either(waits)}.")
    return _reason(
        invocation,
        f"{head}, and has not asked for anything: the handler's own code is at work.",
        f"rtour invocations describe -w {invocation.id}",
    )


async def _backing_off(query: Query, invocation: Invocation, now: datetime) -> Reason:
    again = (
        f"the next is {ago(invocation.next_retry_at, now)}"
        if invocation.next_retry_at
        else "another follows"
    )
    failure = _headline(invocation.last_failure) or "no message"
    sentence = f"Attempt {invocation.retry_count or 1} failed with {failure}; {again}."
    gone = await _missing_deployment(query, invocation)
    if gone:
        sentence = f"Its deployment {gone} is gone, so no attempt can succeed. {sentence}"
        return _reason(
            invocation, sentence, f"rtour invocations resume {invocation.id} --deployment latest"
        )
    return _reason(invocation, sentence, f"rtour invocations describe {invocation.id}")


async def _suspended(query: Query, invocation: Invocation, now: datetime) -> Reason:
    journal = await query.journal(invocation.id, heads=True)
    waiting_on = await awaited(query, invocation)
    entries = [
        entry
        for entry in journal
        if not entry.notification
        and (
            entry.completion_id in waiting_on.completions if waiting_on.completions else entry.open
        )
    ]
    waits = await _waits(query, invocation, entries, now)
    resolvable = awakeables(invocation, waiting_on)
    waits += [f"awakeable {each} to be resolved" for each in resolvable]
    if not waits and CANCEL_SIGNAL in waiting_on.signals:
        waits = ["a signal"]
    sentence = f"It is suspended and waits for {_either(waits) or 'something to be done'}."
    if resolvable:
        return _reason(invocation, sentence, f"rtour awakeables resolve {resolvable[0]} JSON")
    child = next((each.invocation_id for each in entries if each.kind == "Call"), None)
    return _reason(invocation, sentence, f"rtour why {child}" if child else None)


async def _paused(query: Query, invocation: Invocation, now: datetime) -> Reason:
    events = await query.events(invocation.id)
    paused = next((each for each in reversed(events) if each.kind == "Paused"), None)
    when = f" {ago(paused.at, now)}" if paused and paused.at else ""
    cause = "by hand"
    if paused and paused.message:
        cause = f"after an attempt failed with {_headline(paused.message)}"
    return _reason(
        invocation,
        f"It was paused{when} {cause}, and stays so until someone resumes it.",
        f"rtour invocations resume {invocation.id}",
    )


async def _unknown(_: Query, invocation: Invocation, __: datetime) -> Reason:
    return _reason(
        invocation,
        f"Its status is '{invocation.status}', which this version of rtour does not know.",
        f"rtour invocations describe {invocation.id}",
    )


_TELLERS: dict[str, Callable[[Query, Invocation, datetime], Awaitable[Reason]]] = {
    "completed": _completed,
    "scheduled": _scheduled,
    "pending": _pending,
    "ready": _ready,
    "running": _running,
    "backing-off": _backing_off,
    "suspended": _suspended,
    "paused": _paused,
}


# --- what the sentences are made of --------------------------------------------------------------


async def _blame(query: Query, head: str, holder: Invocation, now: datetime) -> Reason:
    """Goes from holder to holder until one waits for something else than a key."""
    for _ in range(MAX_HOPS):
        if holder.status != "pending":
            break
        deeper = await _holder(query, holder)
        if deeper is None:
            break
        holder = deeper
    because = await explain(query, holder, now) if holder.status != "pending" else None
    if because is None:
        return Reason(sentence=head, next=f"rtour why {holder.id}", blamed=holder.id)
    tail = because.sentence[0].lower() + because.sentence[1:]
    return Reason(
        sentence=f"{head} Of that one: {tail}",
        next=because.next or f"rtour invocations describe {holder.id}",
        blamed=because.blamed,
    )


async def _holder(query: Query, invocation: Invocation) -> Invocation | None:
    locks = await query.locks(_same_key(invocation))
    if not locks or locks[0].invocation_id == invocation.id:
        return None
    return await query.invocation(locks[0].invocation_id)


async def _ahead(query: Query, invocation: Invocation) -> int:
    inbox = await query.inbox(invocation.target_service_name, invocation.target_service_key or "")
    return inbox.index(invocation.id) if invocation.id in inbox else 0


async def _missing_deployment(query: Query, invocation: Invocation) -> str | None:
    pinned = invocation.pinned_deployment_id
    if pinned is None or await query.count("sys_deployment", [f"id = {quote(pinned)}"]):
        return None
    return pinned


async def _waits(
    query: Query, invocation: Invocation, entries: list[JournalEntry], now: datetime
) -> list[str]:
    called = [e.invocation_id for e in entries if e.kind == "Call" and e.invocation_id]
    callees = {each.id: each for each in await query.invocations_by_id(called)}
    return [_wait(invocation, entry, callees, now) for entry in entries]


def _wait(
    invocation: Invocation, entry: JournalEntry, callees: dict[str, Invocation], now: datetime
) -> str:
    name = f" '{entry.name}'" if entry.name else ""
    if entry.kind == "Sleep" and entry.wake_up_at:
        return f"its sleep{name} to end {ago(entry.wake_up_at, now)}, at {_iso(entry.wake_up_at)}"
    if entry.kind == "Call":
        callee = callees.get(entry.invocation_id or "")
        status = f", {callee.status}" if callee else ""
        return f"{entry.target or 'a call'} to answer ({entry.invocation_id}{status})"
    if entry.kind in ("GetPromise", "PeekPromise"):
        return f"the promise{name} of {_key(invocation)} to be resolved"
    if entry.kind == "AttachInvocation":
        return f"the invocation {entry.invocation_id} it attached to"
    if entry.kind == "Run":
        return f"its step{name} (entry {entry.index}) to finish"
    return f"{entry.kind}{name} (entry {entry.index})"


def _reason(invocation: Invocation, sentence: str, next_command: str | None = None) -> Reason:
    return Reason(sentence=sentence, next=next_command, blamed=invocation.id)


def _same_key(invocation: Invocation) -> list[str]:
    return [
        f"service_name = {quote(invocation.target_service_name)}",
        f"service_key = {quote(invocation.target_service_key or '')}",
    ]


def _key(invocation: Invocation) -> str:
    return f"{invocation.target_service_name}/{invocation.target_service_key or ''}"


def _either(waits: list[str]) -> str:
    return " or ".join(waits)


def _headline(failure: str | None) -> str:
    return (failure or "").strip().split("\n", 1)[0]


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")

"""Every control operation on an invocation in every status, one scenario per pair."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.conformance.program import op
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.world import World

HOUR_MS = 3600000
OPERATIONS = ("cancel", "kill", "pause", "resume", "purge", "purge-journal", "restart-as-new")

Prepare = Callable[[World], Awaitable[str]]


async def scheduled(w: World) -> str:
    return await w.send(f"Obj/{w.key('k')}/run", op("value", v=1), query="?delay=1h")


async def pending(w: World) -> str:
    key, tag = w.key("k"), w.key("holder")
    await w.send(f"Obj/{key}/run", op("effect", tag=tag), op("gate", name=w.key("gate")))
    await w.outside.effect(tag)
    inv = await w.send(f"Obj/{key}/run", op("value", v=1))
    await w.until(inv, "pending")
    return inv


async def running(w: World) -> str:
    """In user code, which only ends when the gate opens; one step is journaled before."""
    tag = w.key("started")
    inv = await w.send(
        f"Obj/{w.key('k')}/run",
        op("run", name="r", tag=tag, v=1),
        op("gate", name=w.key("gate")),
        op("sleep", ms=1),
    )
    await w.until_rows(
        "step stored",
        f"SELECT id FROM sys_journal WHERE id = '{inv}' AND entry_type = 'Notification: Run'",
    )
    return inv


async def backing_off(w: World) -> str:
    """Failed once, and due again in an hour."""
    inv = await w.send(
        f"Obj/{w.key('k')}/run",
        op("run", name="r", tag=w.key("started"), v=1),
        op("throw", message="later", tag=w.key("throw"), times=1, retry_after_ms=HOUR_MS),
        op("sleep", ms=HOUR_MS),
    )
    await w.until(inv, "backing-off")
    return inv


async def suspended(w: World) -> str:
    """Asleep for an hour; its attempts are counted outside."""
    inv = await w.send(
        f"QuickObj/{w.key('k')}/run",
        op("effect", tag=w.key("attempts")),
        op("run", name="r", tag=w.key("r"), v=1),
        op("sleep", ms=HOUR_MS),
    )
    await w.until(inv, "suspended")
    return inv


async def paused(w: World) -> str:
    """Out of attempts after two failures; it would succeed at the third."""
    inv = await w.send(
        f"Pause2/{w.key('k')}/run",
        op("run", name="r", tag=w.key("started"), v=1),
        op("throw", message="not yet", tag=w.key("throw"), times=2),
        op("run", name="last", tag=w.key("last"), v=2),
    )
    await w.until(inv, "paused")
    return inv


async def completed(w: World) -> str:
    inv = await w.send(f"Obj/{w.key('k')}/run", op("run", name="r", tag=w.key("r"), v=1))
    await w.until(inv, "completed")
    return inv


async def absent(w: World) -> str:
    inv = await completed(w)
    answer = await w.admin("PATCH", f"/invocations/{inv}/purge")
    assert answer.status_code == 200, answer.text
    await w.until(inv, "absent")
    return inv


STATUSES: dict[str, Prepare] = {
    "scheduled": scheduled,
    "pending": pending,
    "running": running,
    "backing-off": backing_off,
    "suspended": suspended,
    "paused": paused,
    "completed": completed,
    "absent": absent,
}

# What becomes of it: the statuses a pair ends in, where they differ from the one it was in.
AFTERWARDS = {
    ("scheduled", "cancel"): "absent",
    ("scheduled", "kill"): "absent",
    ("pending", "cancel"): "absent",
    ("pending", "kill"): "absent",
    ("running", "kill"): "completed",
    ("backing-off", "kill"): "completed",
    ("backing-off", "resume"): "running",
    ("backing-off", "pause"): "paused",
    ("suspended", "cancel"): "completed",
    ("suspended", "kill"): "completed",
    ("paused", "cancel"): "completed",
    ("paused", "kill"): "completed",
    ("paused", "resume"): "completed",
    ("completed", "purge"): "absent",
}


# What to see in the journal besides, for pairs whose effect comes a little after the answer.
THEN_STORED = {
    ("running", "cancel"): "Notification: Signal",
    ("backing-off", "cancel"): "Notification: Signal",
    ("backing-off", "resume"): "Command: Sleep",
}


async def _settle(w: World, inv: str, status: str, operation: str) -> None:
    """Wait until the operation has had its effect, so that only settled rows are compared."""
    entry = THEN_STORED.get((status, operation))
    if entry is not None:
        query = f"SELECT id FROM sys_journal WHERE id = '{inv}' AND entry_type = '{entry}'"
        await w.until_rows(entry, query)
    if (status, operation) == ("suspended", "resume"):
        await w.outside.effect(w.key("attempts"), 2)
    await w.until(inv, AFTERWARDS.get((status, operation), status))


def _pair(status: str, prepare: Prepare, operation: str) -> None:
    async def play(w: World) -> None:
        inv = await prepare(w)
        answer = await w.admin("PATCH", f"/invocations/{inv}/{operation}")
        w.note("answer", answer)
        await _settle(w, inv, status, operation)
        if answer.status_code == 200 and operation == "restart-as-new":
            await w.finished("restarted", answer.json()["new_invocation_id"])
        await w.note_invocation("row", inv)
        await w.note_journal("journal", inv)
        w.outside.open_gate(w.key("gate"))
        if (await w.status(inv)) not in {"completed", "absent"}:
            await w.admin("PATCH", f"/invocations/{inv}/kill")

    play.__doc__ = f"{operation} of an invocation that is {status}."
    scenario(name=f"control {operation} {status}")(play)


for _status, _prepare in STATUSES.items():
    for _operation in OPERATIONS:
        _pair(_status, _prepare, _operation)

"""What control operations do beyond their answer: options, waiters, batches, old routes."""

from __future__ import annotations

import asyncio

from tests.conformance.program import op, ref
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.scenarios.control import HOUR_MS, paused, pending, scheduled, suspended
from tests.conformance.world import World


@scenario
async def control_bad_ids(w: World) -> None:
    """Every operation refuses an id it cannot read."""
    for operation in ("cancel", "kill", "pause", "resume", "purge", "restart-as-new"):
        answer = await w.admin("PATCH", f"/invocations/foo/{operation}")
        w.note(operation, answer.status_code)


@scenario
async def cancel_of_a_queued_call_tells_its_waiter(w: World) -> None:
    """Who waits for a queued invocation is told that it was canceled."""
    key, tag = w.key("k"), w.key("holder")
    holder = await w.send(f"Obj/{key}/run", op("effect", tag=tag), op("gate", name=w.key("gate")))
    await w.outside.effect(tag)
    idem = {"idempotency-key": w.key("i")}
    async with asyncio.TaskGroup() as group:
        call = group.create_task(w.ingress("POST", f"/Obj/{key}/run", [], headers=idem))
        rows = await w.until_rows(
            "queued",
            "SELECT id FROM sys_invocation WHERE status = 'pending'"
            f" AND target_service_key = '{key}'",
        )
        w.note("cancel", await w.admin("PATCH", f"/invocations/{rows[0]['id']}/cancel"))
    w.note("call", call.result())
    w.note("output", await w.ingress("GET", f"/restate/invocation/{rows[0]['id']}/output"))
    w.outside.open_gate(w.key("gate"))
    await w.until(holder, "completed")


@scenario
async def kill_tells_its_waiters(w: World) -> None:
    """A waiting client, an attached one and a waiting handler all see the kill."""
    tag = w.key("tag")
    target = {
        "svc": "QuickObj",
        "handler": "run",
        "key": w.key("k"),
        "arg": [op("effect", tag=tag), op("sleep", ms=HOUR_MS)],
    }
    async with asyncio.TaskGroup() as group:
        caller = group.create_task(
            w.ingress("POST", "/Svc/run", [op("try", do=[op("call", **target)])])
        )
        await w.outside.effect(tag)
        rows = await w.sql(
            f"SELECT id FROM sys_invocation WHERE target_service_key = '{w.key('k')}'"
        )
        inv = rows[0]["id"]
        attached = group.create_task(w.ingress("GET", f"/restate/invocation/{inv}/attach"))
        await w.until(inv, "suspended")
        w.note("kill", await w.admin("PATCH", f"/invocations/{inv}/kill"))
    w.note("caller", [caller.result().status_code, caller.result().json()])
    # Whether the attachment is in time to wait, or reads the stored result, is not compared.
    w.note("attached", [attached.result().status_code, attached.result().json()])


@scenario
async def cancel_twice(w: World) -> None:
    """A caught cancel can be followed by a second one.

    In between, the official server resumes the handler over and over, because the first signal is
    still in its journal; so whether it is suspended then is not compared.
    """
    inv = await w.send(
        "Quick/run", op("try", do=[op("sleep", ms=HOUR_MS)], catch=[op("sleep", ms=HOUR_MS + 1)])
    )
    await w.until(inv, "suspended")
    w.note("first", await w.admin("PATCH", f"/invocations/{inv}/cancel"))
    await w.until_rows(
        "second sleep",
        f"SELECT id FROM sys_journal WHERE id = '{inv}' AND entry_type = 'Command: Sleep'",
        2,
    )
    w.note("second", await w.admin("PATCH", f"/invocations/{inv}/cancel"))
    await w.finished("row", inv)


@scenario
async def pause_keeps_the_key(w: World) -> None:
    """A paused invocation holds its object; shared handlers still run; kill frees it."""
    inv = await paused(w)
    key = w.key("k")
    queued = await w.send(f"Pause2/{key}/run", op("value", v="next"))
    await w.until(queued, "pending")
    await w.note_events("events", inv)
    w.note("kill", await w.admin("PATCH", f"/invocations/{inv}/kill"))
    await w.finished("queued", queued)


@scenario
async def resume_options(w: World) -> None:
    """Resume takes keep, latest or a deployment id; others are refused."""
    dp = w.site.deployment_id
    for name, option in (
        ("keep", "keep"),
        ("latest", "latest"),
        ("id", dp),
        ("unknown", "dp_1" + "0" * 22),
        ("bad", "foo"),
    ):
        tag = w.key(name)
        inv = await w.send(
            f"Pause2/{w.key(f'k {name}')}/run",
            op("run", name="r", tag=f"{tag}r", v=1),
            op("throw", message="not yet", tag=tag, times=2),
        )
        await w.until(inv, "paused")
        answer = await w.admin("PATCH", f"/invocations/{inv}/resume?deployment={option}")
        w.note(name, answer if name != "bad" else answer.status_code)
        if answer.status_code == 200:
            await w.finished(f"{name} row", inv)
        else:
            await w.admin("PATCH", f"/invocations/{inv}/kill")


@scenario
async def resume_a_running_one(w: World) -> None:
    """Resuming what runs changes nothing; with another deployment it is refused."""
    tag = w.key("started")
    inv = await w.send("Svc/run", op("effect", tag=tag), op("gate", name=w.key("gate")))
    await w.outside.effect(tag)
    w.note("plain", await w.admin("PATCH", f"/invocations/{inv}/resume"))
    w.note("latest", await w.admin("PATCH", f"/invocations/{inv}/resume?deployment=latest"))
    w.outside.open_gate(w.key("gate"))
    await w.finished("row", inv)


@scenario
async def restart_from_the_start(w: World) -> None:
    """A restart repeats everything under a new id, and forgets the idempotency key."""
    tag, header = w.key("step"), {"idempotency-key": w.key("i")}
    first = await w.ingress(
        "POST", "/Svc/run", [op("run", name="a", tag=tag, v=1), op("sleep", ms=1)], headers=header
    )
    inv = first.headers["x-restate-id"]
    answer = await w.admin("PATCH", f"/invocations/{inv}/restart-as-new")
    w.note("restart", answer)
    await w.finished("new", answer.json()["new_invocation_id"])
    await w.note_invocation("old", inv)
    w.note("effects", len(w.outside.effects(tag)))


@scenario
async def restart_from_a_prefix(w: World) -> None:
    """A restart from an entry keeps what was journaled up to it, and repeats the rest."""
    one, two = w.key("one"), w.key("two")
    first = await w.ingress(
        "POST",
        "/Svc/run",
        [
            op("run", name="a", tag=one, v=1),
            op("call", svc="Svc", handler="echo", arg="x"),
            op("run", name="b", tag=two, v=2),
        ],
    )
    inv = first.headers["x-restate-id"]
    await w.note_journal("journal", inv)
    for start in (1, 2, 3, 99):
        answer = await w.admin("PATCH", f"/invocations/{inv}/restart-as-new?from={start}")
        w.note(f"from {start}", answer)
        if answer.status_code == 200:
            await w.finished(f"new from {start}", answer.json()["new_invocation_id"])
    w.note("effects", [len(w.outside.effects(one)), len(w.outside.effects(two))])


@scenario
async def restart_refusals(w: World) -> None:
    """Workflows cannot be restarted; nor can what has lost its journal."""
    flow = await w.ingress("POST", f"/Flow/{w.key('k')}/run", [op("value", v=1)])
    inv = flow.headers["x-restate-id"]
    w.note("workflow", await w.admin("PATCH", f"/invocations/{inv}/restart-as-new"))
    done = (await w.ingress("POST", "/Svc/run", [op("value", v=1)])).headers["x-restate-id"]
    w.note("purge journal", await w.admin("PATCH", f"/invocations/{done}/purge-journal"))
    await w.until_rows("no journal", f"SELECT id FROM sys_journal WHERE id = '{done}'", 0)
    await w.note_invocation("purged", done)
    w.note("output", await w.ingress("GET", f"/restate/invocation/{done}/output"))
    w.note("restart", await w.admin("PATCH", f"/invocations/{done}/restart-as-new"))


@scenario
async def restart_with_a_failing_prefix(w: World) -> None:
    """A prefix whose commands lack their completion cannot be restarted from."""
    inv = await w.send(
        "Quick/run", op("start_sleep", ms=HOUR_MS, into="s"), op("fail", message="no")
    )
    await w.until(inv, "completed")
    await w.note_journal("journal", inv)
    w.note("from 1", await w.admin("PATCH", f"/invocations/{inv}/restart-as-new?from=1"))


@scenario
async def batch_operations(w: World) -> None:
    """The batch routes do to many what the single ones do, and tell which failed."""
    one, two = await scheduled(w), await suspended(w)
    nobody = "inv_1" + "0" * 33
    for operation, ids in (
        ("pause", [one]),
        ("cancel", [one]),
        ("kill", [two, nobody]),
        ("purge", [two]),
        ("resume", [two]),
    ):
        answer = await w.admin(
            "POST", f"/internal/invocations_batch_operations/{operation}", {"invocation_ids": ids}
        )
        body = answer.json()
        w.note(
            operation,
            {
                "status": answer.status_code,
                "succeeded": body["succeeded"],
                "failed": [each["invocation_id"] for each in body["failed"]],
            },
        )
    await w.until(one, "absent")
    await w.until(two, "absent")


@scenario
async def deprecated_delete(w: World) -> None:
    """The old DELETE always answers 202 to an id it can read."""
    inv = await pending(w)
    nobody = "inv_1" + "0" * 33
    w.note("cancel", await w.admin("DELETE", f"/invocations/{inv}?mode=Cancel"))
    await w.until(inv, "absent")
    w.note("kill nobody", await w.admin("DELETE", f"/invocations/{nobody}?mode=Kill"))
    w.note("bad id", (await w.admin("DELETE", "/invocations/foo")).status_code)
    w.outside.open_gate(w.key("gate"))


@scenario
async def awakeable_completes_while_paused(w: World) -> None:
    """What arrives while paused is kept and seen after the resume."""
    tag, key = w.key("id"), w.key("k")
    inv = await w.send(
        f"Pause2/{key}/run",
        op("awakeable", tag=tag, into="a"),
        op("run", name="r", tag=w.key("r"), v=1),
        op("throw", message="not yet", tag=w.key("t"), times=2),
        op("await", of=ref("a")),
    )
    await w.until(inv, "paused")
    awakeable = w.outside.effects(tag)[0]
    w.note("resolve", await w.ingress("POST", f"/restate/awakeables/{awakeable}/resolve", "hi"))
    await w.until_rows(
        "kept",
        f"SELECT id FROM sys_journal WHERE id = '{inv}' AND entry_type = 'Notification: Signal'",
    )
    w.note("still", await w.status(inv))
    w.note("resume", await w.admin("PATCH", f"/invocations/{inv}/resume"))
    await w.finished("row", inv)
    w.note("output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))

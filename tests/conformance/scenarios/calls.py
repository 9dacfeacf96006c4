"""Handlers calling handlers: calls, sends, delays, order, failures, cancellation."""

from __future__ import annotations

from typing import Any

from tests.conformance.program import op, ref
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.world import World


async def play(w: World, *program: dict[str, Any], target: str = "Svc/run") -> str:
    """Call a program, note the answer and the journal; the answer is the invocation's id."""
    answer = await w.ingress("POST", f"/{target}", list(program))
    w.note("answer", answer)
    inv = answer.headers["x-restate-id"]
    await w.finished("caller", inv)
    return str(inv)


@scenario
async def call_every_kind(w: World) -> None:
    """A handler calls a service, an object, a workflow and a private service."""
    key = w.key("k")
    one = [op("value", v=1)]
    await play(
        w,
        op("call", svc="Svc", handler="echo", arg="x"),
        op("call", svc="Svc", handler="noop"),
        op("call", svc="Obj", handler="run", key=key, arg=one),
        op("call", svc="Flow", handler="run", key=key, arg=one),
        op("call", svc="Private", handler="run", arg=one),
        op("call", svc="Svc", handler="hidden", arg=one),
    )


@scenario
async def call_shows_the_caller(w: World) -> None:
    """The callee knows who called, and headers of the call reach it."""
    callee = [op("headers", names=["x-one", "x-restate-ingress-path"]), op("me")]
    answer = await w.run(
        "caller",
        "Svc/run",
        op("call", svc="Svc", handler="run", arg=callee, headers={"x-one": "1"}),
    )
    await w.finished("callee", answer[0][1])
    rows = await w.sql(
        "SELECT invoked_by_service_name, invoked_by_id FROM sys_invocation"
        f" WHERE id = '{answer[0][1]}'"
    )
    w.note("invoked by", rows)


@scenario
async def call_failures_travel(w: World) -> None:
    """A callee's terminal failure reaches the caller with code and metadata."""
    key = w.key("k")
    bad = [op("fail", message="no seat", code=409, metadata={"seat": "2B"})]
    call = op("call", svc="Obj", handler="run", key=key, arg=bad)
    await play(w, op("try", do=[call], catch=[op("value", v="caught")]))
    await w.run("uncaught", "Svc/run", call)


@scenario
async def call_two_at_once(w: World) -> None:
    """Two calls run side by side; both results are awaited together."""
    held = [op("gate", name=w.key("gate")), op("value", v="held")]
    call = {"svc": "Svc", "handler": "run", "arg": held}
    inv = await w.send(
        "Svc/run",
        op("start_call", **call, into="x"),
        op("start_call", **call, into="y"),
        op("await_call", of=ref("x")),
        op("await_call", of=ref("y")),
    )
    query = f"SELECT id FROM sys_journal WHERE id = '{inv}' AND entry_type = 'Command: Call'"
    await w.until_rows("both called", query, 2)
    w.outside.open_gate(w.key("gate"))
    await w.finished("caller", inv)
    w.note("output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))


@scenario
async def call_order_is_kept(w: World) -> None:
    """Calls and sends of one handler to one object arrive in the order they were made."""
    key, tag = w.key("k"), w.key("order")
    steps = []
    for number in range(6):
        arg = [op("effect", tag=tag, text=str(number))]
        kind = "send" if number % 2 else "start_call"
        extra = {} if number % 2 else {"into": f"c{number}"}
        steps.append(op(kind, svc="Obj", handler="run", key=key, arg=arg, **extra))
    await w.run("caller", "Svc/run", *steps)
    w.note("order", await w.outside.effect(tag, 6))


@scenario
async def send_and_attach(w: World) -> None:
    """A send gives an id; attaching to it gives the result, or its failure."""
    good, bad = [op("value", v="done")], [op("fail", message="no", code=418)]
    await play(
        w,
        op("send", svc="Svc", handler="run", arg=good, into="good"),
        op("attach", id=ref("good")),
        op("send", svc="Svc", handler="run", arg=bad, into="bad"),
        op("try", do=[op("attach", id=ref("bad"))]),
        op("try", do=[op("attach", id="inv_1" + "0" * 33)]),
    )


@scenario
async def send_later(w: World) -> None:
    """A delayed send is scheduled first, and runs when its time has come."""
    key = w.key("k")
    later = {"svc": "Obj", "handler": "count", "key": key}
    program = [
        op("send", **later, delay_ms=300, into="soon"),
        op("send", **later, delay_ms=3600000),
    ]
    answer = await w.ingress("POST", "/Svc/run", program)
    soon, late = answer.json()
    w.note("answer", answer)
    await w.finished("soon", soon)
    await w.note_invocation("late", late)
    await w.note_state("state", "Obj", key)


@scenario
async def call_unknown_handler_is_retried(w: World) -> None:
    """A call to a service nobody offers fails the attempt, not the invocation."""
    inv = await w.send("Svc/run", op("call", svc="Nope", handler="run", arg=[]))
    await w.until_rows(
        "RT0018",
        f"SELECT id FROM sys_invocation WHERE id = '{inv}' AND last_failure_error_code = 'RT0018'",
    )
    await w.note_journal("journal", inv)
    await w.until(inv, "backing-off")
    w.note("kill", await w.admin("PATCH", f"/invocations/{inv}/kill"))


@scenario
async def inbox_is_first_come_first_served(w: World) -> None:
    """While one exclusive invocation holds the key, later ones wait in order of arrival."""
    key, gate, tag = w.key("k"), w.key("gate"), w.key("order")
    holder = await w.send(f"Obj/{key}/run", op("effect", tag=tag, text="0"), op("gate", name=gate))
    await w.outside.effect(tag)
    ids = []
    for number in range(1, 5):
        step = op("effect", tag=tag, text=str(number))
        ids.append(await w.send(f"Obj/{key}/run", step))
        await w.until(ids[-1], "pending")
    rows = await w.sql(
        f"SELECT id FROM sys_inbox WHERE service_key = '{key}' ORDER BY sequence_number"
    )
    w.note("inbox in order", [row["id"] for row in rows] == ids)
    lock = f"SELECT invocation_id FROM sys_keyed_service_status WHERE service_key = '{key}'"
    w.note("holder", [row["invocation_id"] == holder for row in await w.sql(lock)])
    await w.note_invocation("waiting", ids[0])
    w.outside.open_gate(gate)
    w.note("order", await w.outside.effect(tag, 5))
    await w.until(ids[-1], "completed")
    w.note("free", await w.sql(lock))


@scenario
async def inbox_takes_delayed_ones_when_they_are_due(w: World) -> None:
    """A delayed send takes its place when its timer fires, not when it was sent."""
    key, gate, tag = w.key("k"), w.key("gate"), w.key("order")
    late = await w.send(f"Obj/{key}/run", op("effect", tag=tag, text="delayed"), query="?delay=3s")
    holder = await w.send(
        f"Obj/{key}/run", op("effect", tag=tag, text="holder"), op("gate", name=gate)
    )
    await w.outside.effect(tag)
    early = await w.send(f"Obj/{key}/run", op("effect", tag=tag, text="direct"))
    await w.until(late, "pending")
    w.outside.open_gate(gate)
    w.note("order", await w.outside.effect(tag, 3))
    for inv in (holder, early, late):
        await w.until(inv, "completed")


@scenario
async def cancel_reaches_calls(w: World) -> None:
    """Cancelling the caller cancels its call, and both end as cancelled; a send lives on."""
    key, tag = w.key("k"), w.key("id")
    wait = [op("awakeable", tag=tag, into="a"), op("await", of=ref("a"))]
    inv = await w.send(
        "Quick/run",
        op("send", svc="QuickObj", handler="run", key=w.key("sent"), arg=wait, into="sent"),
        op("start_call", svc="QuickObj", handler="run", key=key, arg=wait, into="c"),
        op("await_call", of=ref("c")),
    )
    await w.until(inv, "suspended")
    await w.outside.effect(tag, 2)
    w.note("cancel", await w.admin("PATCH", f"/invocations/{inv}/cancel"))
    await w.finished("caller", inv)
    callees = await w.sql(
        f"SELECT id, target_service_key AS key FROM sys_invocation WHERE invoked_by_id = '{inv}'"
    )
    by_key = {row["key"]: row["id"] for row in callees}
    await w.finished("callee", by_key[key])
    sent = by_key[w.key("sent")]
    w.note("sent", await w.until(sent, "suspended"))
    w.note("kill sent", await w.admin("PATCH", f"/invocations/{sent}/kill"))


@scenario
async def cancel_is_caught(w: World) -> None:
    """A handler may catch its cancellation, compensate with further steps, and go on."""
    key, tag = w.key("k"), w.key("undo")
    inv = await w.send(
        f"QuickObj/{key}/run",
        op("set", k="a", v=1),
        op(
            "try",
            do=[op("sleep", ms=3600000)],
            catch=[
                op("run", name="undo", tag=tag, v="undone"),
                op("clear", k="a"),
                op("sleep", ms=1),
            ],
        ),
        op("value", v="after"),
    )
    await w.until(inv, "suspended")
    w.note("cancel", await w.admin("PATCH", f"/invocations/{inv}/cancel"))
    await w.finished("row", inv)
    w.note("output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))
    w.note("undone", len(w.outside.effects(tag)))
    await w.note_state("state", "QuickObj", key)


@scenario
async def cancel_from_a_handler(w: World) -> None:
    """A handler cancels another invocation by id; a second handler sees it end."""
    key = w.key("k")
    sleeping = [op("sleep", ms=3600000)]
    inv = await w.send(f"QuickObj/{key}/run", *sleeping)
    await w.until(inv, "suspended")
    await play(w, op("cancel", id=inv), op("try", do=[op("attach", id=inv)]))
    await w.finished("cancelled", inv)


@scenario
async def kill_is_recursive(w: World) -> None:
    """Killing takes calls and sends with it, delayed ones too, and frees every key."""
    key, sent, late = w.key("call"), w.key("sent"), w.key("late")
    wait = [op("sleep", ms=3600000)]
    inv = await w.send(
        "Quick/run",
        op("send", svc="QuickObj", handler="run", key=sent, arg=wait),
        op("send", svc="QuickObj", handler="run", key=late, arg=wait, delay_ms=3600000, into="l"),
        op("call", svc="QuickObj", handler="run", key=key, arg=wait),
    )
    await w.until(inv, "suspended")
    children = await w.sql(
        f"SELECT id, target_service_key AS key, status FROM sys_invocation"
        f" WHERE invoked_by_id = '{inv}'"
    )
    by_key = {row["key"]: row["id"] for row in children}
    await w.until(by_key[key], "suspended")
    await w.until(by_key[sent], "suspended")
    w.note("kill", await w.admin("PATCH", f"/invocations/{inv}/kill"))
    await w.finished("caller", inv)
    await w.finished("called", by_key[key])
    await w.finished("sent", by_key[sent])
    await w.until(by_key[late], "absent")
    for free in (key, sent, late):
        await w.run(f"free {free}", f"QuickObj/{free}/run", op("value", v="free"))

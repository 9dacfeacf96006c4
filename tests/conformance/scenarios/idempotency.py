"""Idempotency keys: one invocation, one result, for as long as it is retained."""

from __future__ import annotations

import asyncio

from tests.conformance.program import op
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.world import World

IDEMPOTENCY = "idempotency-key"


@scenario
async def idempotency_on_a_service(w: World) -> None:
    """The second call gets the first one's stored result, whatever its body is."""
    key = {IDEMPOTENCY: w.key("i")}
    tag = w.key("effects")
    await w.run("first", "Svc/run", op("run", name="a", tag=tag, v=1), headers=key)
    await w.run("second", "Svc/run", op("run", name="b", tag=tag, v=2), headers=key)
    w.note("effects", len(w.outside.effects(tag)))
    await w.run("another handler's key", "Quick/run", op("value", v=3), headers=key)


@scenario
async def idempotency_on_an_object(w: World) -> None:
    """The object's key is part of what makes two calls the same."""
    key = {IDEMPOTENCY: "same"}
    mary, john = w.key("mary"), w.key("john")
    for step, target in (("mary", mary), ("mary again", mary), ("john", john)):
        w.note(step, await w.ingress("POST", f"/Obj/{target}/count", headers=key))


@scenario
async def idempotency_while_running(w: World) -> None:
    """A duplicate of a running call waits for it and gets the same result."""
    key = {IDEMPOTENCY: w.key("i")}
    gate, tag = w.key("gate"), w.key("tag")
    program = [op("effect", tag=tag), op("gate", name=gate), op("value", v="once")]
    async with asyncio.TaskGroup() as calls:
        waiting = [
            calls.create_task(w.ingress("POST", "/Svc/run", program, headers=key)) for _ in range(3)
        ]
        await w.outside.effect(tag)
        path = f"/restate/invocation/Svc/run/{key[IDEMPOTENCY]}/output"
        w.note("not yet", await w.ingress("GET", path))
        w.outside.open_gate(gate)
    answers = [call.result() for call in waiting]
    w.note("all", [(answer.status_code, answer.json()) for answer in answers])
    w.note("one invocation", len({answer.headers["x-restate-id"] for answer in answers}))
    w.note("effects", len(w.outside.effects(tag)))
    w.note("output", await w.ingress("GET", path))


@scenario
async def idempotency_of_sends(w: World) -> None:
    """A repeated send is told that it was accepted before, with the same time if delayed."""
    key = {IDEMPOTENCY: w.key("i")}
    w.note("first", await w.ingress("POST", "/Svc/echo/send?delay=1h", 1, headers=key))
    w.note("again", await w.ingress("POST", "/Svc/echo/send?delay=2h", 1, headers=key))
    w.note("without delay", await w.ingress("POST", "/Svc/echo/send", 1, headers=key))
    other = {IDEMPOTENCY: w.key("j")}
    await w.run("called", "Svc/run", op("value", v=1), headers=other)
    w.note("sent after", await w.ingress("POST", "/Svc/run/send", [], headers=other))


@scenario
async def idempotency_of_failures(w: World) -> None:
    """A stored failure is repeated like a result, attach and output included."""
    key = {IDEMPOTENCY: w.key("i")}
    for step in ("first", "second"):
        await w.run(step, "Svc/run", op("fail", message="no", code=418), headers=key)
    for verb in ("attach", "output"):
        path = f"/restate/invocation/Svc/run/{key[IDEMPOTENCY]}/{verb}"
        w.note(verb, await w.ingress("GET", path))


@scenario
async def idempotency_keys_with_odd_characters(w: World) -> None:
    """An empty key is a key; one with a space or a slash is reached by body."""
    odd = w.key("a b/c")
    w.note("odd", await w.ingress("POST", "/Svc/echo", 1, headers={IDEMPOTENCY: odd}))
    target = {"target": "idempotentInvocation", "service": "Svc", "handler": "echo"}
    w.note("attach", await w.ingress("POST", "/restate/attach", target | {"idempotencyKey": odd}))
    key = w.key("k")
    for step in ("empty", "empty again"):
        w.note(step, await w.ingress("POST", f"/Obj/{key}/count", headers={IDEMPOTENCY: ""}))


@scenario
async def idempotency_of_keyless_calls(w: World) -> None:
    """A call without a key is still there for attach and output by its id."""
    answer = await w.ingress("POST", "/Svc/echo", "x")
    inv = answer.headers["x-restate-id"]
    w.note("call", answer)
    w.note("attach", await w.ingress("GET", f"/restate/invocation/{inv}/attach"))
    w.note("output", await w.ingress("GET", f"/restate/output/{inv}"))
    await w.note_invocation("row", inv)


@scenario
async def idempotency_from_handlers(w: World) -> None:
    """Calls and sends of handlers deduplicate by their idempotency key."""
    tag, key = w.key("effects"), w.key("i")
    step = op("run", name="e", tag=tag, v="once")
    target = {"svc": "Svc", "handler": "run", "idem": key, "arg": [step]}
    results = await w.run(
        "caller",
        "Svc/run",
        op("call", **target),
        op("call", **target),
        op("send", **target, into="sent"),
        op("attach", id={"$": "sent"}),
    )
    w.note("results", results[:2])
    w.note("effects", len(w.outside.effects(tag)))
    w.note("by key", await w.ingress("GET", f"/restate/invocation/Svc/run/{key}/output"))
    await w.note_invocation("callee", results[2])


@scenario
async def idempotency_expires(w: World) -> None:
    """After its retention a result is forgotten, and the key starts a new invocation."""
    key = {IDEMPOTENCY: w.key("i")}
    answer = await w.ingress("POST", "/Brief/run", [op("value", v=1)], headers=key)
    inv = answer.headers["x-restate-id"]
    await w.note_invocation("kept", inv)
    await w.until(inv, "absent", within_s=30)
    w.note("output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))
    await w.run("again", "Brief/run", op("value", v=2), headers=key)


@scenario
async def idempotency_without_journal(w: World) -> None:
    """With no journal retention the result stays and the journal goes."""
    answer = await w.ingress("POST", "/Forget/run", [op("value", v=1)])
    inv = answer.headers["x-restate-id"]
    await w.finished("kept", inv)
    w.note("output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))
    w.note("restart", await w.admin("PATCH", f"/invocations/{inv}/restart-as-new"))

"""Commands no official SDK sends, from hand-written endpoints, and odd ways to end an attempt."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance import wire
from tests.conformance.peers import Request, manifest, peer, respond_frames, service
from tests.conformance.program import op
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.world import World


def shown(result: wire.Fields) -> Any:
    """A notification's result in words."""
    if 4 in result:
        return "void"
    if 5 in result:
        return bytes(_first(wire.fields(_first(result[5])), 1)).decode()
    failure = wire.fields(_first(result[6]))
    return {"code": failure[1][0], "message": bytes(_first(failure, 2)).decode()}


def _first(fields: Any, number: int = 0) -> bytes:
    found = fields[number][0] if number else fields[0]
    assert isinstance(found, bytes)
    return found


async def ask(w: World, step: str, command: bytes) -> str:
    """Run an invocation whose only command is this one (completion id 1), and note its answer."""
    name = f"Ask{w.key(step).replace('-', '').replace(' ', '')}"
    results: list[Any] = []

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        result = request.result(1)
        if result is not None:
            results.append(shown(result))
            respond_frames(request, writer, wire.output(b'"ok"'))
        elif len(request.journal) == 1:
            respond_frames(request, writer, command, wire.waiting_for(1))
        else:
            respond_frames(request, writer, wire.waiting_for(1))

    async with peer(manifest(service(name, "run")), behave) as one:
        dp = await w.site.server.register(one.uri, use_http_11=True)
        inv = await w.send(f"{name}/run")
        await w.until(inv, "completed")
        w.note(step, results)
        await w.note_journal(f"{step} journal", inv)
        await w.admin("DELETE", f"/deployments/{dp}?force=true")
    return inv


def by_id(inv: str) -> tuple[int, wire.Value]:
    return (1, inv)


@scenario(setups=("python",))
async def protocol_get_output(w: World) -> None:
    """Asking for an output: the result, its failure, not yet, or unknown."""
    done = (await w.ingress("POST", "/Svc/echo", "x")).headers["x-restate-id"]
    failed = await w.send("Svc/run", op("fail", message="no", code=418))
    await w.until(failed, "completed")
    asleep = await w.send("Quick/run", op("sleep", ms=3600000))
    await w.until(asleep, "suspended")
    for step, inv in (
        ("done", done),
        ("failed", failed),
        ("asleep", asleep),
        ("unknown", "inv_1" + "0" * 33),
    ):
        await ask(w, step, wire.frame(wire.GET_OUTPUT, by_id(inv), (11, 1)))
    await w.admin("PATCH", f"/invocations/{asleep}/kill")


@scenario(setups=("python",))
async def protocol_attach_to_targets(w: World) -> None:
    """Attaching by workflow key and by idempotency key finds the same invocations."""
    key, idem = w.key("k"), w.key("i")
    await w.run("flow", f"Flow/{key}/run", op("value", v="flow"))
    await w.run("service", "Svc/run", op("value", v="svc"), headers={"idempotency-key": idem})
    await w.run("object", f"Obj/{key}/run", op("value", v="obj"), headers={"idempotency-key": idem})
    flow = wire.message((1, "Flow"), (2, key))
    of_service = wire.message((1, "Svc"), (3, "run"), (4, idem))
    of_object = wire.message((1, "Obj"), (2, key), (3, "run"), (4, idem))
    nobody = wire.message((1, "Flow"), (2, w.key("nobody")))
    for step, target in (
        ("by workflow", (4, flow)),
        ("by service", (3, of_service)),
        ("by object", (3, of_object)),
        ("nobody", (4, nobody)),
    ):
        await ask(w, step, wire.frame(wire.ATTACH, target, (11, 1)))
        await ask(w, f"{step} output", wire.frame(wire.GET_OUTPUT, target, (11, 1)))


@scenario(setups=("python",))
async def protocol_run_and_suspend(w: World) -> None:
    """A proposed result and a suspension in one response: resumed at once with the result."""
    command = wire.frame(wire.RUN, (11, 1), (12, "step"))
    proposal = wire.frame(wire.PROPOSE_RUN, (1, 1), (14, b'"value"'))
    await ask(w, "run", command + proposal)


@scenario(setups=("python",))
async def protocol_sleep_in_the_past(w: World) -> None:
    """A sleep whose time is over fires at once."""
    await ask(w, "sleep", wire.frame(wire.SLEEP, (1, 1000), (11, 1)))


async def ending(w: World, step: str, *sent: bytes) -> None:
    """Run an invocation that answers with these frames, and note how it ends."""
    name = f"End{w.key(step).replace('-', '').replace(' ', '')}"

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        respond_frames(request, writer, *sent)

    async with peer(manifest(service(name, "run")), behave) as one:
        dp = await w.site.server.register(one.uri, use_http_11=True)
        inv = await w.send(f"{name}/run")
        await w.until(inv, "completed")
        answer = await w.ingress("GET", f"/restate/invocation/{inv}/output")
        w.note(step, {"status": answer.status_code, "body": answer.text})
        await w.note_journal(f"{step} journal", inv)
        await w.admin("DELETE", f"/deployments/{dp}?force=true")


@scenario(setups=("python",))
async def protocol_endings(w: World) -> None:
    """The last of several outputs counts; what comes after End does not.

    End without any Output is left out: the official server (1.7.12) panics at it, for good, when
    nothing was stored before, and else never ends it. `test_bad_peers.py` tries it on ours.
    """
    first = wire.frame(wire.OUTPUT, (14, wire.message((1, b"1"))))
    await ending(w, "two outputs", first, wire.output(b"2"))
    failure = wire.message((1, 418), (2, "no"), (3, wire.message((1, "a"), (2, "b"))))
    await ending(w, "failure", wire.frame(wire.OUTPUT, (15, failure)) + wire.frame(wire.END))
    await ending(w, "empty", wire.output(b""))
    await ending(w, "bytes after the end", wire.output(b"3") + wire.frame(wire.END))


@scenario(setups=("python",))
async def protocol_request_headers(w: World) -> None:
    """What the server tells an endpoint about an attempt, in headers and in Start."""
    name = f"Head{w.key('').replace('-', '')}"

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        respond_frames(request, writer, wire.output(b"1"))

    discovered = manifest(service(name, "run", ty="VIRTUAL_OBJECT"))
    async with peer(discovered, behave) as one:
        extra = {"x-extra": "yes"}
        dp = await w.site.server.register(one.uri, use_http_11=True, additional_headers=extra)
        path = f"/{name}/K%2Fx%20%C3%BC/run"
        answer = await w.ingress("POST", path, b"body", headers={"content-type": "a/b"})
        request = one.attempts[0]
        kept = (
            "content-type",
            "accept",
            "x-restate-service-key",
            "x-extra",
            "x-restate-cluster-name",
        )
        w.note("path", request.path.replace(name, "NAME"))
        w.note("headers", {each: request.headers.get(each) for each in kept})
        w.note("id", request.headers["x-restate-invocation-id"] == answer.headers["x-restate-id"])
        start = wire.frames(request.body)[0][1]
        w.note(
            "start",
            {
                "known_entries": start.get(3),
                "key": bytes(_first(start, 6)).decode(),
                "state": start.get(4),
                "partial": start.get(5),
            },
        )
        w.note("input", bytes(_first(wire.fields(_first(request.journal[0][1], 14)), 1)).decode())
        await w.admin("DELETE", f"/deployments/{dp}?force=true")

"""Failing attempts: the retry policy, its limits, its overrides, and the record of failures."""

from __future__ import annotations

import asyncio
import json

from tests.conformance import wire
from tests.conformance.peers import Request, manifest, peer, respond, respond_frames, service
from tests.conformance.program import op
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.world import World


@scenario
async def retry_until_success(w: World) -> None:
    """A handler that fails twice is retried; each different failure leaves an event."""
    tag = w.key("t")
    inv = await w.send(
        "Svc/run",
        op("run", name="r", tag=w.key("r"), v=1),
        op("throw", message="first", tag=tag, times=2),
        op("value", v="ok"),
    )
    await w.finished("row", inv)
    await w.note_events("events", inv)
    w.note("attempts", len(w.outside.effects(tag)))
    w.note("steps", len(w.outside.effects(w.key("r"))))


@scenario
async def retry_is_shown(w: World) -> None:
    """While it backs off, its row tells the last failure, its code and the attempts so far."""
    inv = await w.send(
        "Svc/run", op("throw", message="later", tag=w.key("t"), retry_after_ms=3600000)
    )
    await w.until(inv, "backing-off")
    rows = await w.sql(
        "SELECT retry_count, last_failure_error_code, next_retry_at IS NOT NULL AS next,"
        f" last_attempt_deployment_id FROM sys_invocation WHERE id = '{inv}'"
    )
    w.note("row", rows)
    w.note("kill", await w.admin("PATCH", f"/invocations/{inv}/kill"))


@scenario
async def retry_kills_on_max(w: World) -> None:
    """With the policy `kill` the last failure becomes the result."""
    tag = w.key("t")
    answer = await w.ingress("POST", "/Kill3/run", [op("throw", message="always", tag=tag)])
    w.note("status", answer.status_code)
    w.note("message", answer.json()["message"])
    w.note("source", answer.headers.get("x-restate-error-source"))
    w.note("attempts", len(w.outside.effects(tag)))
    await w.until(answer.headers["x-restate-id"], "completed")
    await w.note_journal("journal", answer.headers["x-restate-id"])


@scenario
async def retry_pauses_on_max(w: World) -> None:
    """With the policy `pause` it waits for an operator; a resume starts the count anew."""
    tag = w.key("t")
    inv = await w.send(f"Pause2/{w.key('k')}/run", op("throw", message="no", tag=tag, times=5))
    await w.until(inv, "paused")
    w.note("attempts", len(w.outside.effects(tag)))
    await w.note_events("events", inv)
    w.note("resume", await w.admin("PATCH", f"/invocations/{inv}/resume"))
    await w.outside.effect(tag, 4)
    await w.until(inv, "paused")
    w.note("attempts after resume", len(w.outside.effects(tag)))
    w.note("second resume", await w.admin("PATCH", f"/invocations/{inv}/resume"))
    await w.until(inv, "completed")


@scenario
async def retry_delay_of_the_handler(w: World) -> None:
    """A delay the handler asks for replaces the policy's, and costs no attempt."""
    tag = w.key("t")
    answer = await w.ingress(
        "POST", "/Kill3/run", [op("throw", message="soon", tag=tag, times=6, retry_after_ms=10)]
    )
    w.note("answer", answer)
    w.note("attempts", len(w.outside.effects(tag)))


async def _http_status(w: World, status: int, **headers: str) -> None:
    """An endpoint that answers this status twice, and then does its work."""
    name = f"Status{status}{w.key('').replace('-', '')}"

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(one.attempts) < 3:
            respond(writer, status, b"", **headers)
        else:
            respond_frames(request, writer, wire.output(b'"ok"'))

    async with peer(manifest(service(name, "run")), behave) as one:
        dp = await w.site.server.register(one.uri, use_http_11=True)
        inv = await w.send(f"{name}/run")
        await w.until(inv, "completed")
        w.note(f"{status} attempts", len(one.attempts))
        rows = await w.sql(f"SELECT event_json FROM sys_journal_events WHERE id = '{inv}'")
        w.note(f"{status} code", [_doc_code(row["event_json"]) for row in rows])
        await w.admin("DELETE", f"/deployments/{dp}?force=true")


def _doc_code(event_json: str) -> str | None:
    event = json.loads(event_json)
    code: str | None = event.get("restate_doc_error_code")
    return code


@scenario(setups=("python",))
async def retry_http_errors(w: World) -> None:
    """Every bad status of an endpoint is a failed attempt with its own code."""
    for status in (404, 413, 415, 418, 500, 502, 504):
        await _http_status(w, status)


@scenario(setups=("python",))
async def retry_after_header(w: World) -> None:
    """429 and 503 may say when to come back."""
    for status in (429, 503):
        await _http_status(w, status, **{"retry-after": "0"})

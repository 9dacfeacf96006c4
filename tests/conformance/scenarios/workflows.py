"""Workflows: run once per key, shared handlers at any time, durable promises."""

from __future__ import annotations

from tests.conformance.program import op
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.world import World


@scenario
async def workflow_runs_once(w: World) -> None:
    """A second call is a conflict, a second send was accepted before; attach gives the result."""
    key = w.key("k")
    await w.run("first", f"Flow/{key}/run", op("set", k="a", v=1), op("value", v="done"))
    await w.run("second call", f"Flow/{key}/run", op("value", v="other"))
    w.note("second send", await w.ingress("POST", f"/Flow/{key}/run/send", []))
    w.note("attach", await w.ingress("GET", f"/restate/workflow/Flow/{key}/attach"))
    w.note("output", await w.ingress("GET", f"/restate/workflow/Flow/{key}/output"))
    await w.note_state("state", "Flow", key)


@scenario
async def workflow_while_running(w: World) -> None:
    """Before the end, output is not ready, calls conflict, and shared handlers answer."""
    key = w.key("k")
    w.note(
        "send",
        await w.ingress(
            "POST", f"/Flow/{key}/run/send", [op("set", k="a", v=1), op("promise_get", name="go")]
        ),
    )
    target = {"target": "workflow", "workflowName": "Flow", "workflowKey": key}
    inv = (await w.ingress("POST", "/restate/lookup", target)).json()["invocationId"]
    await w.until(inv, "suspended")
    w.note("output", await w.ingress("GET", f"/restate/workflow/Flow/{key}/output"))
    await w.run("call", f"Flow/{key}/run")
    w.note("send again", await w.ingress("POST", f"/Flow/{key}/run/send", []))
    await w.run("peek", f"Flow/{key}/touch", op("get", k="a"), op("promise_peek", name="go"))
    await w.run("resolve", f"Flow/{key}/touch", op("promise_resolve", name="go", v="now"))
    await w.finished("run", inv)
    w.note("attach", await w.ingress("POST", "/restate/attach", target))


@scenario
async def workflow_promise_before_run(w: World) -> None:
    """A promise may be completed before the workflow starts."""
    key = w.key("k")
    await w.run("resolve", f"Flow/{key}/touch", op("promise_resolve", name="go", v=[1]))
    await w.run("peek", f"Flow/{key}/touch", op("promise_peek", name="go"))
    rows = await w.sql(
        "SELECT key, completed, completion_success_value_utf8, completion_failure"
        f" FROM sys_promise WHERE service_key = '{key}'"
    )
    w.note(
        "rows",
        [
            {
                **row,
                "completion_success_value_utf8": row.get(
                    "completion_success_value_utf8", ""
                ).replace(" ", ""),
            }
            for row in rows
        ],
    )
    answer = await w.ingress("POST", f"/Flow/{key}/run", [op("promise_get", name="go")])
    w.note("run", answer)
    await w.finished("journal", answer.headers["x-restate-id"])


@scenario
async def workflow_promise_rejected(w: World) -> None:
    """A rejection is thrown at everyone who waits, and is shown as failure."""
    key = w.key("k")
    inv = await w.send(f"Flow/{key}/run", op("try", do=[op("promise_get", name="go")]))
    await w.until(inv, "suspended")
    await w.run("reject", f"Flow/{key}/touch", op("promise_reject", name="go", message="no"))
    await w.finished("run", inv)
    w.note("output", await w.ingress("GET", f"/restate/workflow/Flow/{key}/output"))
    await w.run("peek", f"Flow/{key}/touch", op("try", do=[op("promise_peek", name="go")]))


@scenario
async def workflow_promise_completed_twice(w: World) -> None:
    """The first completion wins; the second is a conflict its caller can catch."""
    key = w.key("k")
    answer = await w.ingress(
        "POST",
        f"/Flow/{key}/run",
        [
            op("promise_resolve", name="p", v=1),
            op("try", do=[op("promise_resolve", name="p", v=2)]),
            op("try", do=[op("promise_reject", name="p", message="no")]),
            op("promise_get", name="p"),
        ],
    )
    w.note("run", answer)
    inv = answer.headers["x-restate-id"]
    await w.until(inv, "completed")
    await w.note_invocation("row", inv)
    # Some SDKs ask for a promise already when they name it: the answer comes when it comes.
    await w.note_journal("journal", inv, racing=True)
    await w.run("uncaught", f"Flow/{key}/touch", op("promise_resolve", name="p", v=3))


@scenario
async def workflow_touched_before_it_runs(w: World) -> None:
    """Shared handlers of an unknown key run on empty state."""
    key = w.key("k")
    await w.run("touch", f"Flow/{key}/touch", op("get", k="a"), op("keys"))
    w.note("output", await w.ingress("GET", f"/restate/workflow/Flow/{key}/output"))


@scenario
async def workflow_refuses_idempotency_keys(w: World) -> None:
    """`run` takes no idempotency key; its shared handlers do."""
    key, header = w.key("k"), {"idempotency-key": w.key("i")}
    await w.run("run", f"Flow/{key}/run", headers=header)
    w.note("send", await w.ingress("POST", f"/Flow/{key}/run/send", [], headers=header))
    for step in ("touch", "touch again"):
        await w.run(step, f"Flow/{key}/touch", op("value", v=step), headers=header)


@scenario
async def workflow_called_by_a_handler(w: World) -> None:
    """A handler's call runs it; a second call is a conflict; a second send changes nothing."""
    key = w.key("k")
    target = {"svc": "Flow", "handler": "run", "key": key, "arg": [op("value", v="done")]}
    await w.run(
        "caller",
        "Svc/run",
        op("call", **target),
        op("try", do=[op("call", **target)]),
        op("send", **target, into="id"),
        op("attach", id={"$": "id"}),
        op("call", svc="Flow", handler="touch", key=key, arg=[op("keys")]),
    )


@scenario
async def workflow_purged(w: World) -> None:
    """Purging a finished run deletes its state and promises and opens the key again."""
    key = w.key("k")
    program = [op("set", k="a", v=1), op("promise_resolve", name="p", v=1)]
    first = await w.ingress("POST", f"/Flow/{key}/run", program)
    inv = first.headers["x-restate-id"]
    w.note("purge", await w.admin("PATCH", f"/invocations/{inv}/purge"))
    await w.until(inv, "absent")
    await w.until_rows("no state", f"SELECT key FROM state WHERE service_key = '{key}'", 0)
    await w.until_rows("no promise", f"SELECT key FROM sys_promise WHERE service_key = '{key}'", 0)
    second = await w.ingress("POST", f"/Flow/{key}/run", [op("get", k="a")])
    w.note("again", second)
    w.note("same id", second.headers["x-restate-id"] == inv)


@scenario
async def workflow_expires(w: World) -> None:
    """After its retention the run, its state and its promises are gone."""
    key = w.key("k")
    resolve = op("promise_resolve", name="p", v=1)
    program = [op("set", k="a", v=1), resolve, op("promise_get", name="p")]
    first = await w.ingress("POST", f"/BriefFlow/{key}/run", program)
    inv = first.headers["x-restate-id"]
    await w.note_invocation("kept", inv)
    await w.until(inv, "absent", within_s=30)
    await w.until_rows("no state", f"SELECT key FROM state WHERE service_key = '{key}'", 0)
    await w.run("again", f"BriefFlow/{key}/run", op("get", k="a"))


@scenario
async def workflow_fails_and_is_cancelled(w: World) -> None:
    """A failed run keeps its failure; a cancelled one too."""
    key = w.key("k")
    await w.run("fails", f"Flow/{key}/run", op("fail", message="no", code=418))
    await w.run("again", f"Flow/{key}/run")
    w.note("attach", await w.ingress("GET", f"/restate/workflow/Flow/{key}/attach"))
    inv = await w.send(f"Flow/{w.key('other')}/run", op("promise_get", name="never"))
    await w.until(inv, "suspended")
    w.note("cancel", await w.admin("PATCH", f"/invocations/{inv}/cancel"))
    await w.finished("cancelled", inv)

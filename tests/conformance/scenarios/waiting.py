"""Waiting: sleeps, awakeables, signals, and combinations of them."""

from __future__ import annotations

import json

from tests.conformance.program import op, ref
from tests.conformance.scenarios.calls import play
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.world import World

# The order in which a suspended handler is woken is only visible in its journal.
HOUR_MS = 3600000


@scenario
async def sleep_in_place(w: World) -> None:
    """A short sleep is over before the handler is suspended."""
    await play(w, op("sleep", ms=50), op("sleep", ms=0), op("value", v="awake"))


@scenario
async def sleep_suspended(w: World) -> None:
    """A longer sleep suspends the handler; the timer wakes it."""
    inv = await w.send("Quick/run", op("sleep", ms=2500), op("value", v="awake"))
    await w.until(inv, "suspended")
    await w.finished("woken", inv)


@scenario
async def sleep_with_a_name(w: World) -> None:
    """The name of a sleep is in the journal."""
    await play(w, op("sleep", ms=1, name="nap"))


@scenario
async def race_of_sleeps(w: World) -> None:
    """The shorter sleep wins, and wins again after replay."""
    inv = await w.send(
        "Quick/run",
        op("start_sleep", ms=HOUR_MS, into="long"),
        op("start_sleep", ms=300, into="short"),
        op("race", of=["long", "short"]),
        op("sleep", ms=200),
    )
    await w.finished("race", inv)
    w.note("winner", await w.ingress("GET", f"/restate/invocation/{inv}/output"))


@scenario
async def all_of_several(w: World) -> None:
    """A sleep, a call and an awakeable are awaited together."""
    tag = w.key("id")
    inv = await w.send(
        "Svc/run",
        op("start_call", svc="Svc", handler="echo", arg="x", into="c"),
        op("await_call", of=ref("c")),
        op("start_sleep", ms=100, into="s"),
        op("awakeable", tag=tag, into="a"),
        op("all", of=["s", "a"]),
    )
    awakeable = (await w.outside.effect(tag))[0]
    await w.until_rows(
        "slept",
        f"SELECT id FROM sys_journal WHERE id = '{inv}' AND entry_type = 'Notification: Sleep'",
    )
    w.note("resolve", await w.ingress("POST", f"/restate/awakeables/{awakeable}/resolve", "late"))
    await w.finished("all", inv)
    w.note("output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))


@scenario
async def awakeable_resolved(w: World) -> None:
    """Resolving over HTTP wakes a suspended handler with the value."""
    tag = w.key("id")
    inv = await w.send("Quick/run", op("awakeable", tag=tag, into="a"), op("await", of=ref("a")))
    await w.until(inv, "suspended")
    awakeable = w.outside.effects(tag)[0]
    w.note("resolve", await w.ingress("POST", f"/restate/awakeables/{awakeable}/resolve", {"x": 1}))
    await w.finished("row", inv)
    w.note("output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))
    w.note("late", await w.ingress("POST", f"/restate/awakeables/{awakeable}/resolve", 2))


@scenario
async def awakeable_rejected(w: World) -> None:
    """Rejecting over HTTP throws the body's text, code 500; uncaught it fails the handler."""
    for step in ("caught", "uncaught"):
        tag = w.key(step)
        wait = op("await", of=ref("a"))
        inv = await w.send(
            "Svc/run",
            op("awakeable", tag=tag, into="a"),
            op("try", do=[wait]) if step == "caught" else wait,
        )
        awakeable = (await w.outside.effect(tag))[0]
        path = f"/restate/a/{awakeable}/reject"
        w.note(
            f"{step} reject",
            await w.ingress("POST", path, b"not today", headers={"content-type": "text/plain"}),
        )
        await w.finished(step, inv)
        w.note(f"{step} output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))


@scenario
async def awakeable_resolved_twice(w: World) -> None:
    """The first value counts; the second is accepted and ignored."""
    tag, gate = w.key("id"), w.key("gate")
    inv = await w.send(
        "Svc/run",
        op("awakeable", tag=tag, into="a"),
        op("gate", name=gate),
        op("await", of=ref("a")),
    )
    awakeable = (await w.outside.effect(tag))[0]
    for value in (1, 2):
        path = f"/restate/awakeables/{awakeable}/resolve"
        w.note(f"resolve {value}", await w.ingress("POST", path, value))
    await w.until_rows(
        "both signals",
        f"SELECT id FROM sys_journal WHERE id = '{inv}' AND entry_type = 'Notification: Signal'",
        2,
    )
    w.outside.open_gate(gate)
    await w.finished("row", inv)
    w.note("output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))


@scenario
async def awakeable_between_handlers(w: World) -> None:
    """One handler waits, others resolve and reject."""
    for verb in ("resolve", "reject"):
        tag = w.key(verb)
        inv = await w.send(
            "Quick/run",
            op("awakeable", tag=tag, into="a"),
            op("try", do=[op("await", of=ref("a"))]),
        )
        awakeable = (await w.outside.effect(tag))[0]
        answer = await w.ingress(
            "POST",
            "/Svc/run",
            [op(f"{verb}_awakeable", id=awakeable, v="value", message="refused")],
        )
        w.note(f"{verb} answer", answer)
        await w.finished(f"other {verb}", answer.headers["x-restate-id"])
        await w.finished(verb, inv)
        w.note(f"{verb} output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))


@scenario
async def awakeable_of_nobody(w: World) -> None:
    """Any well-formed awakeable id is accepted."""
    nobody = "sign_1" + "A" * 38
    for verb in ("resolve", "reject"):
        w.note(verb, await w.ingress("POST", f"/restate/awakeables/{nobody}/{verb}", 1))
    w.note("no body", await w.ingress("POST", f"/restate/awakeables/{nobody}/resolve"))


@scenario
async def signal_by_name(w: World) -> None:
    """A named signal from another handler wakes the one that waits; a rejection is thrown."""
    for verb in ("resolve", "reject"):
        inv = await w.send(
            "Quick/run", op("signal", name="go", into="s"), op("try", do=[op("await", of=ref("s"))])
        )
        await w.until(inv, "suspended")
        answer = await w.ingress(
            "POST", "/Svc/run", [op(f"{verb}_signal", id=inv, name="go", v=[1], message="no")]
        )
        w.note(f"{verb} answer", answer)
        await w.finished(f"other {verb}", answer.headers["x-restate-id"])
        await w.finished(verb, inv)
        w.note(f"{verb} output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))


@scenario
async def waiting_is_shown(w: World) -> None:
    """What a suspended invocation waits for is in its row."""
    tag = w.key("id")
    inv = await w.send(
        "Quick/run",
        op("awakeable", tag=tag, into="a"),
        op("start_sleep", ms=HOUR_MS, into="s"),
        op("race", of=["a", "s"]),
    )
    await w.until(inv, "suspended")
    rows = await w.sql(
        "SELECT suspended_waiting_for_completions AS completions,"
        " suspended_waiting_for_signals AS signals, suspended_waiting_future_json AS future"
        f" FROM sys_invocation WHERE id = '{inv}'"
    )
    ((combined, leaves),) = json.loads(rows[0].pop("future")).items()
    w.note("waits for", [{name: sorted(each) for name, each in row.items()} for row in rows])
    w.note(combined, sorted(json.dumps(leaf) for leaf in leaves))
    await w.note_invocation("row", inv)
    w.note("kill", await w.admin("PATCH", f"/invocations/{inv}/kill"))


@scenario
async def run_steps(w: World) -> None:
    """Steps are journaled once, by name, and replayed after each suspension."""
    tag = w.key("step")
    inv = await w.send(
        "Quick/run",
        op("run", name="first", tag=f"{tag}1", v="a"),
        op("sleep", ms=300),
        op("run", name="second", tag=f"{tag}2", v={"b": None}),
        op("sleep", ms=300),
    )
    await w.finished("row", inv)
    w.note("output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))
    w.note("effects", [len(w.outside.effects(f"{tag}{number}")) for number in (1, 2)])


@scenario
async def run_fails_terminally(w: World) -> None:
    """A terminal failure inside a step is journaled and thrown."""
    tag = w.key("step")
    await play(w, op("try", do=[op("run", name="r", tag=tag, terminal="no", code=418)]))
    w.note("effects", len(w.outside.effects(tag)))


@scenario
async def run_is_retried(w: World) -> None:
    """A failing step is retried by the invocation's policy until it succeeds."""
    tag = w.key("step")
    await play(
        w,
        op("run", name="before", tag=f"{tag}0", v=0),
        op("run", name="r", tag=tag, failures=2, v="ok"),
    )
    w.note("effects", [len(w.outside.effects(each)) for each in (f"{tag}0", tag)])


@scenario
async def run_gives_up(w: World) -> None:
    """A step with its own limit fails terminally when the limit is reached."""
    tag = w.key("step")
    await play(
        w, op("try", do=[op("run", name="r", tag=tag, failures=99, max_attempts=3, retry_ms=20)])
    )
    w.note("effects", len(w.outside.effects(tag)))

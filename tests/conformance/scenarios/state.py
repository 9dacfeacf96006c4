"""State: read eagerly and lazily, written at once, edited from outside."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from tests.conformance.program import op
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.world import World


def version_of(state: dict[str, bytes]) -> str:
    """The version string a client sends to edit the state it has seen."""
    digest = hashlib.sha256()
    for index, key in enumerate(sorted(state)):
        digest.update(index.to_bytes(8, "big") + b"\x01" + key.encode())
        digest.update(b"\x02" + state[key] + b"\x03")
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


async def edit(w: World, service: str, key: str, **body: Any) -> Any:
    return await w.admin("POST", f"/services/{service}/state", {"object_key": key, **body})


async def settled(w: World, service: str, key: str, value: str) -> None:
    """Wait until the state's value for `a` is this one (an edit is applied later)."""
    await w.until_rows(
        f"{service}/{key} a={value}",
        f"SELECT key FROM state WHERE service_name = '{service}' AND service_key = '{key}'"
        f" AND key = 'a' AND value_utf8 = '{value}'",
    )


@scenario
async def state_eager(w: World) -> None:
    """Set, get, keys, clear and clear all within and between invocations."""
    key = w.key("k")
    first = await w.ingress(
        "POST",
        f"/Obj/{key}/run",
        [
            op("get", k="a"),
            op("set", k="a", v=1),
            op("set", k="b", v={"x": [1]}),
            op("get", k="a"),
            op("keys"),
            op("clear", k="a"),
            op("get", k="a"),
            op("keys"),
        ],
    )
    w.note("first", first)
    await w.finished("journal", first.headers["x-restate-id"])
    await w.note_state("between", "Obj", key)
    await w.run("second", f"Obj/{key}/run", op("get", k="b"), op("clear_all"), op("keys"))
    await w.note_state("after", "Obj", key)


@scenario
async def state_lazy(w: World) -> None:
    """Without eager state the same program asks the server, and sees its own writes."""
    key = w.key("k")
    await w.run("prepare", f"Lazy/{key}/run", op("set", k="a", v=1), op("set", k="b", v=2))
    answer = await w.ingress(
        "POST",
        f"/Lazy/{key}/run",
        [
            op("get", k="a"),
            op("get", k="none"),
            op("keys"),
            op("set", k="a", v=3),
            op("get", k="a"),
            op("clear_all"),
            op("get", k="b"),
            op("keys"),
        ],
    )
    w.note("answer", answer)
    await w.finished("journal", answer.headers["x-restate-id"])
    await w.note_state("after", "Lazy", key)


@scenario
async def state_survives_a_failure(w: World) -> None:
    """What was written before a terminal failure stays."""
    key = w.key("k")
    await w.run("fails", f"Obj/{key}/run", op("set", k="a", v=1), op("fail", message="no"))
    await w.note_state("after", "Obj", key)
    await w.run("read", f"Obj/{key}/run", op("get", k="a"))


@scenario
async def state_seen_by_shared_handlers(w: World) -> None:
    """A shared handler runs beside the exclusive one and sees its writes while it holds the key."""
    key, gate, tag = w.key("k"), w.key("gate"), w.key("tag")
    inv = await w.send(
        f"Obj/{key}/run", op("set", k="a", v=1), op("run", name="r", tag=tag), op("gate", name=gate)
    )
    await w.outside.effect(tag)
    await w.run("beside", f"Obj/{key}/look", op("get", k="a"), op("keys"))
    w.outside.open_gate(gate)
    await w.until(inv, "completed")


@scenario
async def state_written_by_a_shared_handler(w: World) -> None:
    """Writing from a shared handler fails the attempt, again and again."""
    inv = await w.send(f"Obj/{w.key('k')}/look", op("set", k="a", v=1))
    await _fails_with(w, inv, "RT0017")
    w.note("kill", await w.admin("PATCH", f"/invocations/{inv}/kill"))


@scenario
async def state_of_a_plain_service(w: World) -> None:
    """A service without key has no state: the attempt fails, again and again."""
    inv = await w.send("Svc/run", op("get", k="a"))
    await _fails_with(w, inv, "RT0017")
    w.note("kill", await w.admin("PATCH", f"/invocations/{inv}/kill"))


async def _fails_with(w: World, inv: str, code: str) -> None:
    query = f"SELECT last_failure_error_code AS code FROM sys_invocation WHERE id = '{inv}'"
    rows = await w.until_rows(f"{inv} fails with {code}", f"{query} AND last_failure IS NOT NULL")
    w.note("code", rows[0]["code"])
    await w.note_journal("journal", inv)


@scenario
async def state_edit_replaces_everything(w: World) -> None:
    """An edit is a full replacement; keys that are not listed go."""
    key = w.key("k")
    await w.run("prepare", f"Obj/{key}/run", op("set", k="a", v=1), op("set", k="b", v=2))
    w.note("edit", await edit(w, "Obj", key, new_state={"a": list(b"5"), "c": list(b'"x"')}))
    await settled(w, "Obj", key, "5")
    await w.note_state("after", "Obj", key)
    await w.run("read", f"Obj/{key}/run", op("get", k="a"), op("get", k="c"), op("keys"))
    w.note("clear", await edit(w, "Obj", key, new_state={}))
    await w.until_rows("state is empty", f"SELECT key FROM state WHERE service_key = '{key}'", 0)


@scenario
async def state_edit_with_version(w: World) -> None:
    """A right version is applied; a wrong one is accepted and silently dropped."""
    key = w.key("k")
    new = edit(w, "Obj", key, new_state={"a": list(b"1")}, version=version_of({}))
    w.note("from empty", await new)
    await settled(w, "Obj", key, "1")
    wrong = edit(w, "Obj", key, new_state={"a": list(b"2")}, version=version_of({}))
    w.note("wrong", await wrong)
    right = edit(w, "Obj", key, new_state={"a": list(b"3")}, version=version_of({"a": b"1"}))
    w.note("right", await right)
    await settled(w, "Obj", key, "3")


@scenario
async def state_edit_waits_for_the_lock(w: World) -> None:
    """An edit of a busy object is applied in its turn, before later invocations."""
    key, gate, tag = w.key("k"), w.key("gate"), w.key("tag")
    holder = await w.send(
        f"Obj/{key}/run", op("effect", tag=tag), op("gate", name=gate), op("set", k="a", v=1)
    )
    await w.outside.effect(tag)
    w.note("edit", await edit(w, "Obj", key, new_state={"a": list(b"7")}))
    later = await w.send(f"Obj/{key}/run", op("get", k="a"))
    await w.until(later, "pending")
    await w.note_state("while locked", "Obj", key)
    inbox = await w.sql(f"SELECT id FROM sys_inbox WHERE service_key = '{key}'")
    w.note("inbox", [row["id"] for row in inbox])
    w.outside.open_gate(gate)
    await w.until(holder, "completed")
    await w.until(later, "completed")
    w.note("later saw", await w.ingress("GET", f"/restate/invocation/{later}/output"))


@scenario
async def state_edit_refusals(w: World) -> None:
    """Plain services have no state; unknown services may only be cleared; bodies are checked."""
    w.note("service", await edit(w, "Svc", "k", new_state={"a": [1]}))
    w.note("unknown", await edit(w, "Nope", "k", new_state={"a": [1]}))
    w.note("unknown clear", await edit(w, "Nope", "k", new_state={}))
    w.note("no key", (await w.admin("POST", "/services/Obj/state", {"new_state": {}})).status_code)
    broken = await w.admin(
        "POST", "/services/Obj/state", b"{", headers={"content-type": "application/json"}
    )
    w.note("no json", broken.status_code)


@scenario
async def state_of_a_workflow_is_edited(w: World) -> None:
    """The state of a workflow can be edited too, and its shared handlers see it."""
    key = w.key("k")
    await w.run("run", f"Flow/{key}/run", op("set", k="a", v=1))
    w.note("edit", await edit(w, "Flow", key, new_state={"a": list(b"9")}))
    await settled(w, "Flow", key, "9")
    await w.run("touch", f"Flow/{key}/touch", op("get", k="a"))

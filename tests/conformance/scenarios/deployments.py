"""Deployments: registration in all its forms, versions of a service, pinning, removal."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance import wire
from tests.conformance.endpoints import Setup
from tests.conformance.peers import Behaviour, Request, manifest, peer, respond_frames, service
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.world import World

ONLY_ONCE: tuple[Setup, ...] = (
    "python",
)  # the endpoints here are our own, so one SDK's site is enough


def says(word: str) -> Behaviour:
    """Every invocation answers this word."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        respond_frames(request, writer, wire.output(f'"{word}"'.encode()))

    return behave


async def register(w: World, uri: str, prefix: str = "", **options: Any) -> Any:
    body = {"uri": uri, "use_http_11": True, **options}
    return await w.admin("POST", f"{prefix}/deployments", body)


def note_registered(w: World, step: str, answer: Any) -> None:
    """Status, location and the parts of the body that do not depend on the order of handlers."""
    services = [
        {
            "name": each["name"],
            "revision": each["revision"],
            "ty": each["ty"],
            "handlers": sorted(handler["name"] for handler in each["handlers"]),
        }
        for each in answer.json().get("services", [])
    ]
    seen = {"status": answer.status_code, "id": answer.json().get("id"), "services": services}
    w.note(step, {**seen, "location": answer.headers.get("location")})


def unique(w: World, name: str) -> str:
    """A service name no other scenario uses, normalised away like every key."""
    return w.key(name)


@scenario(setups=ONLY_ONCE)
async def register_new_again_and_by_force(w: World) -> None:
    """New is 201; the same address is 200 and not asked again; force asks and counts a revision."""
    name = unique(w, "Reg")
    async with peer(manifest(service(name, "a")), says("x")) as one:
        note_registered(w, "new", await register(w, one.uri))
        one.manifest = manifest(service(name, "a", "b"))
        note_registered(w, "again", await register(w, one.uri))
        note_registered(w, "with slash", await register(w, one.uri + "/"))
        note_registered(w, "force", await register(w, one.uri, force=True))
        note_registered(w, "v2 without force", await register(w, one.uri, "/v2", force=False))
        note_registered(w, "v2", await register(w, one.uri, "/v2"))
        w.note("v1", (await register(w, one.uri, "/v1")).status_code)


@scenario(setups=ONLY_ONCE)
async def register_dry_run(w: World) -> None:
    """A dry run answers as the real one would, and stores nothing."""
    name = unique(w, "Dry")
    async with peer(manifest(service(name, "a")), says("x")) as one:
        answer = await register(w, one.uri, dry_run=True)
        w.note("dry", {"status": answer.status_code, "services": len(answer.json()["services"])})
        w.note("service", await w.admin("GET", f"/services/{name}"))
        w.note("call", await w.ingress("POST", f"/{name}/a"))
        note_registered(w, "real", await register(w, one.uri))
        note_registered(w, "dry again", await register(w, one.uri, dry_run=True))
        dry_force = await register(w, one.uri, dry_run=True, force=True)
        note_registered(w, "dry force", dry_force)
        row = await w.sql(f"SELECT name, revision FROM sys_service WHERE name = '{name}'")
        w.note("stored", row)


@scenario(setups=ONLY_ONCE)
async def register_breaking_change(w: World) -> None:
    """Changing a service's type needs `breaking` or `force`."""
    name = unique(w, "Brk")
    async with (
        peer(manifest(service(name, "a")), says("x")) as one,
        peer(manifest(service(name, "a", ty="VIRTUAL_OBJECT")), says("y")) as two,
    ):
        note_registered(w, "service", await register(w, one.uri))
        refused = await register(w, two.uri)
        w.note("refused", {"status": refused.status_code, "code": refused.json()["restate_code"]})
        note_registered(w, "breaking", await register(w, two.uri, breaking=True))
        w.note("is an object", await w.ingress("POST", f"/{name}/key/a"))


@scenario(setups=ONLY_ONCE)
async def register_fewer_handlers(w: World) -> None:
    """A new deployment may drop a handler; calling it is 404 from then on."""
    name = unique(w, "Few")
    async with (
        peer(manifest(service(name, "a", "b")), says("old")) as one,
        peer(manifest(service(name, "a")), says("new")) as two,
    ):
        note_registered(w, "two", await register(w, one.uri))
        note_registered(w, "one", await register(w, two.uri))
        w.note("a", await w.ingress("POST", f"/{name}/a"))
        w.note("b", (await w.ingress("POST", f"/{name}/b")).status_code)


@scenario(setups=ONLY_ONCE)
async def register_refusals(w: World) -> None:
    """What cannot be registered, and with which code."""
    bad_names = ("restateThing", "RESTATE", "openapi")
    for name in bad_names:
        await refuse(w, name, manifest(service(name, "a")))
    good = service(unique(w, "Bad"), "a")
    await refuse(w, "unknown field", manifest(good, nonsense=1))
    await refuse(w, "bad handler name", manifest(service(unique(w, "Bad"), "a-b")))
    await refuse(w, "bad service name", manifest(service("1x", "a")))
    await refuse(
        w, "old protocol", {**manifest(good), "minProtocolVersion": 1, "maxProtocolVersion": 4}
    )
    await refuse(w, "too new", {**manifest(good), "minProtocolVersion": 9, "maxProtocolVersion": 9})
    await refuse(
        w, "min above max", {**manifest(good), "minProtocolVersion": 6, "maxProtocolVersion": 5}
    )
    await refuse(w, "no mode", {**manifest(good), "protocolMode": None})
    exclusive = {**good, "handlers": [{"name": "a", "ty": "EXCLUSIVE"}]}
    await refuse(w, "exclusive in a service", manifest(exclusive))
    public = {**good, "ingressPrivate": True, "handlers": [{"name": "a", "ingressPrivate": False}]}
    await refuse(w, "public in private", manifest(public))


async def refuse(w: World, step: str, discovered: dict[str, Any]) -> None:
    async with peer(discovered, says("x")) as one:
        answer = await register(w, one.uri)
        w.note(step, {"status": answer.status_code, "code": answer.json().get("restate_code")})


@scenario(setups=ONLY_ONCE)
async def register_bad_requests(w: World) -> None:
    """Bodies and addresses that make no sense."""
    for step, body in (
        ("relative", {"uri": "localhost"}),
        ("empty", {}),
        ("number", {"uri": 1}),
        ("closed port", {"uri": "http://127.0.0.1:1"}),
    ):
        w.note(step, (await w.admin("POST", "/deployments", body)).status_code)
    for step, headers in (("no json", {"content-type": "application/json"}), ("no type", {})):
        answer = await w.admin("POST", "/deployments", b"{", headers=headers)
        w.note(step, answer.status_code)


@scenario(setups=ONLY_ONCE)
async def deployment_is_shown(w: World) -> None:
    """A deployment's own page, the list, and SQL agree."""
    name = unique(w, "Show")
    async with peer(manifest(service(name, "a")), says("x")) as one:
        extra: dict[str, Any] = {"additional_headers": {"x-a": "1"}, "metadata": {"git": "abc"}}
        dp = (await register(w, one.uri, **extra)).json()["id"]
        answer = await w.admin("GET", f"/deployments/{dp}")
        shown = answer.json()
        w.note("shown", {key: shown[key] for key in sorted(shown) if key != "services"})
        listed = (await w.admin("GET", "/deployments")).json()["deployments"]
        w.note("listed", [each["services"] for each in listed if each["id"] == dp])
        w.note(
            "sql",
            await w.sql(
                "SELECT ty, endpoint, min_service_protocol_version, max_service_protocol_version"
                f" FROM sys_deployment WHERE id = '{dp}'"
            ),
        )
        w.note("unknown", await w.admin("GET", "/deployments/dp_1" + "0" * 22))
        w.note("bad id", (await w.admin("GET", "/deployments/foo")).status_code)


@scenario(setups=ONLY_ONCE)
async def deployment_is_removed(w: World) -> None:
    """Removal needs force; the service falls back to the revision before, or disappears."""
    name = unique(w, "Del")
    async with (
        peer(manifest(service(name, "a")), says("old")) as one,
        peer(manifest(service(name, "a")), says("new")) as two,
    ):
        first = (await register(w, one.uri)).json()["id"]
        second = (await register(w, two.uri)).json()["id"]
        w.note("newest", await w.ingress("POST", f"/{name}/a"))
        w.note("no force", await w.admin("DELETE", f"/deployments/{second}"))
        w.note("force", await w.admin("DELETE", f"/deployments/{second}?force=true"))
        w.note("before", await w.ingress("POST", f"/{name}/a"))
        w.note("revision", (await w.admin("GET", f"/services/{name}")).json()["revision"])
        w.note("last", await w.admin("DELETE", f"/deployments/{first}?force=true"))
        w.note("gone", (await w.ingress("POST", f"/{name}/a")).status_code)
        w.note("unknown", await w.admin("DELETE", f"/deployments/{first}?force=true"))


def two_steps(word: str) -> Behaviour:
    """Sleep until the past or the future, then answer this word; the first entry pins."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.result(1) is not None:
            respond_frames(request, writer, wire.output(f'"{word}"'.encode()))
        elif len(request.journal) > 1:
            respond_frames(request, writer, wire.waiting_for(1))
        else:
            sleep = wire.frame(wire.SLEEP, (1, 2**44), (11, 1))  # in some centuries
            respond_frames(request, writer, sleep, wire.waiting_for(1))

    return behave


@scenario(setups=ONLY_ONCE)
async def deployment_is_pinned(w: World) -> None:
    """What has begun stays on its deployment; new invocations and `latest` take the newest."""
    name = unique(w, "Pin")
    discovered = manifest(service(name, "a"))
    async with (
        peer(discovered, two_steps("old")) as one,
        peer(discovered, two_steps("new")) as two,
    ):
        first = (await register(w, one.uri)).json()["id"]
        inv = await w.send(f"{name}/a")
        await w.until(inv, "suspended")
        second = (await register(w, two.uri)).json()["id"]
        query = f"SELECT pinned_deployment_id AS dp FROM sys_invocation WHERE id = '{inv}'"
        w.note("pinned to the first", (await w.sql(query))[0]["dp"] == first)
        other = await w.send(f"{name}/a")
        await w.until(other, "suspended")
        w.note("attempts", [len(one.attempts) > 0, len(two.attempts) > 0])
        path = f"/invocations/{inv}/resume?deployment=latest"
        w.note("resume", await w.admin("PATCH", path))
        await w.until_rows("pinned to the second", f"{query} AND pinned_deployment_id = '{second}'")
        for each in (inv, other):
            await w.admin("PATCH", f"/invocations/{each}/kill")


@scenario(setups=ONLY_ONCE)
async def deployment_moves_before_the_first_entry(w: World) -> None:
    """An invocation that has stored nothing yet moves to a newer deployment at its next try."""
    name = unique(w, "Hop")
    discovered = manifest(service(name, "a"))

    async def fails(request: Request, writer: asyncio.StreamWriter) -> None:
        respond_frames(request, writer, wire.frame(wire.ERROR, (1, 500), (2, "no"), (8, 100)))

    async with peer(discovered, fails) as one, peer(discovered, says("new")) as two:
        await register(w, one.uri)
        inv = await w.send(f"{name}/a")
        await w.until_rows(
            "failing",
            f"SELECT id FROM sys_invocation WHERE id = '{inv}' AND last_failure IS NOT NULL",
        )
        await register(w, two.uri)
        await w.until(inv, "completed")
        w.note("output", await w.ingress("GET", f"/restate/invocation/{inv}/output"))


@scenario(setups=ONLY_ONCE)
async def deployment_is_changed(w: World) -> None:
    """PATCH moves a deployment to another address or gives it other headers; it keeps its id."""
    name = unique(w, "Chg")
    discovered = manifest(service(name, "a"))
    async with peer(discovered, says("old")) as one, peer(discovered, says("new")) as two:
        dp = (await register(w, one.uri)).json()["id"]
        path = f"/deployments/{dp}"
        w.note("nothing", (await w.admin("PATCH", path, {})).status_code)
        dry = await w.admin("PATCH", path, {"uri": two.uri, "use_http_11": True, "dry_run": True})
        w.note("dry", dry.status_code)
        w.note("before", await w.ingress("POST", f"/{name}/a"))
        moved = await w.admin("PATCH", path, {"uri": two.uri, "use_http_11": True})
        w.note("moved", {"status": moved.status_code, "id": moved.json().get("id")})
        w.note("after", await w.ingress("POST", f"/{name}/a"))
        headers = {"additional_headers": {"x-extra": "yes"}}
        w.note("headers", (await w.admin("PATCH", path, headers)).status_code)
        w.note("again", (await w.ingress("POST", f"/{name}/a")).status_code)
        w.note("sent", two.attempts[-1].headers.get("x-extra"))
        revision = (await w.admin("GET", f"/services/{name}")).json()["revision"]
        w.note("revision", revision)
        unknown = await w.admin("PATCH", "/deployments/dp_1" + "0" * 22, {})
        w.note("unknown", unknown.status_code)


@scenario(setups=ONLY_ONCE)
async def service_is_configured(w: World) -> None:
    """PATCH changes what a service is, until the next registration resets it."""
    name = unique(w, "Cfg")
    async with peer(manifest(service(name, "a")), says("x")) as one:
        await register(w, one.uri)
        path = f"/services/{name}"
        patched = await w.admin(
            "PATCH",
            path,
            {
                "public": False,
                "idempotency_retention": "2h",
                "journal_retention": "PT30M",
                "inactivity_timeout": "5s",
                "abort_timeout": "1m",
            },
        )
        w.note("patched", _settings(patched.json()))
        w.note("private", (await w.ingress("POST", f"/{name}/a")).status_code)
        w.note(
            "workflow field",
            (await w.admin("PATCH", path, {"workflow_completion_retention": "1h"})).status_code,
        )
        bad = await w.admin("PATCH", path, {"inactivity_timeout": "soon"})
        w.note("bad duration", bad.status_code)
        w.note("unknown", (await w.admin("PATCH", "/services/Nope", {"public": True})).status_code)
        await register(w, one.uri, force=True)
        w.note("reset", _settings((await w.admin("GET", path)).json()))


def _settings(shown: dict[str, Any]) -> dict[str, Any]:
    names = (
        "ty",
        "revision",
        "public",
        "idempotency_retention",
        "journal_retention",
        "inactivity_timeout",
        "abort_timeout",
        "enable_lazy_state",
        "workflow_completion_retention",
    )
    return {name: shown[name] for name in names if name in shown}


@scenario
async def services_are_shown(w: World) -> None:
    """What admin and SQL say about the services of an SDK."""
    for name in ("Svc", "Obj", "Flow", "Kill3", "Pause2", "Brief", "Private", "Lazy"):
        shown = (await w.admin("GET", f"/services/{name}")).json()
        policy = {k: v for k, v in shown["retry_policy"].items() if k != "max_interval"}
        handlers = {each["name"]: _handler(each) for each in shown["handlers"]}
        w.note(name, {**_settings(shown), "retry_policy": policy, "handlers": handlers})
    w.note("handler", _handler((await w.admin("GET", "/services/Obj/handlers/look")).json()))
    w.note("unknown handler", (await w.admin("GET", "/services/Obj/handlers/x")).status_code)
    w.note("unknown service", await w.admin("GET", "/services/Nope"))
    rows = await w.sql(
        "SELECT name, public, ty FROM sys_service WHERE name IN"
        " ('Svc', 'Obj', 'Flow', 'Private') ORDER BY name"
    )
    w.note("sql", rows)


def _handler(shown: dict[str, Any]) -> dict[str, Any]:
    names = (
        "ty",
        "public",
        "input_description",
        "output_description",
        "documentation",
        "idempotency_retention",
        "journal_retention",
    )
    return {name: shown[name] for name in names if name in shown}


@scenario
async def admin_odds_and_ends(w: World) -> None:
    """Health, version, unknown routes, wrong methods, and refusals of SQL."""
    w.note("health", await w.admin("GET", "/health"))
    version = (await w.admin("GET", "/version")).json()
    w.note("version", [version["min_admin_api_version"], version["max_admin_api_version"]])
    for prefix in ("/v2", "/v3", "/v4"):
        w.note(prefix, (await w.admin("GET", f"{prefix}/services/Svc")).status_code)
    w.note("v1", (await w.admin("GET", "/v1/services")).status_code)
    w.note("v5", (await w.admin("GET", "/v5/services")).status_code)
    w.note("no route", (await w.admin("GET", "/nope")).status_code)
    w.note("method", (await w.admin("POST", "/services")).status_code)
    w.note("openapi", (await w.admin("GET", "/openapi")).status_code)
    w.note("service openapi", (await w.admin("GET", "/services/Svc/openapi")).status_code)
    w.note("subscriptions", await w.admin("GET", "/subscriptions"))
    for step, query in (
        ("syntax", "SELEC 1"),
        ("empty", ""),
        ("ddl", "CREATE TABLE x (a INT)"),
        ("dml", "DELETE FROM state"),
    ):
        answer = await w.admin(
            "POST", "/query", {"query": query}, headers={"accept": "application/json"}
        )
        w.note(f"query {step}", answer.status_code)

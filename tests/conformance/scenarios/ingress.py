"""The ingress: routes, body rules, headers, and every refusal it knows."""

from __future__ import annotations

from tests.conformance.program import op
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.world import World

JSON = {"content-type": "application/json"}


@scenario
async def ingress_calls(w: World) -> None:
    """A service and an object are called on classic and new routes, with POST and with GET."""
    key = w.key("k")
    w.note("service", await w.ingress("POST", "/Svc/echo", {"a": [1, "x"]}))
    w.note("no argument", await w.ingress("POST", "/Svc/noop"))
    w.note("object", await w.ingress("POST", f"/Obj/{key}/count"))
    w.note("get", await w.ingress("GET", f"/Obj/{key}/count"))
    w.note("new form", await w.ingress("POST", f"/restate/call/Obj/{key}/count"))
    w.note("new form service", await w.ingress("POST", "/restate/call/Svc/echo", 7))
    w.note("trailing slash", await w.ingress("POST", f"/Obj/{key}/count/"))
    w.note("query", await w.ingress("POST", f"/Obj/{key}/count?anything=1"))


@scenario
async def ingress_sends(w: World) -> None:
    """A send is accepted at once on both routes, and runs."""
    key = w.key("k")
    w.note("classic", await w.ingress("POST", f"/Obj/{key}/count/send"))
    second = await w.ingress("POST", f"/restate/send/Obj/{key}/count")
    w.note("new form", second)
    await w.finished("second", second.json()["invocationId"])
    w.note("after", await w.ingress("POST", f"/Obj/{key}/count"))


@scenario
async def ingress_delayed_sends(w: World) -> None:
    """Delays in every spelling are accepted, and show when the invocation will run."""
    key = w.key("k")
    for delay in ("0s", "PT0.2S", "200ms", "1 sec", "1h 30m", "P1D"):
        query = f"?delay={delay}"
        w.note(delay, await w.ingress("POST", f"/Obj/{key}/count/send{query}"))
    w.note("capital", await w.ingress("POST", f"/Obj/{key}/count/send?DELAY=1h"))
    w.note("new form", await w.ingress("POST", f"/restate/send/Obj/{key}/count?delay=1h"))


@scenario
async def ingress_bad_delays(w: World) -> None:
    """A delay that is no duration, or that is given to a call, is refused."""
    key = w.key("k")
    for delay in ("abc", "-5s", "", "1y", "2mo", "10 parsecs"):
        w.note(delay or "empty", await w.ingress("POST", f"/Obj/{key}/count/send?delay={delay}"))
    w.note("on a call", await w.ingress("POST", f"/Obj/{key}/count?delay=1s"))
    w.note("misspelt", await w.ingress("POST", f"/Obj/{key}/count/send?delaySec=1"))
    w.note("bare number", await w.ingress("POST", f"/Obj/{key}/count/send?delay=200"))


@scenario
async def ingress_unknown_targets(w: World) -> None:
    """An unknown service or handler is 404, a private one 400, on calls and sends."""
    for path in (
        "/Nope/run",
        "/Nope/key/run",
        "/Svc/nope",
        "/Obj/k/nope",
        "/Private/run",
        "/Svc/hidden",
    ):
        w.note(f"call {path}", await w.ingress("POST", path, []))
        w.note(f"send {path}", await w.ingress("POST", f"{path}/send", []))
    w.note("new call", await w.ingress("POST", "/restate/call/Nope/run", []))
    w.note("new private", await w.ingress("POST", "/restate/call/Private/run", []))


@scenario
async def ingress_bad_paths(w: World) -> None:
    """Paths with too few, too many or wrong segments are refused."""
    for path in (
        "/x",
        "/Svc",
        "/Svc/echo/extra",
        "/Obj/k",
        "/Obj/k/count/sned",
        "/a/b/c/d/e/f/g/h",
        "/restate/call/Svc",
        "/restate/nope/Svc/echo",
        "/restate/call/Obj/k",
        "/restate/call/Obj/k/count/extra",
        "/openapi",
        "/openapi/x",
    ):
        w.note(path, await w.ingress("POST", path, []))


@scenario
async def ingress_bad_methods(w: World) -> None:
    """Only POST and GET invoke; only GET attaches by id; only POST completes an awakeable."""
    for method in ("PUT", "DELETE", "PATCH", "HEAD"):
        w.note(f"{method} invoke", await w.ingress(method, "/Svc/echo", 1))
    inv = "inv_1" + "0" * 33
    w.note("attach", await w.ingress("POST", f"/restate/invocation/{inv}/attach"))
    w.note("output", await w.ingress("PUT", f"/restate/invocation/{inv}/output"))
    w.note("lookup", await w.ingress("GET", "/restate/lookup"))
    w.note("awakeable", await w.ingress("GET", "/restate/awakeables/sign_1abc/resolve"))


@scenario
async def ingress_body_rules(w: World) -> None:
    """What a body and its content type must be follows the handler's manifest."""
    plain = {"content-type": "text/plain"}
    w.note("json without type", await w.ingress("POST", "/Svc/echo", b"1"))
    w.note("json wrong type", await w.ingress("POST", "/Svc/echo", b"1", headers=plain))
    w.note(
        "json capital",
        await w.ingress("POST", "/Svc/echo", b"1", headers={"content-type": "Application/JSON"}),
    )
    w.note(
        "json parameter",
        await w.ingress(
            "POST", "/Svc/echo", b"1", headers={"content-type": "application/json; charset=utf-8"}
        ),
    )
    w.note("json empty", await w.ingress("POST", "/Svc/echo", b"", headers=JSON))
    w.note("none with body", await w.ingress("POST", "/Svc/noop", b"1"))
    w.note("any", await w.ingress("POST", "/Svc/raw", b"\x00\x01\xff", headers=plain))
    w.note("any without type", await w.ingress("POST", "/Svc/raw", b"abc"))
    w.note("any empty", await w.ingress("POST", "/Svc/raw"))
    w.note("none with type", await w.ingress("POST", "/Svc/noop", b"", headers=JSON))


@scenario
async def ingress_malformed_json(w: World) -> None:
    """The server does not read the body; the SDK's refusal is a terminal failure."""
    answer = await w.ingress("POST", "/Svc/echo", b"{not json", headers=JSON)
    w.note("status", answer.status_code)
    w.note("source", answer.headers.get("x-restate-error-source"))


@scenario
async def ingress_headers_reach_the_handler(w: World) -> None:
    """Request headers are journaled, the first of repeated ones, and hop-by-hop ones are not."""
    names = [
        "x-one",
        "x-restate-ingress-path",
        "idempotency-key",
        "host",
        "connection",
        "authorization",
    ]
    given = {"x-one": "1", "authorization": "Bearer t", "idempotency-key": w.key("i")}
    program = [op("headers", names=names)]
    w.note("headers", await w.ingress("POST", "/Svc/run?q=1", program, headers=given))


@scenario
async def ingress_keys_are_decoded(w: World) -> None:
    """Only the key is percent-decoded; plus stays plus; an empty key is a key."""
    base = w.key("k")
    for shape in ("a%20b", "a+b", "a%2Fb", "%C3%BC", "a%25b"):
        w.note(shape, await w.ingress("POST", f"/Obj/{shape}{base}/count"))
    rows = await w.sql(
        f"SELECT service_key FROM state WHERE service_name = 'Obj' AND service_key LIKE '%{base}'"
    )
    w.note("keys", sorted(row["service_key"] for row in rows))
    w.note("empty", await w.ingress("POST", "/Obj//look", [op("value", v=1)]))
    w.note("not utf-8", await w.ingress("POST", "/Obj/%FF/count"))


@scenario
async def ingress_cors(w: World) -> None:
    """Everything is allowed to every origin."""
    origin = {"origin": "http://example.com"}
    asked = origin | {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-one",
    }
    w.note("preflight", await w.ingress("OPTIONS", "/Svc/echo", headers=asked))
    w.note("simple", await w.ingress("POST", "/Svc/echo", 1, headers=origin))
    w.note("error", await w.ingress("POST", "/Nope/run", 1, headers=origin))
    w.note("no origin", await w.ingress("POST", "/Svc/echo", 1))


@scenario
async def ingress_health(w: World) -> None:
    """Health names the services."""
    answer = await w.ingress("GET", "/restate/health")
    w.note("status", answer.status_code)
    w.note("has ours", {"Svc", "Obj", "Flow"} <= set(answer.json()["services"]))


@scenario
async def ingress_terminal_failures(w: World) -> None:
    """A terminal failure keeps its code, message and metadata; odd codes become 500."""
    for code in (400, 418, 13, 1000, 200, 599):
        await w.run(f"code {code}", "Svc/run", op("fail", message="no", code=code))
    await w.run("metadata", "Svc/run", op("fail", message="dup", metadata={"reason": "twice"}))


@scenario
async def ingress_bad_ids(w: World) -> None:
    """An id that cannot be parsed says why."""
    good = "0" * 33
    for bad in (
        "foo",
        "inv_",
        "inv_1",
        "inv_1abc",
        f"inv_2{good}",
        f"dp_1{good[:22]}",
        f"inv_1{good}0",
        "inv_1" + "!" * 33,
    ):
        w.note(f"attach {bad}", await w.ingress("GET", f"/restate/invocation/{bad}/attach"))
        w.note(f"output {bad}", await w.ingress("GET", f"/restate/output/{bad}"))
    for bad in ("zzz", "sign_1", "sign_1abc", "prom_1abc", f"inv_1{good}"):
        w.note(f"awakeable {bad}", await w.ingress("POST", f"/restate/awakeables/{bad}/resolve", 1))


@scenario
async def ingress_unknown_invocations(w: World) -> None:
    """Output and attach of an id nobody has differ in their source."""
    inv = "inv_1" + "0" * 33
    for path in (
        f"/restate/invocation/{inv}/attach",
        f"/restate/invocation/{inv}/output",
        f"/restate/attach/{inv}",
        f"/restate/output/{inv}",
        f"/restate/workflow/Flow/{w.key('none')}/attach",
        f"/restate/workflow/Flow/{w.key('none')}/output",
        f"/restate/invocation/Svc/run/{w.key('none')}/attach",
        f"/restate/invocation/Obj/k/run/{w.key('none')}/output",
        "/restate/workflow/Nope/k/attach",
        "/restate/workflow/Obj/k/output",
        "/restate/invocation/Nope/run/i/output",
    ):
        w.note(path.replace(inv, "ID"), await w.ingress("GET", path))


@scenario
async def ingress_targets_by_body(w: World) -> None:
    """Attach, output and lookup take their target from a JSON body."""
    key, idem = w.key("k"), w.key("i/ü")
    await w.run("call", f"Obj/{key}/run", op("value", v=1), headers={"idempotency-key": "i"})
    idempotent = {
        "target": "idempotentInvocation",
        "service": "Obj",
        "key": key,
        "handler": "run",
        "idempotencyKey": "i",
    }
    unknown = {**idempotent, "idempotencyKey": idem}
    workflow = {"target": "workflow", "workflowName": "Flow", "workflowKey": key}
    for verb in ("attach", "output", "lookup"):
        w.note(verb, await w.ingress("POST", f"/restate/{verb}", idempotent))
    w.note("unknown output", await w.ingress("POST", "/restate/output", unknown))
    w.note("workflow lookup", await w.ingress("POST", "/restate/lookup", workflow))
    w.note(
        "unknown service",
        await w.ingress("POST", "/restate/lookup", {**idempotent, "service": "Nope"}),
    )


@scenario
async def ingress_bad_target_bodies(w: World) -> None:
    """A body that names no target is refused."""
    for verb in ("attach", "output", "lookup"):
        for body in (b"{", b"{}", b'{"target":"nope"}', b'{"target":"workflow"}'):
            answer = await w.ingress("POST", f"/restate/{verb}", body, headers=JSON)
            w.note(f"{verb} {body.decode()}", answer.status_code)


@scenario
async def ingress_scopes_need_the_experiment(w: World) -> None:
    """Scopes and limit keys are refused by a server without flow control."""
    w.note("scope", await w.ingress("POST", "/restate/scope/s/call/Svc/echo", 1))
    w.note(
        "limit key", await w.ingress("POST", "/Svc/echo", 1, headers={"x-restate-limit-key": "a"})
    )
    w.note("limit query", await w.ingress("POST", "/Svc/echo?limit-key=a", 1))

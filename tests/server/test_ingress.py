"""The ingress: routes, headers, answers (http-api.md A1, A2, A4)."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from rtour import ids
from rtour.engine.actions import Accepted, Finished, NotFound, NotReady
from rtour.engine.commands import Attach, GetOutput, Invoke, Signal
from rtour.engine.model import FromIngress, RequestSink, Trace
from rtour.protocol.messages import Failure, Header, Value
from rtour.server.preconditions import idempotent_id, workflow_id
from tests.server.errors_of_ingress import refused
from tests.server.rooms import NOW, Rooms

INV = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000000"
DELAY = "bad delay query parameter, must be a ISO8601 duration: "
DAY_MS = 86_400_000


async def test_call(rooms: Rooms) -> None:
    """A call invokes with all that the request says and answers with the handler's bytes."""
    response = await rooms.ingress.post("/Greeter/greet", json="Ada")
    invoke = rooms.last
    assert isinstance(invoke, Invoke)
    assert (response.status_code, response.content) == (200, b'"hi"')
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-restate-id"] == invoke.id
    assert "idempotency-expires" not in response.headers
    assert str(invoke.target) == "Greeter/greet"
    assert invoke.source == FromIngress()
    assert (invoke.body, invoke.start_at) == (b'"Ada"', None)
    assert invoke.sink == RequestSink(1001)


async def test_keyless_call_gets_a_key(rooms: Rooms) -> None:
    """Services and objects called without a key get a random ULID, so results are kept."""
    await rooms.ingress.get("/Greeter/none")
    first = rooms.last
    await rooms.ingress.get("/Greeter/none")
    second = rooms.last
    assert isinstance(first, Invoke)
    assert isinstance(second, Invoke)
    assert first.idempotency_key is not None
    assert re.fullmatch(r"01[0-9A-HJKMNP-TV-Z]{24}", first.idempotency_key)
    assert first.idempotency_key != second.idempotency_key
    assert first.id == idempotent_id("Greeter", None, "none", first.idempotency_key)
    assert (first.completion_retention_ms, first.journal_retention_ms) == (DAY_MS, DAY_MS)


async def test_idempotency_key(rooms: Rooms) -> None:
    """The same key on the same target is the same invocation; an empty one counts."""
    ids_seen = set()
    for key in ("k", "k", ""):
        await rooms.ingress.get("/Counter/a/get", headers={"idempotency-key": key})
        assert isinstance(rooms.last, Invoke)
        assert rooms.last.idempotency_key == key
        ids_seen.add(rooms.last.id)
    assert ids_seen == {
        idempotent_id("Counter", "a", "get", "k"),
        idempotent_id("Counter", "a", "get", ""),
    }


async def test_retention_of_a_handler(rooms: Rooms) -> None:
    """A handler's idempotency retention bounds how long its journal is kept."""
    await rooms.ingress.get("/Greeter/brief", headers={"idempotency-key": "k"})
    assert isinstance(rooms.last, Invoke)
    assert rooms.last.completion_retention_ms == 5000
    assert rooms.last.journal_retention_ms == 5000


@pytest.mark.parametrize(
    ("segment", "key"),
    [("a", "a"), ("", ""), ("a%2Fb", "a/b"), ("a+b", "a+b"), ("%C3%BC%20x", "ü x")],
)
async def test_keys(rooms: Rooms, segment: str, key: str) -> None:
    """Keys are percent-decoded, `+` stays, an empty key is one."""
    response = await rooms.ingress.get(f"/Counter/{segment}/get")
    assert response.status_code == 200
    assert isinstance(rooms.last, Invoke)
    assert rooms.last.target.key == key


async def test_workflow_run(rooms: Rooms) -> None:
    """A workflow's run has the id of its key and takes no idempotency key."""
    await rooms.ingress.post("/Flow/k/run", json="x")
    assert isinstance(rooms.last, Invoke)
    assert rooms.last.id == workflow_id("Flow", "k")
    assert rooms.last.idempotency_key is None
    response = await rooms.ingress.post("/Flow/k/run", json="x", headers={"idempotency-key": "a"})
    assert refused(response) == (
        400,
        (
            "cannot use the idempotency key with workflow handlers. "
            "The handler invocation will already be idempotent by the workflow key itself."
        ),
    )
    await rooms.ingress.get("/Flow/k/peek", headers={"idempotency-key": "a"})
    assert isinstance(rooms.last, Invoke)
    assert rooms.last.id == idempotent_id("Flow", "k", "peek", "a")


PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "parent",
    ["junk" * 14, "00-aa-bb-01", f"ff{PARENT[2:]}", f"00-{'0' * 32}-00f067aa0ba902b7-01"],
)
async def test_a_trace_that_is_none_is_not_taken_for_one(rooms: Rooms, parent: str) -> None:
    """The handler sees the header, the invocation belongs to no trace."""
    await rooms.ingress.get("/Greeter/none", headers={"traceparent": parent})
    assert isinstance(rooms.last, Invoke)
    assert Header("traceparent", parent) in rooms.last.headers
    assert rooms.last.trace is None


async def test_headers_forwarded(rooms: Rooms) -> None:
    """The path comes first, the first of repeated headers wins, ours stay with us."""
    await rooms.ingress.get(
        "/Greeter/none?q=1",
        headers=[
            ("x-a", "1"),
            ("x-a", "2"),
            ("idempotency-key", "k"),
            ("idempotency-expires", "never"),
            ("traceparent", PARENT),
            ("tracestate", "s=1"),
            ("authorization", "Bearer t"),
        ],
    )
    assert isinstance(rooms.last, Invoke)
    headers = rooms.last.headers
    assert headers[0] == Header("x-restate-ingress-path", "/Greeter/none?q=1")
    names = [header.key for header in headers]
    assert Header("x-a", "1") in headers
    assert Header("x-a", "2") not in headers
    assert {"traceparent", "tracestate", "authorization"} <= set(names)
    assert not {"host", "connection", "idempotency-key", "idempotency-expires"} & set(names)
    assert rooms.last.trace == Trace(PARENT, "s=1")


async def test_header_not_ascii(rooms: Rooms) -> None:
    """Header values must be ASCII."""
    response = await rooms.ingress.get("/Greeter/none", headers={b"x-foo": "é".encode()})
    assert refused(response) == (400, "bad header x-foo: ToStrError { _priv: () }")


@pytest.mark.parametrize("path", ["/Greeter/none/send", "/restate/send/Greeter/none"])
async def test_send(rooms: Rooms, path: str) -> None:
    """A send is answered with its id as soon as it is stored."""
    response = await rooms.ingress.post(path)
    invoke = rooms.last
    assert isinstance(invoke, Invoke)
    assert response.status_code == 202
    assert response.headers["x-restate-id"] == invoke.id
    assert response.json() == {"invocationId": invoke.id, "status": "Accepted"}
    assert (invoke.sink, invoke.accept_request_id) == (None, 1001)


@pytest.mark.parametrize(
    ("query", "delay_ms"),
    [
        ("delay=10s", 10_000),
        ("DELAY=PT5M", 300_000),
        ("delay=1%20hour%2030m", 5_400_000),
        ("delay=1+hour", 3_600_000),
        ("delay=0s", 0),
        ("delay=1500", 1500),  # superset, for the Python client
        ("delay=1500ms", 1500),
    ],
)
async def test_delay(rooms: Rooms, query: str, delay_ms: int) -> None:
    """A delayed send starts later and says when, with nine digits."""
    response = await rooms.ingress.post(f"/Greeter/none/send?{query}")
    assert isinstance(rooms.last, Invoke)
    assert rooms.last.start_at == NOW + delay_ms
    if delay_ms == 0:
        assert response.json()["executionTime"] == "2026-11-24T02:21:16.154000000Z"


async def test_previously_accepted(rooms: Rooms) -> None:
    """A repeated send says so, and when it runs."""
    rooms.processor.answers = lambda command: Accepted(INV, previously=True, execution_time=NOW)
    response = await rooms.ingress.post("/Greeter/none/send")
    assert response.json() == {
        "invocationId": INV,
        "executionTime": "2026-11-24T02:21:16.154000000Z",
        "status": "PreviouslyAccepted",
    }


async def test_unknown_query_is_ignored(rooms: Rooms) -> None:
    """Parameters that mean nothing change nothing."""
    response = await rooms.ingress.get("/Greeter/none?delaySec=5")
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("failure", "status", "body"),
    [
        (Failure(403, "refused"), 403, {"code": 403, "message": "refused"}),
        (Failure(13, "low"), 500, {"code": 13, "message": "low"}),
        (Failure(1000, "high"), 500, {"code": 1000, "message": "high"}),
        (Failure(200, "odd"), 200, {"code": 200, "message": "odd"}),
        (Failure(409, "cancelled"), 409, {"code": 409, "message": "cancelled"}),
        (
            Failure(400, "m", (("reason", "dup"),)),
            400,
            {"code": 400, "message": "m", "metadata": {"reason": "dup"}},
        ),
    ],
)
async def test_failed_invocations(
    rooms: Rooms, failure: Failure, status: int, body: dict[str, Any]
) -> None:
    """A terminal failure is the invocation's word: its code, if HTTP has such a status."""
    rooms.processor.answers = lambda command: Finished(INV, failure)
    response = await rooms.ingress.get("/Greeter/none")
    assert refused(response, "invocation") == (status, failure.message)
    assert response.json() == body | {"source": "invocation"}
    assert response.headers["x-restate-id"] == INV


async def test_stored_result_says_until_when(rooms: Rooms) -> None:
    """What is read from storage carries its expiry; without a body there is no content type."""
    rooms.processor.answers = lambda command: Finished(INV, Value(b""), NOW + DAY_MS)
    response = await rooms.ingress.get("/Greeter/any")
    assert response.headers["idempotency-expires"] == "2026-11-25T02:21:16.154+00:00"
    assert "content-type" not in response.headers


@pytest.mark.parametrize(
    ("method", "path", "body", "id_"),
    [
        ("GET", f"/restate/invocation/{INV}/VERB", None, INV),
        ("GET", f"/restate/VERB/{INV}", None, INV),
        ("GET", "/restate/invocation/Greeter/greet/a%20b/VERB", None,
         idempotent_id("Greeter", None, "greet", "a%20b")),
        ("GET", "/restate/invocation/Counter/k%2F/add/zz/VERB", None,
         idempotent_id("Counter", "k/", "add", "zz")),
        ("GET", "/restate/workflow/Flow/k/VERB", None, workflow_id("Flow", "k")),
        ("POST", "/restate/VERB", {"target": "invocation", "invocationId": INV}, INV),
        ("POST", "/restate/VERB",
         {"target": "workflow", "workflowName": "Flow", "workflowKey": "k"},
         workflow_id("Flow", "k")),
        ("POST", "/restate/VERB",
         {"target": "idempotentInvocation", "service": "Counter", "key": "k", "handler": "add",
          "idempotencyKey": "zz"}, idempotent_id("Counter", "k", "add", "zz")),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("verb", "command"), [("attach", Attach), ("output", GetOutput)])
async def test_results_by_every_route(
    rooms: Rooms,
    method: str,
    path: str,
    body: dict[str, str] | None,
    id_: str,
    verb: str,
    command: type,
) -> None:
    """Attach and output find the invocation by id, by key, and by body."""
    response = await rooms.ingress.request(method, path.replace("VERB", verb), json=body)
    assert response.status_code == 200
    assert rooms.last == command(id_, RequestSink(1001))


async def test_results_missing(rooms: Rooms) -> None:
    """Not yet is 470, never is 404: of the ingress for output, of the invocation for attach."""
    rooms.processor.answers = lambda command: NotReady(INV)
    response = await rooms.ingress.get(f"/restate/output/{INV}")
    assert refused(response) == (470, "the invocation exists but has not completed yet")
    assert "x-restate-id" not in response.headers
    rooms.processor.answers = lambda command: NotFound(INV)
    response = await rooms.ingress.get(f"/restate/output/{INV}")
    assert refused(response) == (404, "invocation not found")
    response = await rooms.ingress.get(f"/restate/attach/{INV}")
    assert refused(response, "invocation") == (404, "not found")
    assert response.headers["x-restate-id"] == INV


async def test_lookup(rooms: Rooms) -> None:
    """An id is computed without a look at what exists."""
    target = {"target": "workflow", "workflowName": "Nope", "workflowKey": "k"}
    response = await rooms.ingress.post("/restate/lookup", json=target)
    assert response.json() == {"invocationId": workflow_id("Nope", "k")}
    assert rooms.processor.commands == []


@pytest.mark.parametrize(("path", "what"), [("lookup", "lookup"), ("attach", "request")])
async def test_bodies_that_do_not_parse(rooms: Rooms, path: str, what: str) -> None:
    """A target that is none is a 500, as with the official server."""
    response = await rooms.ingress.post(f"/restate/{path}", content=b"")
    status, message = refused(response)
    assert status == 500
    assert message.startswith(f"cannot read body: invalid {what} body: ")


@pytest.mark.parametrize("prefix", ["/restate/awakeables", "/restate/a"])
async def test_awakeables(rooms: Rooms, prefix: str) -> None:
    """Resolving signals the body, rejecting a failure with the body as its text."""
    awakeable = ids.awakeable_id(INV, 17)
    response = await rooms.ingress.post(f"{prefix}/{awakeable}/resolve", content=b"1")
    assert (response.status_code, response.content) == (202, b"")
    assert "content-type" not in response.headers
    assert rooms.last == Signal(INV, 17, Value(b"1"), 1001)
    await rooms.ingress.post(f"{prefix}/{awakeable}/reject", content=b"no")
    assert rooms.last == Signal(INV, 17, Failure(500, "no"), 1002)


@pytest.mark.parametrize("path", ["/restate/health", "/restate/health/a/b/c/d/e/f/g"])
async def test_health(rooms: Rooms, path: str) -> None:
    """Health lists the services, whatever follows in the path."""
    response = await rooms.ingress.get(path)
    assert response.json() == {"services": ["Counter", "Flow", "Greeter", "Secret"]}


async def test_cors(rooms: Rooms) -> None:
    """Everything is open: credentials always, the origin echoed, preflights answered."""
    response = await rooms.ingress.get("/nope", headers={"origin": "http://o"})
    assert response.status_code == 400
    assert response.headers["access-control-allow-origin"] == "http://o"
    assert response.headers["access-control-allow-credentials"] == "true"
    assert response.headers["vary"].startswith("origin, access-control-request-method")
    response = await rooms.ingress.options(
        "/x",
        headers={
            "origin": "http://o",
            "access-control-request-method": "PUT",
            "access-control-request-headers": "x-a, x-b",
        },
    )
    assert response.status_code == 200
    assert response.headers["access-control-allow-methods"] == "PUT"
    assert response.headers["access-control-allow-headers"] == "x-a, x-b"


async def test_callers_of_a_crowded_service_are_told_to_come_back() -> None:
    """Calls alone: sends are stored and wait their turn, other services are served."""
    rooms = await Rooms().registered()
    rooms.crowded.add("Greeter")
    response = await rooms.ingress.get("/Greeter/none")
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert (await rooms.ingress.get("/Greeter/none/send")).status_code == 202
    assert (await rooms.ingress.get("/Counter/k/get")).status_code == 200


async def test_overload() -> None:
    """Beyond the limit of waiting requests clients are told to come back."""
    rooms = await Rooms(pending_max=1).registered()
    rooms.processor.answers = lambda command: None
    waiting = asyncio.get_running_loop().create_task(rooms.ingress.get("/Greeter/none"))
    while rooms.requests.pending == 0:
        await asyncio.sleep(0)
    response = await rooms.ingress.get("/Greeter/none")
    message = "too many requests, the ingress is overloaded. Retry later."
    assert refused(response) == (429, message)
    assert response.headers["retry-after"] == "1"
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert rooms.requests.pending == 0

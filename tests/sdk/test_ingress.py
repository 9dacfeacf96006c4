"""The ingress client: what it sends, what it makes of answers, and what it sends again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pydantic
import pytest

import rtour
from rtour.sdk.ingress import Client, HttpError, Retries, SyncClient

service = rtour.Service("Greeter")
counter = rtour.VirtualObject("Counter")
workflow = rtour.Workflow("Signup")


class Order(pydantic.BaseModel):
    item: str


@service.handler()
async def greet(ctx: rtour.Context, name: str) -> str:
    return name


@service.handler()
async def buy(ctx: rtour.Context, order: Order) -> Order:
    return order


@counter.handler()
async def reset(ctx: rtour.ObjectContext) -> None: ...


@counter.handler()
async def add(ctx: rtour.ObjectContext, n: int) -> int:
    return n


@workflow.main()
async def run(ctx: rtour.WorkflowContext, name: str) -> str:
    return name


Answer = httpx.Response | Exception


class Ingress:
    """Answers requests from a list, and remembers them."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = list(answers) or [httpx.Response(200, content=b'"ok"')]
        self.client = Client(
            httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url="http://r"),
            Retries(initial_s=0),
        )
        self.sync_client = SyncClient(
            httpx.Client(transport=httpx.MockTransport(self._answer), base_url="http://r"),
            Retries(initial_s=0),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    @property
    def line(self) -> str:
        """Method and raw target of the last request."""
        request = self.requests[-1]
        return f"{request.method} {request.url.raw_path.decode()}"


Ask = Callable[[Client], Any]
SENT = httpx.Response(202, json={"invocationId": "inv_1x", "status": "Accepted"})

REQUESTS: dict[str, tuple[Ask, str]] = {
    "service": (lambda c: c.service_call(greet, "Ada"), "POST /Greeter/greet"),
    "object": (lambda c: c.object_call(add, "k", 1), "POST /Counter/k/add"),
    "key with slash": (lambda c: c.object_call(add, "k/é", 1), "POST /Counter/k%2F%C3%A9/add"),
    "workflow": (lambda c: c.workflow_call(run, "w", "x"), "POST /Signup/w/run"),
    "generic": (lambda c: c.generic_call("S", "h", b"", key="a b"), "POST /S/a%20b/h"),
    "attach": (
        lambda c: c.attach("inv_1x", type_hint=str),
        "GET /restate/invocation/inv_1x/attach",
    ),
    "output": (lambda c: c.output("inv_1x"), "GET /restate/invocation/inv_1x/output"),
    "workflow attach": (
        lambda c: c.workflow_attach(run, "w/1"),
        "GET /restate/workflow/Signup/w%2F1/attach",
    ),
    "workflow output": (
        lambda c: c.workflow_output(run, "w"),
        "GET /restate/workflow/Signup/w/output",
    ),
    "request attach": (
        lambda c: c.request_attach(greet, "once"),
        "GET /restate/invocation/Greeter/greet/once/attach",
    ),
    "request output": (
        lambda c: c.request_output(add, "once", key="k"),
        "GET /restate/invocation/Counter/k/add/once/output",
    ),
    "resolve": (
        lambda c: c.resolve_awakeable("sign_1x", {"a": 1}),
        "POST /restate/awakeables/sign_1x/resolve",
    ),
    "reject": (
        lambda c: c.reject_awakeable("sign_1x", "no"),
        "POST /restate/awakeables/sign_1x/reject",
    ),
    "scope": (
        lambda c: c.scope("t", "a/b").object_call(add, "k", 1),
        "POST /restate/scope/t/call/Counter/k/add",
    ),
}


@pytest.mark.parametrize(("ask", "line"), REQUESTS.values(), ids=REQUESTS)
async def test_requests(ask: Ask, line: str) -> None:
    """Each question has its path; keys are encoded as one segment. Both clients ask alike."""
    ingress = Ingress()
    await ask(ingress.client)
    assert ingress.line == line
    if "scope" not in line:
        ask(ingress.sync_client)  # type: ignore[arg-type]
        assert (len(ingress.requests), ingress.line) == (2, line)


SENDS: dict[str, tuple[Ask, str]] = {
    "send": (lambda c: c.service_send(greet, "Ada"), "POST /Greeter/greet/send"),
    "delayed": (
        lambda c: c.object_send(add, "k", 1, send_delay=timedelta(minutes=1)),
        "POST /Counter/k/add/send?delay=60000ms",
    ),
    "submit": (lambda c: c.workflow_submit(run, "w", "x"), "POST /Signup/w/run/send"),
    "generic": (
        lambda c: c.generic_send("S", "h", b"", send_delay=timedelta(seconds=1)),
        "POST /S/h/send?delay=1000ms",
    ),
    "scoped": (
        lambda c: c.scope("t").object_send(add, "k", 1, send_delay=timedelta(seconds=1)),
        "POST /restate/scope/t/send/Counter/k/add?delay=1000ms",
    ),
}


@pytest.mark.parametrize(("ask", "line"), SENDS.values(), ids=SENDS)
async def test_sends(ask: Ask, line: str) -> None:
    """A send says whom it started; its delay has a unit, which the server insists on."""
    ingress = Ingress(SENT)
    result = await ask(ingress.client)
    assert ingress.line == line
    if "scope" not in line:
        assert ask(ingress.sync_client) == result  # type: ignore[arg-type]
    assert (result.invocation_id, result.status_code) == ("inv_1x", 202)


async def test_bodies_and_headers() -> None:
    """Typed by the handler; no content type without an input; the caller's dict stays his."""
    ingress = Ingress(httpx.Response(200, content=b'{"item":"tea"}'))
    mine = {"x-mood": "calm"}
    order = await ingress.client.service_call(buy, Order(item="tea"), "once", mine)
    assert order == Order(item="tea")
    request = ingress.requests[-1]
    assert request.content == b'{"item":"tea"}'
    assert request.headers["content-type"] == "application/json"
    assert (request.headers["idempotency-key"], request.headers["x-mood"]) == ("once", "calm")
    assert mine == {"x-mood": "calm"}
    await Ingress(httpx.Response(200)).client.object_call(reset, "k")
    ingress = Ingress(httpx.Response(200))
    assert await ingress.client.object_call(reset, "k") is None
    assert "content-type" not in ingress.requests[-1].headers


async def test_not_ready_is_none() -> None:
    """`output` does not wait and does not raise for what is not finished."""
    ingress = Ingress(httpx.Response(470, json={"message": "not completed yet"}))
    assert await ingress.client.output("inv_1x") is None
    assert await ingress.client.workflow_output(run, "w") is None


async def test_errors_tell_their_source() -> None:
    """The invocation's own failure is durable, and never asked for again."""
    failure = httpx.Response(
        503,
        json={"code": 503, "message": "closed"},
        headers={"x-restate-error-source": "invocation"},
    )
    ingress = Ingress(failure)
    with pytest.raises(HttpError, match="503: closed") as caught:
        await ingress.client.service_call(greet, "Ada", "once")
    assert (caught.value.status_code, caught.value.durable) == (503, True)
    assert len(ingress.requests) == 1


BUSY = httpx.Response(503, text="busy")
OK = httpx.Response(200, content=b'"ok"')


@pytest.mark.parametrize(
    ("first", "key", "requests"),
    [
        (BUSY, "once", 2),
        (BUSY, None, 1),
        (httpx.Response(404, text="?"), "once", 1),
        (httpx.ConnectError("refused"), None, 2),
        (httpx.ReadError("cut"), "once", 2),
        (httpx.ReadError("cut"), None, 1),
    ],
)
async def test_retries(first: Answer, key: str | None, requests: int) -> None:
    """What may have started is repeated only with an idempotency key."""
    ingress = Ingress(first, OK)
    if requests == 1:
        with pytest.raises((HttpError, httpx.TransportError)):
            await ingress.client.service_call(greet, "Ada", key)
    else:
        assert await ingress.client.service_call(greet, "Ada", key) == "ok"
    assert len(ingress.requests) == requests


async def test_retries_end() -> None:
    """After the attempts of the policy the last failure is raised."""
    ingress = Ingress(BUSY)
    with pytest.raises(HttpError, match="busy"):
        await ingress.client.service_call(greet, "Ada", "once")
    assert len(ingress.requests) == Retries().attempts


def test_the_synchronous_client_is_the_same() -> None:
    """Same questions, same answers, no event loop."""
    ingress = Ingress(BUSY, OK)
    assert ingress.sync_client.service_call(greet, "Ada", "once") == "ok"
    assert ingress.sync_client.workflow_attach(run, "w") == "ok"
    assert ingress.line == "GET /restate/workflow/Signup/w/attach"
    sent = Ingress(SENT).sync_client.object_send(add, "k", 1, send_delay=timedelta(seconds=1))
    assert sent.invocation_id == "inv_1x"


def test_both_clients_have_the_same_methods() -> None:
    """Neither falls behind, scopes excepted."""

    def public(cls: type) -> set[str]:
        return {name for name in dir(cls) if not name.startswith("_")}

    assert public(Client) - public(SyncClient) == {"scope"}
    assert public(SyncClient) <= public(Client)


async def test_create_client() -> None:
    """The documented way to get one, async and sync."""
    async with rtour.create_client("http://127.0.0.1:1", retries=Retries(attempts=1)) as client:
        with pytest.raises(httpx.ConnectError):
            await client.service_call(greet, "Ada")
    with (
        rtour.create_sync_client(
            "http://127.0.0.1:1", timeout=timedelta(seconds=1), retries=Retries(attempts=1)
        ) as sync_client,
        pytest.raises(httpx.ConnectError),
    ):
        sync_client.service_call(greet, "Ada")

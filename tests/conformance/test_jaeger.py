"""The seed's checkout in Jaeger itself: its query API tells what its pages show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.conformance import jaeger
from tests.conformance.jaeger import Jaeger, Span
from tests.conformance.program import op
from tests.conformance.servers import QUICK
from tests.conformance.sites import combinations, site
from tests.conformance.test_traces import CHECKOUT, CLIENT, OFFICIAL, TRACE_ID, TRACEPARENT
from tests.conformance.waiting import eventually

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(
        not jaeger.available(),
        reason="no Jaeger in .oracles: python -m tests.conformance.jaeger builds it",
    ),
]
SITES = combinations(("python", "typescript"))
OURS = [each for each in SITES if each.values[0][0] == "rtour"]
COMMANDS = {
    ("Call CheckoutService/handle", "invocation-attempt CartObject/{key}/checkout"),
    ("ClearState tickets", "invocation-attempt CartObject/{key}/checkout"),
    ("Run payment", "invocation-attempt CheckoutService/handle"),
    ("SetState status", "invocation-attempt TicketObject/{key}/markAsSold"),
    ("Sleep nap", "invocation-attempt Svc/run"),
}


class Shown(msgspec.Struct, frozen=True):
    """A site, and the Jaeger that its server exports to."""

    jaeger: Jaeger
    ingress_url: str

    async def post(self, path: str, body: Any = None) -> None:
        """Invoke a handler in the client's trace."""
        async with httpx.AsyncClient(timeout=30) as client:
            sent = {} if body is None else {"json": body}
            answer = await client.post(self.ingress_url + path, headers=TRACEPARENT, **sent)
        assert answer.status_code == 200, answer.text

    async def spans(self, last: str) -> list[Span]:
        """The client's trace once the end of `last` is in it."""
        return await eventually(
            f"Jaeger has the end of {last}",
            lambda: self.jaeger.trace(TRACE_ID),
            lambda spans: any(s["operationName"] == f"invocation-end {last}" for s in spans),
            within_s=60,
        )


@pytest.fixture
async def shown(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shown]:
    kind, setup = request.param
    async with jaeger.jaeger(tmp_path / "jaeger") as running:
        env = {**QUICK, "RESTATE_TRACING_ENDPOINT": running.otlp_url}
        async with site(kind, setup, tmp_path, env) as here:
            yield Shown(running, here.server.ingress_url)


def parent(span: Span) -> str:
    """The id of the span above, from the references that Jaeger keeps."""
    above = [each["spanID"] for each in span["references"] if each["refType"] == "CHILD_OF"]
    return above[0] if above else ""


@pytest.mark.parametrize("shown", SITES, indirect=True)
async def test_the_checkout_is_one_trace(shown: Shown) -> None:
    """Every invocation is below its caller, of both servers alike."""
    await shown.post("/CartObject/mary/addTicket", "seat2B")
    await shown.post("/CartObject/mary/checkout")
    spans = await shown.spans("CartObject/{key}/checkout")
    assert len(await shown.jaeger.services()) == 1
    names = {span["spanID"]: span["operationName"] for span in spans} | {CLIENT: "client"}
    both = [span for span in spans if span["operationName"].startswith(OFFICIAL)]
    both = [s for s in both if s["operationName"].endswith(("checkout", "handle", "markAsSold"))]
    assert {(names.get(parent(span)), span["operationName"]) for span in both} == CHECKOUT


@pytest.mark.parametrize("shown", OURS, indirect=True)
async def test_calls_state_runs_and_sleeps_have_their_times(shown: Shown) -> None:
    """Each is a span below its attempt, as long as it took, within what waited for it."""
    await shown.post("/CartObject/mary/addTicket", "seat2B")
    await shown.post("/CartObject/mary/checkout")
    await shown.post("/Svc/run", [op("sleep", ms=300, name="nap")])
    spans = await shown.spans("Svc/run")
    names = {span["spanID"]: span["operationName"] for span in spans}
    found = {span["operationName"]: span for span in spans}
    placed = {(span["operationName"], names.get(parent(span))) for span in spans}
    assert placed >= COMMANDS
    nap_us = found["Sleep nap"]["duration"]
    assert 290_000 < nap_us < 30_000_000  # its service rounded the start to a millisecond
    call, payment = found["Call CheckoutService/handle"], found["Run payment"]
    assert call["startTime"] <= payment["startTime"]
    assert ended(payment) <= ended(call) <= ended(found["ingress CartObject/{key}/checkout"])


def ended(span: Span) -> int:
    """When, in microseconds since the epoch."""
    moment: int = span["startTime"] + span["duration"]
    return moment

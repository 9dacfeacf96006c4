"""Traces of both servers, with both SDKs, as a real OTLP collector gets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.conformance.endpoints import THEATRES
from tests.conformance.program import op
from tests.conformance.servers import QUICK
from tests.conformance.sites import combinations, site
from tests.conformance.waiting import eventually
from tests.conformance.world import Site, World
from tests.tracing.collector import Collected, Told, grpc_collector, http_collector

TRACE_ID, CLIENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE_ID}-{CLIENT}-01"}

# Who is below whom in a checkout, on both servers; below attempts rtour adds one span per command.
# Where every wait is a suspension there are more attempts, all in the same place.
CHECKOUT = {
    ("client", "ingress CartObject/{key}/checkout"),
    ("ingress CartObject/{key}/checkout", "invocation-start CartObject/{key}/checkout"),
    ("invocation-start CartObject/{key}/checkout", "invocation-attempt CartObject/{key}/checkout"),
    ("invocation-start CartObject/{key}/checkout", "invocation-end CartObject/{key}/checkout"),
    ("invocation-attempt CartObject/{key}/checkout", "invocation-start CheckoutService/handle"),
    ("invocation-start CheckoutService/handle", "invocation-attempt CheckoutService/handle"),
    ("invocation-start CheckoutService/handle", "invocation-end CheckoutService/handle"),
    (
        "invocation-attempt CartObject/{key}/checkout",
        "invocation-start TicketObject/{key}/markAsSold",
    ),
    (
        "invocation-start TicketObject/{key}/markAsSold",
        "invocation-attempt TicketObject/{key}/markAsSold",
    ),
    (
        "invocation-start TicketObject/{key}/markAsSold",
        "invocation-end TicketObject/{key}/markAsSold",
    ),
}
# The spans of commands that both SDKs make the same way.
COMMANDS = [
    ("Call CheckoutService/handle", "CartObject"),
    ("Call TicketObject/{key}/markAsSold", "CartObject"),
    ("ClearState tickets", "CartObject"),
    ("Run payment", "CheckoutService"),
    ("Run mail", "CheckoutService"),
    ("SetState status", "TicketObject"),
]
# The official server tells commands as events only.
OURS = [each for each in combinations(THEATRES) if each.values[0][0] == "rtour"]
OFFICIAL = ("ingress ", "invocation-")


class Traced(msgspec.Struct, frozen=True):
    """A site and the collector its server exports to."""

    site: Site
    collected: Collected
    client: httpx.AsyncClient

    async def post(self, path: str, body: str = "") -> None:
        typed = {"content-type": "application/json"} if body else {}
        answer = await self.client.post(
            self.site.server.ingress_url + path, content=body, headers=TRACEPARENT | typed
        )
        assert answer.status_code == 200, answer.text

    async def ended(self, name: str) -> None:
        """Wait until the end of an invocation was exported; the official server takes its time."""
        end = f"invocation-end {name}"
        await asyncio.to_thread(
            self.collected.until, lambda spans: any(span.name == end for span in spans), 40
        )


@pytest.fixture(params=combinations(THEATRES))
async def traced(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Traced]:
    kind, setup = request.param
    with grpc_collector() as collected:
        env = {**QUICK, "RESTATE_TRACING_ENDPOINT": collected.uri}
        async with site(kind, setup, tmp_path, env) as here, httpx.AsyncClient() as client:
            yield Traced(here, collected, client)


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[Traced]:
    with http_collector() as collected:
        env = {**QUICK, "RESTATE_TRACING_ENDPOINT": collected.uri}
        async with site("rtour", "python", tmp_path, env) as here, httpx.AsyncClient() as client:
            yield Traced(here, collected, client)


async def test_a_checkout_is_one_trace(traced: Traced) -> None:
    """The client's trace holds every invocation, parents above children, with times that fit."""
    await traced.post("/CartObject/mary/addTicket", '"seat2B"')
    await traced.post("/CartObject/mary/checkout")
    await traced.ended("CartObject/{key}/checkout")
    collected = traced.collected
    names = {span.span_id: span.name for span in collected.spans} | {CLIENT: "client"}
    both = [each for each in collected.spans if each.name.startswith(OFFICIAL)]
    both = [each for each in both if each.name.endswith(("checkout", "handle", "markAsSold"))]
    assert {(names[span.parent_id], span.name) for span in both} == CHECKOUT
    assert {span.trace_id for span in both} == {TRACE_ID}
    paying = collected.named("invocation-attempt CheckoutService/handle")
    assert paying[-1].status == "ok"
    events = [event for span in paying for event in span.events]
    assert ("run_ended", {"restate.journal.notification.id": "CompletionId: 1"}) in events
    told = [details for name, details in events if name == "new_command"]
    commands = [each.get("restate.journal.command.name") for each in told]
    assert commands[:3] == ["payment_id", "payment", "mail"]
    selling = collected.named("invocation-attempt CartObject/{key}/checkout")
    assert selling[0].start <= paying[0].start <= paying[-1].end <= selling[-1].end
    assert paying[0].attributes["rpc.system"] == "restate"
    assert paying[0].attributes["restate.deployment.id"] == traced.site.deployment_id


@pytest.mark.parametrize("traced", OURS, indirect=True)
async def test_every_command_has_a_span(traced: Traced) -> None:
    """Calls, state and side effects have spans of their own below their attempt, with times."""
    await traced.post("/CartObject/mary/addTicket", '"seat2B"')
    await traced.post("/CartObject/mary/checkout")
    await traced.ended("CartObject/{key}/checkout")
    by_id = {span.span_id: span for span in traced.collected.spans}
    for name, service in COMMANDS:
        span = traced.collected.named(name)[-1]
        # Where every wait is a suspension, a later attempt makes the later commands.
        attempt = by_id[span.parent_id]
        assert attempt.name.startswith(f"invocation-attempt {service}/")
        assert span.trace_id == TRACE_ID
        assert attempt.start <= span.start <= span.end
    (call,) = traced.collected.named("Call CheckoutService/handle")
    (payment,) = traced.collected.named("Run payment")
    assert call.start <= payment.start <= payment.end <= call.end


async def test_one_trace_through_a_sleep_and_a_killed_server(ours: Traced) -> None:
    """What a server's next life adds is in the same trace, below the same start span."""
    server = ours.site.server
    async with httpx.AsyncClient() as client:
        world = World(ours.site, client)
        id_ = await world.send(
            "Svc/run", op("sleep", ms=2000, name="nap"), op("run", name="after", tag="t", v=1)
        )
        start = await asyncio.to_thread(
            ours.collected.until, lambda spans: [s for s in spans if "invocation-start" in s.name]
        )
        server.kill()
        await server.start()
        await ours.ended("Svc/run")
        rows = await server.sql(f"SELECT trace_id FROM sys_invocation WHERE id = '{id_}'")
    (begun,) = [span for span in start if span.name == "invocation-start Svc/run"]
    (nap,) = ours.collected.named("Sleep nap")
    (run,) = ours.collected.named("Run after")
    (end,) = ours.collected.named("invocation-end Svc/run")
    assert {span.trace_id for span in (begun, nap, run, end)} == {rows[0]["trace_id"]}
    assert nap.parent_id == end.parent_id == begun.span_id
    assert 1900 < nap.ms < 60_000


async def test_retries_are_spans_with_their_error(ours: Traced) -> None:
    """Each failed attempt is one, and says what went wrong."""
    ours.site.outside.switch("payment-fails mary", on=True)
    await ours.post("/CartObject/mary/addTicket", '"seat2B"')
    checkout = asyncio.ensure_future(ours.post("/CartObject/mary/checkout"))  # noqa: TID251
    attempt = "invocation-attempt CheckoutService/handle"

    async def failed() -> list[Told]:
        return [span for span in ours.collected.named(attempt) if span.status == "error"]

    first = (await eventually("two failures", failed, lambda spans: len(spans) >= 2))[0]
    ours.site.outside.switch("payment-fails mary", on=False)
    await checkout
    await ours.ended("CartObject/{key}/checkout")
    assert first.message == "transient failure"
    event, details = first.events[-1]
    assert event == "exception"
    assert "payment" in details["exception.message"]
    assert ours.collected.named(attempt)[-1].status == "ok"
    (run,) = ours.collected.named("Run payment")
    assert run.end > ours.collected.named(attempt)[-1].start

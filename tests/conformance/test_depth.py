"""How deep awaited futures may nest, on both servers, from the wire to the views."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.conformance import wire
from tests.conformance.peers import Request, manifest, peer, respond_frames, service
from tests.conformance.servers import Server
from tests.conformance.sites import kinds, standing_site
from tests.conformance.waiting import eventually
from tests.conformance.world import Site

DEEPEST = 1001
"""Futures in one another, the outermost counted."""

FIRST_COMPLETED = 1
WITH_NESTING = {"RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7": "true"}


@pytest.fixture(scope="module", params=kinds())
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("depth")
    with standing_site(request.param, "python", folder, WITH_NESTING) as here:
        yield here


def suspension(depth: int) -> bytes:
    """Wait for completion 1 or cancellation, below so many futures."""
    future = wire.message((1, wire.varint(1)), (2, wire.varint(1)), (5, FIRST_COMPLETED))
    for _ in range(depth - 1):
        future = wire.message((4, future), (5, FIRST_COMPLETED))
    return wire.frame(wire.SUSPENSION, (4, future))


@asynccontextmanager
async def waiting(server: Server, depth: int) -> AsyncIterator[str]:
    """The id of an invocation that waits so deep for a sleep, and ends when it is told anything."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        if any(kind in wire.NOTIFICATIONS for kind, _ in request.journal):
            respond_frames(request, writer, wire.output(b'"woken"'))
        else:
            asleep = wire.frame(wire.SLEEP, (1, 4_102_444_800_000), (11, 1))
            respond_frames(request, writer, asleep, suspension(depth))

    name = f"Deep{secrets.token_hex(4)}"
    speaks = manifest(service(name, "run"), minProtocolVersion=7, maxProtocolVersion=7)
    async with peer(speaks, behave) as one, httpx.AsyncClient(timeout=30) as client:
        deployment = await server.register(one.uri, use_http_11=True)
        sent = await client.post(f"{server.ingress_url}/{name}/run/send")
        yield sent.json()["invocationId"]
        await client.delete(f"{server.admin_url}/deployments/{deployment}?force=true")


async def _until(server: Server, id_: str, status: str) -> dict[str, str]:
    query = (
        "SELECT status, completion_result, suspended_waiting_future_json AS tree"
        f" FROM sys_invocation WHERE id = '{id_}' AND status = '{status}'"
    )
    return (await eventually(f"it is {status}", lambda: server.sql(query)))[0]


async def test_the_deepest_future_is_waited_for(shared: Site) -> None:
    """It is stored, shown whole, and wakes the invocation when the innermost thing happens."""
    async with waiting(shared.server, DEEPEST) as id_, httpx.AsyncClient() as client:
        row = await _until(shared.server, id_, "suspended")
        assert row["tree"].count('{"FirstCompleted":[') == DEEPEST
        assert '[{"Single":{"CompletionId":1}},{"Single":{"SignalIndex":1}}]' in row["tree"]
        url = f"{shared.server.admin_url}/invocations/{id_}/cancel"
        assert (await client.patch(url)).status_code == 202
        assert (await _until(shared.server, id_, "completed"))["completion_result"] == "success"


async def test_a_deeper_future_pauses(shared: Site) -> None:
    """The same code would wait as deep again: it is not tried again."""
    async with waiting(shared.server, DEEPEST + 1) as id_, httpx.AsyncClient() as client:
        await _until(shared.server, id_, "paused")
        url = f"{shared.server.admin_url}/invocations/{id_}/kill"
        assert (await client.patch(url)).status_code == 200

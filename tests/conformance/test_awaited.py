"""What a service may say it waits for, and how both servers show it: combined futures and none."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.conformance import wire
from tests.conformance.peers import Request, manifest, peer, respond_frames, service
from tests.conformance.servers import QUICK
from tests.conformance.sites import kinds, standing_site
from tests.conformance.waiting import eventually
from tests.conformance.world import Site

WITH_V7 = {**QUICK, "RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7": "true"}
FIRST_COMPLETED, ALL_COMPLETED = 1, 2


@pytest.fixture(scope="module", params=kinds())
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("awaited")
    with standing_site(request.param, "python", folder, WITH_V7) as here:
        yield here


def future(
    completions: tuple[int, ...] = (),
    signals: tuple[int, ...] = (),
    nested: tuple[bytes, ...] = (),
    combinator: int = FIRST_COMPLETED,
) -> bytes:
    leaves = [(1, wire.varint(each)) for each in completions]
    leaves += [(2, wire.varint(each)) for each in signals]
    return wire.message(*leaves, *[(4, each) for each in nested], (5, combinator))


SLEEPS = b"".join(wire.frame(wire.SLEEP, (1, 4_102_444_800_000), (11, each)) for each in (11, 12))
EMPTY = future()


@asynccontextmanager
async def invoked(site: Site, version: int, *answer: bytes) -> AsyncIterator[str]:
    """The id of an invocation whose every attempt is answered with these frames."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        respond_frames(request, writer, *answer)

    name = f"Awaits{secrets.token_hex(4)}"
    speaks = manifest(service(name, "run"), maxProtocolVersion=version)
    async with peer(speaks, behave) as one, httpx.AsyncClient(timeout=30) as client:
        deployment = await site.server.register(one.uri, use_http_11=True)
        sent = await client.post(f"{site.server.ingress_url}/{name}/run/send")
        id_ = sent.json()["invocationId"]
        yield id_
        await client.patch(f"{site.server.admin_url}/invocations/{id_}/kill")
        await client.delete(f"{site.server.admin_url}/deployments/{deployment}?force=true")


@pytest.mark.parametrize(
    ("version", "answer"),
    [
        pytest.param(6, wire.frame(wire.SUSPENSION), id="flat"),
        pytest.param(7, wire.frame(wire.SUSPENSION), id="no tree"),
        pytest.param(7, wire.frame(wire.SUSPENSION, (4, b"")), id="an empty tree"),
        pytest.param(7, wire.frame(wire.SUSPENSION, (4, EMPTY)), id="a node without leaves"),
        pytest.param(
            7, SLEEPS + wire.frame(wire.SUSPENSION, (4, future((11,), (), (EMPTY,)))), id="within"
        ),
        pytest.param(7, wire.frame(wire.AWAITING_ON) + wire.output(b"1"), id="awaiting no tree"),
        pytest.param(
            7, wire.frame(wire.AWAITING_ON, (1, EMPTY)) + wire.output(b"1"), id="awaiting nothing"
        ),
    ],
)
async def test_waiting_for_nothing_fails_the_attempt(
    shared: Site, version: int, answer: bytes
) -> None:
    """It would never be woken: the attempt broke the protocol, and the next may be better."""
    async with invoked(shared, version, answer) as id_:
        query = (
            "SELECT last_failure_error_code AS code FROM sys_invocation"
            f" WHERE id = '{id_}' AND retry_count > 1"
        )
        (row,) = await eventually("it was tried again", lambda: shared.server.sql(query))
        assert row["code"] == "RT0012"


@pytest.mark.parametrize(
    ("tree", "leaves", "completions", "signals"),
    [
        pytest.param(future((12, 11), (17, 1)), 4, [12, 11], [17, 1], id="flat"),
        pytest.param(future((11, 11), (1,)), 3, [11, 11], [1], id="twice"),
        pytest.param(
            future((), (1,), (future((11,)), future((12,)))), 3, [], [1], id="beside combinations"
        ),
        pytest.param(future((), (), (future((11,)), future((12,), (17,)))), 3, [], [], id="within"),
        pytest.param(
            future((11,), (), (future((12,), (), (), ALL_COMPLETED),), ALL_COMPLETED),
            2,
            [11],
            [],
            id="all",
        ),
    ],
)
async def test_columns_name_what_is_awaited_directly(
    shared: Site, tree: bytes, leaves: int, completions: list[int], signals: list[int]
) -> None:
    """What lies within a combination is only in the tree; the order is the service's."""
    async with invoked(shared, 7, SLEEPS, wire.frame(wire.SUSPENSION, (4, tree))) as id_:
        query = (
            "SELECT suspended_waiting_for_completions AS completions,"
            " suspended_waiting_for_signals AS signals, suspended_waiting_future_json AS tree"
            f" FROM sys_invocation WHERE id = '{id_}' AND status = 'suspended'"
        )
        (row,) = await eventually("it is suspended", lambda: shared.server.sql(query))
        assert (row["completions"], row["signals"]) == (completions, signals)
        assert row["tree"].count('"Single"') == leaves

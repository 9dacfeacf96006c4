"""Endpoints that break the protocol in every way; meanwhile everyone else is served."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest

from tests.conformance import wire
from tests.conformance.peers import (
    Behaviour,
    Peer,
    Request,
    manifest,
    peer,
    respond,
    respond_frames,
    service,
)
from tests.conformance.sites import kinds, standing_site
from tests.conformance.waiting import eventually
from tests.conformance.world import Site

MIB = 1024 * 1024


@pytest.fixture(scope="module", params=kinds())
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with standing_site(request.param, "python", tmp_path_factory.mktemp("peers")) as here:
        yield here


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as one:
        yield one


# Ways to misbehave


async def hangs(request: Request, writer: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""
    await asyncio.Event().wait()


async def leaves(request: Request, writer: asyncio.StreamWriter) -> None:
    """Close the connection before any answer."""
    writer.close()


async def no_http(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    writer.close()


async def garbage(request: Request, writer: asyncio.StreamWriter) -> None:
    respond_frames(request, writer, bytes(range(256)))


async def unknown_control_frame(request: Request, writer: asyncio.StreamWriter) -> None:
    respond_frames(request, writer, wire.frame(0x00AA))


async def half_a_frame(request: Request, writer: asyncio.StreamWriter) -> None:
    respond_frames(request, writer, wire.output(b'"cut"')[:12])


async def half_a_body(request: Request, writer: asyncio.StreamWriter) -> None:
    """Promise more bytes than come."""
    kind = request.headers["content-type"]
    head = {"content-type": kind, "content-length": "1000"}
    respond(writer, 200, wire.frame(wire.RUN, (11, 1), (12, "r")), **head)
    writer.close()


async def nothing_at_all(request: Request, writer: asyncio.StreamWriter) -> None:
    """A good head and an empty body: no frame says how it ended."""
    respond_frames(request, writer)


async def huge_frame(request: Request, writer: asyncio.StreamWriter) -> None:
    """Announce a frame of 1 GiB."""
    respond_frames(request, writer, wire.frame(wire.OUTPUT)[:4] + (1024 * MIB).to_bytes(4, "big"))


async def wrong_content_type(request: Request, writer: asyncio.StreamWriter) -> None:
    respond(writer, 200, wire.output(b"1"), **{"content-type": "text/html"})


async def too_many_requests(request: Request, writer: asyncio.StreamWriter) -> None:
    respond(writer, 429, b"", **{"retry-after": "0"})


async def server_error(request: Request, writer: asyncio.StreamWriter) -> None:
    respond(writer, 500, b"<h1>oops</h1>", **{"content-type": "text/html"})


async def sends_a_notification(request: Request, writer: asyncio.StreamWriter) -> None:
    """Notifications are the server's to send."""
    respond_frames(request, writer, wire.frame(0x800C, (1, 1), (4, b"")))


async def old_http(request: Request, writer: asyncio.StreamWriter) -> None:
    """Answer in HTTP/1.0, whose body ends with the connection; a correct result all the same."""
    kind = request.headers["content-type"]
    writer.write(f"HTTP/1.0 200 OK\r\ncontent-type: {kind}\r\n\r\n".encode())
    writer.write(wire.output(b'"done"'))
    writer.close()


async def never_closes(request: Request, writer: asyncio.StreamWriter) -> None:
    """Say all there is to say, and leave the response open."""
    kind = request.headers["content-type"]
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
    body = wire.output(b'"done"')
    writer.write(head.encode() + f"{len(body):x}\r\n".encode() + body + b"\r\n")
    await writer.drain()
    await asyncio.Event().wait()


async def dribbles(request: Request, writer: asyncio.StreamWriter) -> None:
    """A correct answer, one byte at a time."""
    kind = request.headers["content-type"]
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n"
    for byte in head.encode() + wire.output(b'"done"'):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    writer.close()


class Case(msgspec.Struct, frozen=True):
    """A way to misbehave, and the codes a server may file the failed attempt under."""

    behaviour: Behaviour
    codes: frozenset[str | None]


def case(behaviour: Behaviour, *codes: str | None) -> Any:
    name = getattr(behaviour, "__name__", "case")
    return pytest.param(Case(behaviour, frozenset(codes)), id=name)


FAILING = [
    case(hangs, "RT0001"),
    case(leaves, "RT0010"),
    case(no_http, "RT0010"),
    case(garbage, "RT0012", "RT0003"),
    case(unknown_control_frame, "RT0012"),
    case(half_a_frame, "RT0007", "RT0012"),
    case(half_a_body, "RT0010", "RT0007", "RT0012"),
    case(nothing_at_all, "RT0007", "RT0012"),
    case(huge_frame, "RT0003"),
    case(wrong_content_type, "RT0012"),
    case(too_many_requests, "RT0023"),
    case(server_error, "RT0012"),
    case(sends_a_notification, "RT0012"),
]
WELL_MEANT = [never_closes, dribbles]


@asynccontextmanager
async def registered(
    site: Site, behaviour: Behaviour, **more: Any
) -> AsyncIterator[tuple[str, Peer]]:
    """A service that behaves like this, impatient enough for a test; gone afterwards."""
    name = f"Peer{secrets.token_hex(4)}"
    impatient: dict[str, Any] = {"inactivityTimeout": 200, "abortTimeout": 300}
    async with peer(manifest(service(name, "run", **impatient), **more), behaviour) as one:
        deployment_id = await site.server.register(one.uri, use_http_11=True)
        yield name, one
        async with httpx.AsyncClient() as client:
            await client.delete(f"{site.server.admin_url}/deployments/{deployment_id}?force=true")


@asynccontextmanager
async def others_are_served(site: Site, client: httpx.AsyncClient) -> AsyncIterator[None]:
    """While the block runs, another service answers all the time."""
    over = asyncio.Event()
    url = f"{site.server.ingress_url}/Svc/echo"

    async def ask() -> int:
        served = 0
        while not over.is_set() or served == 0:
            answer = await client.post(url, json=served, timeout=20)
            assert (answer.status_code, answer.json()) == (200, served)
            served += 1
        return served

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask())
        try:
            yield
        finally:
            over.set()
    assert asking.result() > 0


async def _send(site: Site, client: httpx.AsyncClient, name: str) -> str:
    answer = await client.post(f"{site.server.ingress_url}/{name}/run/send")
    assert answer.status_code == 202, answer.text
    invocation_id: str = answer.json()["invocationId"]
    return invocation_id


async def _until_completed(site: Site, invocation_id: str) -> dict[str, Any]:
    query = (
        "SELECT completion_result, completion_failure FROM sys_invocation"
        f" WHERE id = '{invocation_id}' AND status = 'completed'"
    )
    return (await eventually("it completes", lambda: site.server.sql(query)))[0]


@pytest.mark.parametrize("one_case", FAILING)
async def test_a_bad_attempt_is_retried(
    shared: Site, client: httpx.AsyncClient, one_case: Case
) -> None:
    """A broken answer fails the attempt under its code, and the next attempt may be better."""
    mended = False

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        if mended:
            respond_frames(request, writer, wire.output(b'"mended"'))
        else:
            await one_case.behaviour(request, writer)

    async with registered(shared, behave) as (name, one), others_are_served(shared, client):
        invocation_id = await _send(shared, client, name)
        query = (
            "SELECT last_failure_error_code AS code, last_failure FROM sys_invocation"
            f" WHERE id = '{invocation_id}' AND last_failure IS NOT NULL"
        )
        row = (await eventually("the attempt fails", lambda: shared.server.sql(query)))[0]
        assert row.get("code") in one_case.codes, row
        await eventually("it is retried", _count(one), lambda attempts: attempts > 1)
        mended = True
        assert (await _until_completed(shared, invocation_id))["completion_result"] == "success"


def _count(one: Peer) -> Any:
    async def ask() -> int:
        return len(one.attempts)

    return ask


@pytest.mark.parametrize("behaviour", WELL_MEANT)
async def test_an_odd_answer_counts(
    shared: Site, client: httpx.AsyncClient, behaviour: Behaviour
) -> None:
    """What is complete is accepted, however oddly it comes, and at its first attempt."""
    async with registered(shared, behaviour) as (name, one), others_are_served(shared, client):
        answer = await client.post(f"{shared.server.ingress_url}/{name}/run")
        assert (answer.status_code, answer.json()) == (200, "done")
        assert len(one.attempts) == 1


async def test_a_version_that_is_not_enabled_is_never_spoken(
    shared: Site, client: httpx.AsyncClient
) -> None:
    """Version 7 could be spoken and is not enabled: registered, retried, and never called."""
    only_7 = {"minProtocolVersion": 7, "maxProtocolVersion": 8}
    async with registered(shared, leaves, **only_7) as (name, one):
        invocation_id = await _send(shared, client, name)
        query = (
            "SELECT status, last_failure_error_code AS code, last_failure FROM sys_invocation"
            f" WHERE id = '{invocation_id}' AND retry_count > 1"
        )
        row = (await eventually("it is retried", lambda: shared.server.sql(query)))[0]
        assert (row["status"], row["code"]) == ("backing-off", "RT0013")
        assert "versions [7, 8]" in row["last_failure"]
        assert one.attempts == []
        await client.patch(f"{shared.server.admin_url}/invocations/{invocation_id}/kill")


@pytest.mark.parametrize(("low", "high"), [(8, 9), (1, 4)])
async def test_a_version_that_nobody_speaks_is_refused(
    shared: Site, client: httpx.AsyncClient, low: int, high: int
) -> None:
    """What this server could not speak whatever its settings is not registered."""
    speaks = manifest(service("Other", "run"), minProtocolVersion=low, maxProtocolVersion=high)
    async with peer(speaks, leaves) as one:
        url = f"{shared.server.admin_url}/deployments"
        refused = await client.post(url, json={"uri": one.uri, "use_http_11": True})
    assert (refused.status_code, refused.json()["restate_code"]) == (500, "META0012")


async def test_http_1_0_is_understood_or_named(shared: Site, client: httpx.AsyncClient) -> None:
    """An answer in HTTP/1.0 counts, or the failure says that this is what was wrong."""
    async with registered(shared, old_http) as (name, _), others_are_served(shared, client):
        invocation_id = await _send(shared, client, name)
        query = (
            "SELECT completion_result AS result, last_failure, last_failure_error_code AS code"
            f" FROM sys_invocation WHERE id = '{invocation_id}'"
            " AND (status = 'completed' OR last_failure IS NOT NULL)"
        )
        row = (await eventually("it ends or fails", lambda: shared.server.sql(query)))[0]
        if row.get("result") is None:
            assert (row["code"], "HTTP/1.0" in row["last_failure"]) == ("RT0010", True)
        else:
            assert row["result"] == "success"


async def test_an_end_without_output(shared: Site, client: httpx.AsyncClient) -> None:
    """It ends as a failure, after one attempt, and the server lives on."""
    if shared.server.kind == "official":
        pytest.skip("the official server (1.7.12) panics at this, and again at every start")

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        respond_frames(request, writer, wire.frame(wire.END))

    async with registered(shared, behave) as (name, one), others_are_served(shared, client):
        invocation_id = await _send(shared, client, name)
        row = await _until_completed(shared, invocation_id)
        assert row["completion_result"] == "failure"
        assert row["completion_failure"].startswith("[500]")
        assert len(one.attempts) == 1


async def test_many_bad_peers_at_once(shared: Site, client: httpx.AsyncClient) -> None:
    """Fifty invocations that hang do not keep others from being served."""
    async with registered(shared, hangs) as (name, one), others_are_served(shared, client):
        ids = [await _send(shared, client, name) for _ in range(50)]
        await eventually("all have been tried", _count(one), lambda attempts: attempts >= 50)
        for each in ids:
            answer = await client.patch(f"{shared.server.admin_url}/invocations/{each}/kill")
            assert answer.status_code == 200


@pytest.mark.parametrize("answer", [b"", b"[]", b"{", b"null", b'{"services": 1}'])
async def test_a_bad_discovery_is_refused(
    shared: Site, client: httpx.AsyncClient, answer: bytes
) -> None:
    """An answer that is no manifest registers nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        kind = "application/vnd.restate.endpointmanifest.v4+json"
        respond(writer, 200, answer, **{"content-type": kind})
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        uri = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        refused = await client.post(
            f"{shared.server.admin_url}/deployments", json={"uri": uri, "use_http_11": True}
        )
    assert refused.status_code == 500, refused.text
    assert refused.json()["message"]

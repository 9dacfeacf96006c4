"""Endpoints and servers are killed at the worst moments: nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.program import op, ref
from tests.conformance.servers import Kind
from tests.conformance.sites import combinations, kinds, site, standing_site
from tests.conformance.waiting import eventually
from tests.conformance.world import Site, World

COUNTERS = 200
ROUNDS = 3
QUEUED = 40


@pytest.fixture(scope="module", params=combinations())
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    kind, setup = request.param
    with standing_site(kind, setup, tmp_path_factory.mktemp("crashes")) as here:
        yield here


@pytest.fixture(params=kinds())
async def own(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """A site of one's own, whose server may be killed."""
    kind: Kind = request.param
    async with site(kind, "python", tmp_path) as here:
        yield here


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=30, limits=limits) as one:
        yield one


async def test_steps_survive_a_killed_endpoint(shared: Site, client: httpx.AsyncClient) -> None:
    """An endpoint killed inside its second step repeats that one, never the first."""
    w = World(shared, client)
    first, second, third = w.key("first"), w.key("second"), w.key("third")
    invocation_id = await w.send(
        f"Obj/{w.key('k')}/run",
        op("run", name="first", tag=first, v=1),
        op("set", k="a", v=1),
        op("run", name="second", tag=second, gate=w.key("gate"), v=2),
        op("run", name="third", tag=third, v=3),
        op("get", k="a"),
    )
    await w.outside.effect(second)
    shared.endpoint.kill()
    w.outside.open_gate(w.key("gate"))
    await shared.endpoint.start()
    await w.until(invocation_id, "completed", within_s=30)
    assert await _output(w, invocation_id) == [1, None, 2, 3, 1]
    assert [len(w.outside.effects(tag)) for tag in (first, second, third)] == [1, 2, 1]


async def test_an_absent_endpoint_is_waited_for(shared: Site, client: httpx.AsyncClient) -> None:
    """Calls made while the endpoint is down are kept and retried until it is back."""
    w = World(shared, client)
    key = w.key("k")
    shared.endpoint.kill()
    answer = await w.ingress("POST", f"/Obj/{key}/count/send")
    invocation_id = answer.json()["invocationId"]
    query = f"SELECT id FROM sys_invocation WHERE id = '{invocation_id}'"
    await w.until_rows("it fails", f"{query} AND last_failure_error_code = 'RT0010'")
    await shared.endpoint.start()
    await w.until(invocation_id, "completed", within_s=30)
    assert await _output(w, invocation_id) == 1


async def _output(w: World, invocation_id: str) -> Any:
    answer = await w.ingress("GET", f"/restate/invocation/{invocation_id}/output")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def count_up(
    here: Site, client: httpx.AsyncClient, key: str, acknowledged: list[str]
) -> list[int]:
    """Add one, a few times, each time under its own idempotency key until it is acknowledged."""
    sums = []
    for number in range(ROUNDS):
        headers = {"idempotency-key": f"{key}/{number}"}
        url = f"{here.server.ingress_url}/Obj/{key}/count"

        async def ask(url: str = url, headers: dict[str, str] = headers) -> int | None:
            try:
                answer = await client.post(url, headers=headers)
            except httpx.TransportError:
                return None  # the server is gone or going; the same request is sent again
            return int(answer.json()) if answer.status_code == 200 else None

        total = await eventually(
            f"{key} round {number}", ask, lambda total: total is not None, within_s=90
        )
        assert total is not None
        sums.append(total)
        acknowledged.append(key)
    return sums


async def test_counters_survive_a_killed_server(own: Site, client: httpx.AsyncClient) -> None:
    """200 clients count on 200 keys while the server is killed twice; every sum is right."""
    run = secrets.token_hex(4)
    keys = [f"{run}-{number}" for number in range(COUNTERS)]
    acknowledged: list[str] = []
    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(count_up(own, client, key, acknowledged)) for key in keys]
        for kill_at in (COUNTERS // 2, COUNTERS * 3 // 2):
            await _reaches(acknowledged, kill_at)
            own.server.kill()
            await own.server.start()
    assert [one.result() for one in clients] == [list(range(1, ROUNDS + 1))] * COUNTERS
    rows = await own.server.sql(
        "SELECT value_utf8 FROM state WHERE service_name = 'Obj' AND key = 'count'"
        f" AND service_key LIKE '{run}-%'"
    )
    assert [row["value_utf8"] for row in rows] == [str(ROUNDS)] * COUNTERS


async def _reaches(acknowledged: list[str], count: int) -> None:
    async def ask() -> int:
        return len(acknowledged)

    await eventually(f"{count} acknowledged", ask, lambda now: now >= count, within_s=60)


class Pending:
    """One invocation of every kind that waits for something, made before the crash."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.ids: dict[str, str] = {}

    async def begin(self) -> None:
        w = self.w
        woken = op("run", name="woken", tag=w.key("woken"), v="woken")
        before = op("run", name="before", tag=w.key("before"), v="before")
        self.ids["asleep"] = await w.send("Quick/run", before, op("sleep", ms=3000), woken)
        self.ids["delayed"] = await w.send(
            "Svc/run", op("run", name="d", tag=w.key("delayed"), v=1), query="?delay=3s"
        )
        self.ids["awaiting"] = await w.send(
            "Quick/run", op("awakeable", tag=w.key("id"), into="a"), op("await", of=ref("a"))
        )
        self.ids["calling"] = await w.send(
            "Quick/run",
            op(
                "call",
                svc="QuickObj",
                handler="run",
                key=w.key("c"),
                arg=[op("sleep", ms=3000), op("value", v="called")],
            ),
        )
        self.ids["promised"] = await w.send(
            f"Flow/{w.key('flow')}/run", op("promise_get", name="go")
        )
        for name in ("asleep", "awaiting", "calling", "promised"):
            await w.until(self.ids[name], "suspended")

    async def queue_up(self) -> None:
        """One holder of a key that waits at a gate, and many behind it."""
        w = self.w
        tag = w.key("order")
        self.ids["holder"] = await w.send(
            f"Obj/{w.key('queue')}/run",
            op("run", name="h", tag=tag, v=0),
            op("gate", name=w.key("gate")),
        )
        await w.outside.effect(tag)
        for number in range(QUEUED):
            step = op("effect", tag=w.key("queue"), text=str(number))
            self.ids[f"queued {number}"] = await w.send(f"Obj/{w.key('queue')}/run", step)

    async def finish(self) -> None:
        """Give everyone what they wait for, and wait until all have ended."""
        w = self.w
        w.outside.open_gate(w.key("gate"))
        awakeable = w.outside.effects(w.key("id"))[0]
        await w.ingress("POST", f"/restate/awakeables/{awakeable}/resolve", "resolved")
        promise = op("promise_resolve", name="go", v="promised")
        await w.ingress("POST", f"/Flow/{w.key('flow')}/touch", [promise])
        for invocation_id in self.ids.values():
            await w.until(invocation_id, "completed", within_s=60)


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_what_waits_survives_the_server(
    own: Site, client: httpx.AsyncClient, how: str
) -> None:
    """Sleeps, delayed sends, a full inbox, awakeables, calls and promises outlive their server."""
    w = World(own, client)
    pending = Pending(w)
    await pending.begin()
    await pending.queue_up()
    if how == "killed":
        own.server.kill()
    else:
        own.server.stop()
    await own.server.start()
    await pending.finish()
    outputs = {name: await _output(w, each) for name, each in pending.ids.items()}
    assert outputs["asleep"] == ["before", None, "woken"]
    assert outputs["awaiting"][-1] == "resolved"
    assert outputs["calling"] == [[None, "called"]]
    assert outputs["promised"] == ["promised"]
    once = ("before", "woken", "delayed", "order")
    assert [len(w.outside.effects(w.key(tag))) for tag in once] == [1] * len(once)
    served = list(dict.fromkeys(w.outside.effects(w.key("queue"))))
    assert served == [str(number) for number in range(QUEUED)]


async def test_nothing_is_run_twice_at_once(own: Site, client: httpx.AsyncClient) -> None:
    """After a crash the key's lock is still held: the queue moves only when its holder ended."""
    w = World(own, client)
    pending = Pending(w)
    await pending.queue_up()
    own.server.kill()
    await own.server.start()
    statuses = [await w.status(pending.ids[f"queued {number}"]) for number in range(QUEUED)]
    assert statuses == ["pending"] * QUEUED
    assert await w.status(pending.ids["holder"]) == "running"
    assert w.outside.effects(w.key("queue")) == []

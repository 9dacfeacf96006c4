"""Deployments that are Lambda functions: `rtour lambda-local` behind both servers."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.endpoints import REPOSITORY, Outside
from tests.conformance.processes import Child, free_port
from tests.conformance.program import op
from tests.conformance.servers import Kind, Server
from tests.conformance.sites import kinds
from tests.conformance.test_scale import connections_to, family
from tests.conformance.waiting import eventually

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
MINUTE_MS = 60_000
SERVICES = "tests.conformance.services.python.function:app"


class Function:
    """A server, and a function on this machine that it knows."""

    def __init__(self, server: Server, child: Child, port: int, name: str) -> None:
        self.server = server
        self.child = child
        self.port = port
        self.arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}:latest"

    @property
    def processes(self) -> int:
        """How many handle an event, or wait for one."""
        lambda_local = family(self.child._process.pid)[1]
        return len(family(lambda_local)) - 1

    async def holds_nothing(self) -> None:
        """Wait until no process handles an event, and nothing is connected to Lambda's API."""
        await eventually("no process left", _is(lambda: self.processes == 0))
        await eventually("no connection left", _is(lambda: connections_to(self.port) == 0))

    async def register(self) -> str:
        async with httpx.AsyncClient(timeout=60) as client:
            answer = await client.post(
                f"{self.server.admin_url}/deployments", json={"arn": self.arn}
            )
        assert answer.status_code == 201, answer.text
        id_: str = answer.json()["id"]
        return id_


@asynccontextmanager
async def function(kind: Kind, handler: str, folder: Path, *flags: str) -> AsyncIterator[Function]:
    outside = Outside(folder)
    port = free_port()
    command = [str(Path(sys.executable).parent / "rtour"), "lambda-local", handler]
    env = {"CONFORMANCE_OUTSIDE": str(outside.folder)}
    log = folder / "lambda.log"
    child = Child([*command, "--port", str(port), "--name", "fn", *flags], log, env, REPOSITORY)
    url = f"http://127.0.0.1:{port}"
    settings = {"AWS_ENDPOINT_URL_LAMBDA": url, "RTOUR_DEV_CLOCK": "true"}
    server = Server(kind, folder / "server", CREDENTIALS | settings)
    try:

        async def listens() -> bool:
            assert child.running, child.log_tail()
            return "Serving" in child.log_tail()

        await eventually("the function is served", listens)
        await server.start()
        yield Function(server, child, port, "fn")
    finally:
        server.stop()
        child.stop()


@pytest.mark.parametrize("kind", kinds())
async def test_a_function_serves_as_a_deployment(kind: Any, tmp_path: Path) -> None:
    """Registered by its ARN, shown with it, and invoked; a wait is a suspension."""
    async with (
        function(kind, SERVICES, tmp_path) as fn,
        httpx.AsyncClient(timeout=60) as client,
    ):
        id_ = await fn.register()
        shown = (await client.get(f"{fn.server.admin_url}/deployments/{id_}")).json()
        services = {service["name"]: service for service in shown.pop("services")}
        shown.pop("created_at")
        assert shown == {
            "id": id_,
            "arn": fn.arn,
            "compression": "Zstd",
            "min_protocol_version": 5,
            "max_protocol_version": 7,
            "sdk_version": shown["sdk_version"],
        }
        assert services["Ledger"]["inactivity_timeout"] == "0s"
        rows = await fn.server.sql("SELECT id, ty, endpoint FROM sys_deployment")
        assert rows == [{"id": id_, "ty": "lambda", "endpoint": fn.arn}]
        for expected in (0, 1):
            answer = await client.post(f"{fn.server.ingress_url}/Ledger/k/add", json=5)
            assert answer.json() == expected
        slept = await client.post(
            f"{fn.server.ingress_url}/Svc/run", json=[op("sleep", ms=300), op("sleep", ms=300)]
        )
        assert slept.status_code == 200, slept.text


@pytest.mark.parametrize("kind", kinds())
async def test_a_function_that_is_not_there_is_refused(kind: Any, tmp_path: Path) -> None:
    """With Lambda's reason, and Restate's code."""
    async with (
        function(kind, SERVICES, tmp_path) as fn,
        httpx.AsyncClient(timeout=60) as client,
    ):
        arn = fn.arn.replace(":fn:", ":nope:")
        answer = await client.post(f"{fn.server.admin_url}/deployments", json={"arn": arn})
        assert answer.status_code == 500
        assert answer.json()["restate_code"] == "META0003"
        message = answer.json()["message"]
        assert f"[META0003] error when calling '{arn}': lambda service returned error:" in message
        assert "ResourceNotFoundException: Function not found: nope" in message


async def test_the_tour_runs_as_a_function_that_holds_nothing_while_it_waits(
    tmp_path: Path,
) -> None:
    """Mary buys two tickets; while the others' time runs, no process and no connection is there."""
    async with (
        function("rtour", "tour.part4.app:app", tmp_path, "--keep-warm", "0") as fn,
        httpx.AsyncClient(base_url=fn.server.ingress_url, timeout=60) as client,
    ):
        await fn.register()
        for seat in ("seat2B", "seat2C"):
            added = await client.post("/CartObject/Mary/addTicket", json=seat)
            assert added.json() is True
        taken = await client.post("/CartObject/Jane/addTicket", json="seat2B")
        assert taken.json() is False

        async def waiting() -> int:
            sql = "SELECT COUNT(*) AS n FROM sys_invocation WHERE status = 'scheduled'"
            n: int = (await fn.server.sql(sql))[0]["n"]
            return n

        assert await waiting() == 2  # each ticket's expiry
        await fn.holds_nothing()
        paid = await client.post("/CartObject/Mary/checkout")
        assert paid.json() is True

        async def sold() -> list[str]:
            sql = "SELECT service_key FROM state WHERE value_utf8 = '\"SOLD\"' ORDER BY service_key"
            return [row["service_key"] for row in await fn.server.sql(sql)]

        await eventually("both are sold", sold, lambda seats: seats == ["seat2B", "seat2C"])


async def test_a_function_that_sleeps_is_not_there(tmp_path: Path) -> None:
    """In the middle of a handler, for a quarter of an hour: it goes on once that is skipped."""
    async with (
        function("rtour", SERVICES, tmp_path, "--keep-warm", "0") as fn,
        httpx.AsyncClient(timeout=60) as client,
    ):
        await fn.register()
        program = [op("run", name="before", tag="t", v=1), op("sleep", ms=15 * MINUTE_MS)]
        sent = await client.post(f"{fn.server.ingress_url}/Svc/run/send", json=program)
        id_ = sent.json()["invocationId"]

        async def status() -> str:
            sql = f"SELECT status FROM sys_invocation WHERE id = '{id_}'"
            found: str = (await fn.server.sql(sql))[0]["status"]
            return found

        await eventually("it sleeps", status, lambda now: now == "suspended")
        await fn.holds_nothing()
        skipped = await client.post(
            f"{fn.server.admin_url}/rtour/time", json={"action": "skip", "by": "15m"}
        )
        assert skipped.status_code == 200, skipped.text
        await eventually("it woke up", status, lambda now: now == "completed")
        await fn.holds_nothing()


def _is(holds: Any) -> Any:
    async def ask() -> bool:
        return bool(holds())

    return ask

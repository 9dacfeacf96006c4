"""The stages of the tutorial on our SDK, served by `rtour serve`, on either server."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.conformance import oracles
from tests.conformance.processes import Child, free_port
from tests.conformance.servers import KINDS, QUICK, Server
from tests.conformance.waiting import eventually

pytestmark = [pytest.mark.oracle, pytest.mark.asyncio(loop_scope="module")]

REPOSITORY = Path(__file__).resolve().parents[2]
STAGES = range(1, 6)


class Theatre:
    """One stage of the tutorial, served and registered."""

    def __init__(self, server: Server, stage: int, folder: Path) -> None:
        self.server = server
        self.stage = stage
        self.outside = folder / "outside"
        self._port = free_port()
        app = f"tour.part{stage}.app:app"
        command = [str(Path(sys.executable).parent / "rtour"), "serve", app]
        self._child = Child(
            [*command, "--port", str(self._port)],
            folder / "serve.log",
            {"TOUR_OUTSIDE": str(self.outside), "PYTHONPATH": str(REPOSITORY)},
            REPOSITORY,
        )

    async def open(self) -> None:
        await eventually("the stage is served", self._served, within_s=30)
        await self.server.register(f"http://127.0.0.1:{self._port}", force=True, breaking=True)

    async def _served(self) -> bool:
        assert self._child.running, self._child.log_tail()
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"http://127.0.0.1:{self._port}/health")).is_success
            except httpx.TransportError:
                return False

    def close(self) -> None:
        self._child.kill()

    async def ask(self, path: str, body: Any = None) -> Any:
        async with httpx.AsyncClient(timeout=30) as client:
            content = {} if body is None else {"json": body}
            answer = await client.post(f"{self.server.ingress_url}/{path}", **content)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    def told(self, kind: str) -> list[dict[str, Any]]:
        """What has happened in the pretended world."""
        path = self.outside / f"{kind}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def status_of(self, seat: str) -> str:
        rows = await self.server.sql(
            "SELECT value_utf8 FROM state WHERE service_name = 'TicketObject' "
            f"AND service_key = '{seat}' AND key = 'status'"
        )
        return json.loads(rows[0]["value_utf8"]) if rows else ""


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=KINDS)
async def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """The official server, and ours."""
    oracles.install()
    server = Server(request.param, tmp_path_factory.mktemp(request.param), QUICK)
    await server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def theatre(
    request: pytest.FixtureRequest, server: Server, tmp_path: Path
) -> AsyncIterator[Theatre]:
    theatre = Theatre(server, request.param, tmp_path)
    try:
        await theatre.open()
        yield theatre
    finally:
        theatre.close()


def stages(first: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("theatre", [s for s in STAGES if s >= first], indirect=True)


def named(theatre: Theatre, what: str) -> str:
    """A seat or user that no other test knows."""
    return f"{what}-{theatre.stage}-{theatre.outside.parent.name}"


@stages(1)
async def test_adding_a_ticket(theatre: Theatre) -> None:
    """From the first stage on, a free seat can be had, over two objects and a journal."""
    cart, seat = named(theatre, "mary"), named(theatre, "seat")
    assert await theatre.ask(f"CartObject/{cart}/addTicket", seat) is True
    assert await theatre.ask(f"CartObject/{cart}/expireTicket", seat) is None


@stages(2)
async def test_reservations_expire_later(theatre: Theatre) -> None:
    """From the second stage on, a reservation schedules its own end."""
    cart, seat = named(theatre, "joe"), named(theatre, "later")
    await theatre.ask(f"CartObject/{cart}/addTicket", seat)
    query = f"SELECT status FROM sys_invocation WHERE target = 'CartObject/{cart}/expireTicket'"
    assert [row["status"] for row in await theatre.server.sql(query)] == ["scheduled"]


@stages(3)
async def test_a_seat_is_sold_once(theatre: Theatre) -> None:
    """From the third stage on, tickets remember whom they belong to."""
    mary, joe, seat = (named(theatre, name) for name in ("mary2", "joe2", "once"))
    assert await theatre.ask(f"CartObject/{mary}/addTicket", seat) is True
    assert await theatre.ask(f"CartObject/{joe}/addTicket", seat) is False
    assert await theatre.ask(f"CartObject/{joe}/checkout") is False
    assert await theatre.ask(f"CartObject/{mary}/checkout") is True

    async def status() -> str:
        return await theatre.status_of(seat)

    await eventually("sold", status, lambda status: status == "SOLD")
    assert await theatre.ask(f"CartObject/{mary}/checkout") is False


@stages(4)
async def test_paying_happens_once(theatre: Theatre) -> None:
    """From the fourth stage on, a checkout charges once and sends its mail."""
    mary, seat = named(theatre, "mary3"), named(theatre, "paid")
    await theatre.ask(f"CartObject/{mary}/addTicket", seat)
    assert await theatre.ask(f"CartObject/{mary}/checkout") is True
    assert [mail["to"] for mail in theatre.told("mails")] == [mary]
    assert len(theatre.told("charges") or theatre.told("payments")) == 1

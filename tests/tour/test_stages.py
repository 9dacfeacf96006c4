"""Every stage serves alone, does what its part of the tour says, and is the same on both SDKs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rtour.client import Client, Connection
from rtour.server.main import Server
from tests.conformance.processes import free_port
from tests.tour.conftest import ROOT, TOUR
from tests.tour.test_examples import SETTINGS, User, answering, served, serving

PARTS = ("app", "part1", "part2", "part3", "part4", "part5")
SERVICES = {"CartObject", "TicketObject", "CheckoutService"}
EXTRAS = {"RefundService", "MembershipWorkflow", "GroupBooking"}


@pytest.fixture(params=["rtour", pytest.param("restate", marks=pytest.mark.slow)])
async def users(request: pytest.FixtureRequest, tmp_path: Path, part: str) -> AsyncIterator[User]:
    """A user of one stage, on rtour's server."""
    shutil.copytree(TOUR, tmp_path / "tour", ignore=shutil.ignore_patterns("__pycache__"))
    port = free_port()
    words = serving(request.param, tmp_path / "tour", f"tour.{part}.app:app", port)
    env = {**os.environ, "TOUR_OUTSIDE": str(tmp_path / "outside"), "PYTHONPATH": str(ROOT / "src")}
    async with Server(SETTINGS) as server:
        connection = Connection(admin_url=server.admin_url, ingress_url=server.ingress_url)
        async with Client(connection) as client:
            with served(words, tmp_path, env):
                await answering(port)
                await client.admin.register({"uri": f"http://127.0.0.1:{port}"})
                yield User(client)


@pytest.mark.parametrize("part", PARTS)
async def test_a_stage_serves_alone(users: User, part: str) -> None:
    """Each stage has its services, takes a ticket and checks out."""
    names = {service.name for service in await users.client.admin.services()}
    assert names == (SERVICES | EXTRAS if part in {"app", "part5"} else SERVICES)
    assert await users.call("CartObject/Mary/addTicket", "seat2B") is True
    remembers = part not in {"app", "part1", "part2"}
    assert await users.call("CartObject/Joe/addTicket", "seat2B") is not remembers
    assert await users.call("CartObject/Mary/checkout") is True
    rows = await users.client.query.state("TicketObject", "seat2B")
    assert {row.key for row in rows} == ({"status"} if remembers else set())


def test_stages_use_public_names_only() -> None:
    """What a learner reads imports nothing that is not theirs to import."""
    for part in (*PARTS, "auxiliary"):
        for file in (TOUR / part).glob("*.py"):
            for line in re.findall(r"^(?:from|import) .*rtour.*$", file.read_text(), re.MULTILINE):
                assert re.match(r"import rtour$|from rtour import ", line), (file, line)

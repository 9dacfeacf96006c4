"""The clock over the admin API: who may look at it, who may drive it, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from rtour.server.main import Server
from rtour.server.settings import Settings
from rtour.server.time_control import ClockWasDriven

SETTINGS = Settings(ephemeral=True, ingress_port=0, admin_port=0, pg_port=None, dev_clock=True)


@pytest.fixture
async def admin() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the admin API of a server whose clock can be driven."""
    async with (
        Server(SETTINGS) as server,
        httpx.AsyncClient(base_url=server.admin_url) as client,
    ):
        yield client


async def drive(admin: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await admin.post("/rtour/time", json=body)


async def reading(admin: httpx.AsyncClient) -> dict[str, Any]:
    answer: dict[str, Any] = (await admin.get("/rtour/time")).json()
    return answer


async def test_the_clock_is_driven_step_by_step(admin: httpx.AsyncClient) -> None:
    """Each answer tells how the clock stands then, and a look tells the same."""
    skipped = (await drive(admin, action="skip", by="15m")).json()
    assert skipped["moved_ms"] == skipped["offset_ms"] == 900_000
    assert (skipped["timers"], skipped["retries"], skipped["next"]) == (0, 0, None)
    frozen = (await drive(admin, action="freeze")).json()
    assert frozen["mode"] == "frozen"
    stood = (await reading(admin))["now"]
    later = datetime.fromisoformat(stood) + timedelta(days=3)
    await drive(admin, action="skip", to=later.isoformat())
    assert datetime.fromisoformat((await reading(admin))["now"]) == later
    assert (await drive(admin, action="auto")).json()["mode"] == "auto"
    resumed = (await drive(admin, action="resume")).json()
    assert resumed["mode"] == "running"
    assert 3 * 86_400_000 < resumed["offset_ms"] <= 3 * 86_400_000 + 900_000


async def test_a_driven_clock_is_shown_wherever_it_is_in_use(admin: httpx.AsyncClient) -> None:
    """In the health check's headers, and beside the version."""
    await drive(admin, action="skip", by="1h")
    health = await admin.get("/health")
    assert health.headers["x-rtour-clock"] == "running; offset-ms=3600000"
    clock = (await admin.get("/version")).json()["clock"]
    assert (clock["mode"], clock["offset_ms"]) == ("running", 3_600_000)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"action": "skip", "to": "next"}, 409, "nothing waits"),
        ({"action": "skip", "to": "2001-01-01T00:00:00Z"}, 409, "never goes back"),
        ({"action": "skip", "to": "2001-01-01"}, 409, "never goes back"),
        ({"action": "skip", "to": "2200-01-01T00:00:00Z"}, 400, "2100"),
        ({"action": "skip", "by": "0s"}, 400, "never goes back"),
        ({"action": "skip", "by": "-5m"}, 422, "by: "),
        ({"action": "skip", "by": "1 month"}, 422, "by: "),
        ({"action": "skip", "to": "tomorrow"}, 422, "expected an instant"),
        ({"action": "skip", "to": "9999-12-31T23:59:59-23:59"}, 400, "2100"),
        ({"action": "skip"}, 422, "either `by`"),
        ({"action": "skip", "by": "1s", "to": "next"}, 422, "either `by`"),
        ({"action": "freeze", "by": "1s"}, 422, "only a skip"),
        ({"action": "rewind"}, 422, "Invalid enum value 'rewind'"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    admin: httpx.AsyncClient, body: dict[str, Any], status: int, says: str
) -> None:
    """The refusal says what was expected, and the clock stays as it was."""
    answer = await drive(admin, **body)
    assert answer.status_code == status
    assert says in answer.json()["message"]
    assert (await reading(admin))["offset_ms"] == 0


async def test_other_servers_have_the_machines_time() -> None:
    """It can be looked at; driving it is refused with what to do; nothing else mentions it."""
    async with (
        Server(replace(SETTINGS, dev_clock=False)) as server,
        httpx.AsyncClient(base_url=server.admin_url) as admin,
    ):
        answer = await drive(admin, action="skip", by="1s")
        assert answer.status_code == 409
        assert "--dev-clock" in answer.json()["message"]
        shown = await reading(admin)
        assert (shown["mode"], shown["offset_ms"], shown["next"]) == ("off", 0, None)
        assert "x-rtour-clock" not in (await admin.get("/health")).headers
        assert "clock" not in (await admin.get("/version")).json()


async def test_the_clock_outlives_the_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A restart goes on ahead of the machine and says so; without --dev-clock there is none."""
    settings = replace(SETTINGS, ephemeral=False, data=str(tmp_path))
    async with (
        Server(settings) as server,
        httpx.AsyncClient(base_url=server.admin_url) as admin,
    ):
        await drive(admin, action="skip", by="3d")
    async with (
        Server(settings) as server,
        httpx.AsyncClient(base_url=server.admin_url) as admin,
    ):
        assert (await reading(admin))["offset_ms"] == 3 * 86_400_000
    assert "3d ahead of this machine's, running" in caplog.text
    with pytest.raises(ClockWasDriven, match="--dev-clock"):
        async with Server(replace(settings, dev_clock=False)):
            pass

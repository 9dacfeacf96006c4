"""A driven clock with every SDK: what SDKs wait for by their own clocks goes by the server's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.conformance.endpoints import SETUPS, Setup
from tests.conformance.program import op
from tests.conformance.servers import rtour_binary
from tests.conformance.sites import marks, standing_site
from tests.conformance.waiting import eventually
from tests.conformance.world import Site, World

MINUTE_MS = 60_000
ENVIRONMENT = {
    "RTOUR_DEV_CLOCK": "true",
    "RESTATE_DEFAULT_RETRY_POLICY__INITIAL_INTERVAL": "1h",
    "RESTATE_DEFAULT_RETRY_POLICY__MAX_INTERVAL": "1h",
}


def setups() -> list[Any]:
    return [pytest.param(setup, id=setup, marks=marks("rtour", setup)) for setup in SETUPS]


@pytest.fixture(scope="module", params=setups())
def here(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    setup: Setup = request.param
    folder = tmp_path_factory.mktemp("time")
    with standing_site("rtour", setup, folder, ENVIRONMENT) as one:
        yield one


@pytest.fixture
async def w(here: Site) -> AsyncIterator[World]:
    async with httpx.AsyncClient(timeout=30) as client:
        yield World(here, client)


def rtour_time(world: World, *words: str) -> dict[str, Any]:
    """`rtour time …` as a user runs it; the clock after it."""
    done = subprocess.run(
        [str(rtour_binary()), "time", *words, "-o", "json"],
        env={**os.environ, "RESTATE_ADMIN_URL": world.site.server.admin_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    clock: dict[str, Any] = json.loads(done.stdout)
    return clock


async def until_next(world: World, what: str) -> dict[str, Any]:
    """The clock, once something of this kind is what is waited for next."""

    async def ask() -> dict[str, Any]:
        clock: dict[str, Any] = (await world.admin("GET", "/rtour/time")).json()
        return clock

    return await eventually(
        f"a {what} is next", ask, lambda c: bool(c["next"]) and c["next"]["what"] == what
    )


async def test_a_quarter_of_an_hour_is_skipped(w: World) -> None:
    """A sleep that began before the first skip is over after it; one begun since lasts as long."""
    sleeper = await w.send("Svc/run", *[op("sleep", ms=15 * MINUTE_MS)] * 2)
    await until_next(w, "sleep")
    first = rtour_time(w, "skip", "15m")
    assert (first["moved_ms"], first["timers"]) == (15 * MINUTE_MS, 1)
    second = (await until_next(w, "sleep"))["next"]
    assert second["invocation_id"] == sleeper
    assert 14 * MINUTE_MS < second["in_ms"] <= 15 * MINUTE_MS
    woken = await w.sql(
        f"SELECT entry_json FROM sys_journal WHERE id = '{sleeper}' "
        "AND entry_type = 'Command: Sleep'"
    )
    wake_up_ms = json.loads(woken[1]["entry_json"])["Command"]["Sleep"]["wake_up_time"]
    due_ms = datetime.fromisoformat(second["at"]).timestamp() * 1000
    assert abs(wake_up_ms - due_ms) < 1
    rtour_time(w, "skip", "--to-next")
    await w.until(sleeper, "completed")
    (row,) = await w.sql(
        f"SELECT created_at, completed_at FROM sys_invocation WHERE id = '{sleeper}'"
    )
    lasted = datetime.fromisoformat(row["completed_at"]) - datetime.fromisoformat(row["created_at"])
    assert timedelta(minutes=30) <= lasted < timedelta(minutes=31)


async def test_delayed_sends_and_retries_are_skipped(w: World) -> None:
    """Of a handler, and of a client; an attempt that failed is made again an hour later, now."""
    rtour_time(w, "skip", "3d")
    tag, failing = w.key("tag"), w.key("failing")
    callee = op(
        "send",
        svc="Svc",
        handler="run",
        delay_ms=15 * MINUTE_MS,
        arg=[op("run", name="r", tag=tag, v=1)],
    )
    await w.until(await w.send("Svc/run", callee), "completed")
    assert (await until_next(w, "start"))["next"]["in_ms"] <= 15 * MINUTE_MS
    rtour_time(w, "skip", "--to-next")
    await w.outside.effect(tag)
    await w.send("Svc/run", op("run", name="r", tag=tag, v=2), query="?delay=2h")
    await until_next(w, "start")
    rtour_time(w, "skip", "2h")
    await w.outside.effect(tag, 2)
    invocation = await w.send("Svc/run", op("throw", message="oops", tag=failing, times=1))
    await until_next(w, "retry")
    assert rtour_time(w, "skip", "--to-next")["retries"] == 1
    await w.until(invocation, "completed")


async def test_automatic_time_lets_nobody_wait(w: World) -> None:
    """Three days of sleep, by an SDK that keeps its stream open, end by themselves."""
    rtour_time(w, "auto")
    sleeper = await w.send("Svc/run", *[op("sleep", ms=24 * 60 * MINUTE_MS)] * 3)
    await w.until(sleeper, "completed")
    clock = rtour_time(w, "resume")
    assert clock["mode"] == "running"
    assert clock["offset_ms"] > 3 * 23 * 60 * MINUTE_MS


async def test_a_stopped_clock_survives_a_kill(w: World) -> None:
    """It stands where it stood, and so does who sleeps; skips and going on still work after it."""
    rtour_time(w, "skip", "1d")
    sleeper = await w.send("Svc/run", op("sleep", ms=60 * MINUTE_MS))
    await until_next(w, "sleep")
    stood = rtour_time(w, "freeze")["now"]
    w.site.server.kill()
    await w.site.server.start()
    clock = rtour_time(w)
    assert (clock["mode"], clock["now"]) == ("frozen", stood)
    assert await w.status(sleeper) != "completed"
    rtour_time(w, "skip", "--to-next")
    await w.until(sleeper, "completed")
    assert rtour_time(w, "resume")["mode"] == "running"

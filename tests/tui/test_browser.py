"""`rtour ui --web` in a real browser: it opens, lists, walks a journal, and looks right."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

import rtour
from rtour.sdk.testing import create_test_harness
from tests.conformance.processes import free_port
from tests.tui.browser import Page, chromium, installed

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(installed() is None, reason="needs Chromium: apt-get install chromium"),
]
PICTURE = Path(__file__).parents[2] / "docs/reference/tui-web.webp"

cart = rtour.VirtualObject("CartObject")
tickets = rtour.VirtualObject("TicketObject")


@cart.handler("addTicket")
async def add_ticket(ctx: rtour.ObjectContext, seat: str) -> bool:
    """Reserves a seat and keeps it."""
    reserved = await ctx.object_call(reserve, key=seat, arg=None)
    if reserved:
        ctx.set("tickets", [*(await ctx.get("tickets", type_hint=list) or []), seat])
    return reserved


@tickets.handler("reserve")
async def reserve(ctx: rtour.ObjectContext) -> bool:
    """Of seat2C it cannot."""
    if ctx.key() == "seat2C":
        raise RuntimeError(f"no such seat: {ctx.key()}")
    return True


@asynccontextmanager
async def served(admin_url: str, ingress_url: str) -> AsyncIterator[str]:
    """The web UI on a server; its URL."""
    port = free_port()
    env = os.environ | {"RESTATE_ADMIN_URL": admin_url, "RESTATE_INGRESS_URL": ingress_url}
    words = ["-m", "rtour", "ui", "--web", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, env=env, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(30):
            assert b"the UI is at" in await process.stderr.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _sold(ingress_url: str) -> None:
    async with httpx.AsyncClient(base_url=ingress_url, trust_env=False) as http:
        for seat in ("seat2A", "seat2B"):
            answer = await http.post("/CartObject/Mary/addTicket", json=seat)
            assert answer.json() is True
        await http.post("/CartObject/Mary/addTicket/send", json="seat2C")


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """The UI in a browser, on a server where Mary's third ticket fails."""
    async with create_test_harness(rtour.app([cart, tickets])) as env:
        await _sold(env.ingress_url)
        async with served(env.admin_api_url, env.ingress_url) as url, chromium(tmp_path) as page:
            await page.open(url)
            yield page


async def test_a_journal_is_walked_in_a_browser(page: Page, rewrite: bool) -> None:
    """Without a click the keys arrive: list, filter, journal, error; no complaint on the way."""
    await page.until("backing-off", "CartObject/Mary/addTicket", "TicketObject/seat2A/reserve")
    listed = await page.picture()
    assert await page.value("document.activeElement.className") == "xterm-helper-textarea"
    assert await page.value("[...document.fonts].map(each => each.status).join()") == "loaded"
    await page.press("/", *"status:backing-off")
    await page.until("status:backing-off")
    # What came before is forgotten now: a row that is drawn from here on is one that was filtered.
    await page.press("Enter")
    await page.until("TicketObject/seat2C/reserve")
    await page.press("Enter")
    await page.until("Input", "attempt", "no such seat: seat2C")
    await page.press("j")
    await page.until("Failed attempt", "stack trace", "RuntimeError")
    walked = await page.picture()
    assert len(listed) > 10_000  # bytes; an empty page has a tenth of that
    assert walked != listed
    assert page.complaints == []
    if rewrite:
        PICTURE.write_bytes(walked)


async def test_the_picture_in_the_docs_is_small() -> None:
    """It is drawn by `pytest tests/tui/test_browser.py --rewrite`, and costs a clone little."""
    assert 10_000 < PICTURE.stat().st_size < 100_000
